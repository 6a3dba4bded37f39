"""Another process with a system of its own on the same JSON file. Told what to do line by line, in JSON; says what happens.

    python _process.py PATH BACKEND

It ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
from functools import partial

import anyio
import anyio.to_thread

from actors import Actor, ActorSystem, DuplicateRunError
from actors.backends import FileCancellationManager


def say(**what):
    print(json.dumps(what), flush=True)


class Hanger(Actor):
    """Hangs until it is interrupted, and says when it has begun, with its run registered."""

    def __init__(self, manager):
        self.manager = manager

    async def reply(self, message, /):
        run_id = self.context.run.id
        while run_id not in self.manager.get_active_runs():  # noqa: ASYNC110 - a busy machine may take its time
            await anyio.sleep(0.001)
        say(said="began", run=run_id)
        await anyio.sleep_forever()

    async def handle_interrupt(self, message, interruption, /):
        say(
            said="interrupted",
            run=interruption.run_id,
            source=interruption.source,
            reason=interruption.reason,
            by=interruption.by,
            started=interruption.started,
        )


async def hang(system, manager, run):
    ref = await system.spawn(Hanger(manager))
    try:
        await ref.ask("hang", run_id=run)
        say(said="over", run=run)
    except DuplicateRunError:
        say(said="duplicate", run=run)


async def interrupt(system, run, reason):
    receipt = await system.interrupt(run, reason, by="the other process")
    say(said="receipt", run=run, outcome=receipt.outcome)


async def main(path):
    manager = FileCancellationManager(path)
    async with ActorSystem(cancellation=manager) as system, anyio.create_task_group() as group:
        say(said="ready")
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            order = json.loads(line)
            match order.pop("do"):
                case "hang":
                    group.start_soon(partial(hang, system, manager, **order))
                case "interrupt":
                    group.start_soon(partial(interrupt, system, **order))
                case "cancel":  # without a system
                    say(said="cancelled", known=FileCancellationManager(path).cancel_run(**order))
        group.cancel_scope.cancel()  # whoever still asks is gone


if __name__ == "__main__":
    options = {"use_uvloop": True} if sys.argv[2] == "uvloop" else {}
    anyio.run(main, sys.argv[1], backend="trio" if sys.argv[2] == "trio" else "asyncio", backend_options=options)
