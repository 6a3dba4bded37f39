"""A process that watches some runs of others and says of which it was told: ``python watcher.py CLASS URL NAMESPACE RUN...``."""

from __future__ import annotations

import sys

import anyio

import actors.backends


async def main(name, url, namespace, *runs):
    async with getattr(actors.backends, name)(url, namespace=namespace) as manager, anyio.create_task_group() as group:
        told = []

        def tell(intent):
            told.append(intent.run_id)
            print(intent.run_id, intent.reason, flush=True)
            if len(told) == len(runs):
                group.cancel_scope.cancel()

        group.start_soon(manager.watch, lambda: runs, tell)
        while manager.health().watching is None:  # noqa: ASYNC110 - it sets no event
            await anyio.sleep(0.001)
        print("ready", flush=True)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
