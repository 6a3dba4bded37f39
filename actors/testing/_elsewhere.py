"""Another process with a cancellation manager, told what to do line by line; see ``_manager_processes``."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from actors._cancellation._owner import new_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from actors._cancellation._intent import CancelIntent
    from actors._cancellation._manager import CancellationManager


def say(line: str) -> None:
    """Tell the one who has started this process."""
    print(line, flush=True)  # noqa: T201 - that is how it talks


async def keep_renewing(manager: CancellationManager, runs: Collection[str], owner: str) -> None:
    """Renew the leases of runs, as a system does; processes take their time to start."""
    while manager.lease is not None:
        await anyio.sleep(manager.lease / 3)
        await manager.renew(runs, owner=owner)


async def crowd(manager: CancellationManager, mine: str, others: str, count: str) -> None:
    """Register runs, and cancel those that somebody else registers."""
    owner, runs = new_owner(), list[str]()
    async with anyio.create_task_group() as group:
        group.start_soon(keep_renewing, manager, runs, owner)
        for number in range(int(count)):
            runs.append(f"{mine}-{number}")
            await manager.enroll(runs[-1], owner=owner)
            await manager.acancel_run(f"{others}-{number}")
        say("done")


async def keep_watching(manager: CancellationManager, run: str) -> None:
    """Register a run, and say when it is cancelled."""

    def told(intent: CancelIntent) -> None:
        say(f"told {intent.run_id}")

    owner = new_owner()
    await manager.enroll(run, owner=owner)
    async with anyio.create_task_group() as group:
        group.start_soon(keep_renewing, manager, [run], owner)
        group.start_soon(manager.watch, lambda: [run], told)
        while not manager.health().watching:  # noqa: ASYNC110 - the report sets no event
            await anyio.sleep(0.001)
        say(f"watching {run}")


async def read_line() -> str:
    """The next line of standard input, without its end."""
    line: str = await to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    return line.rstrip("\n")


async def main() -> None:
    """Until standard input ends."""
    factory: Callable[[], CancellationManager] = pickle.loads(bytes.fromhex(await read_line()))  # noqa: S301 - a parent's
    async with factory() as manager, anyio.create_task_group() as group:
        say("ready")
        while line := await read_line():
            order, *words = line.split("\t")
            if order == "crowd":
                group.start_soon(crowd, manager, words[0], words[1], words[2])
            elif order == "watch":
                group.start_soon(keep_watching, manager, words[0])
            elif order == "register":
                await manager.aregister_run(words[0])
                say(f"registered {words[0]}")
            else:
                say(str(await manager.acancel_run(words[0])))
        group.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main)
