"""Registers, cancels and cleans up runs: ``python operations.py CLASS URL NAMESPACE MARK COUNT``.

A third of the runs is cancelled while it is registered, a third before. Those are still there at the end, to be counted.
"""

from __future__ import annotations

import sys

import anyio

import actors.backends


async def main(name, url, namespace, mark, count):
    async with getattr(actors.backends, name)(url, namespace=namespace) as manager:
        print("ready", flush=True)
        sys.stdin.readline()

        async def one(number):
            run = f"{mark}-{number}"
            match number % 3:
                case 0:
                    await manager.aregister_run(run)
                    assert (await manager.request_cancel(run, reason=mark)).outcome == "registered"
                case 1:
                    assert (await manager.request_cancel(run, reason=mark)).outcome == "stored"
                    assert (await manager.enroll(run)).reason == mark
                case 2:
                    await manager.aregister_run(run)
                    await manager.acleanup_run(run)

        for first in range(0, int(count), 10):  # some at once, as in real life
            async with anyio.create_task_group() as group:
                for number in range(first, first + 10):
                    group.start_soon(one, number)
        print("done", flush=True)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
