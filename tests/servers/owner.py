"""A process with a system of its own, whose replies hang until they are cut: ``python owner.py CLASS URL NAMESPACE RUN...``.

It never looks by itself within the time of a test, so what it hears of a cancel it has been told at once.
"""

from __future__ import annotations

import json
import sys
import time

import anyio

import actors.backends
from actors import Actor, ActorSystem


class Hanger(Actor):
    async def reply(self, message, /):
        await anyio.sleep_forever()

    async def handle_interrupt(self, message, interruption, /):
        said = {"run": interruption.run_id, "reason": interruption.reason, "by": interruption.by, "at": time.time()}
        print(json.dumps(said), flush=True)


async def main(name, url, namespace, *run_ids):
    manager = getattr(actors.backends, name)(url, namespace=namespace, safety_period=600.0)
    async with ActorSystem(cancellation=manager) as system, anyio.create_task_group() as group:
        for run_id in run_ids:
            ref = await system.spawn(Hanger())
            group.start_soon(lambda ref=ref, run_id=run_id: ref.ask("hang", run_id=run_id))
        while not manager.health().watching:  # noqa: ASYNC110 - it sets no event
            await anyio.sleep(0.001)
        print("ready", flush=True)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
