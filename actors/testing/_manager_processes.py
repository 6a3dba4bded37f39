"""Several processes on one store: what a cancellation manager is for."""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import attrs
from anyio.streams.buffered import BufferedByteReceiveStream

from actors.testing._bench import PATIENCE, must, same, until
from actors.testing._elsewhere import keep_renewing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import Process

    from actors._cancellation._intent import CancelIntent
    from actors.testing._bench import Bench, Clause, Feature

OPERATIONS = 300
"""Of each process: half of them registrations, half cancels."""
START_TIME = 30.0


@attrs.define(eq=False)
class Elsewhere:
    """Another process with a manager on the same store; see ``_elsewhere``."""

    process: Process
    _lines: BufferedByteReceiveStream

    async def do(self, *words: str) -> None:
        """Have it do something."""
        assert self.process.stdin is not None, "a pipe"
        await self.process.stdin.send("\t".join(words).encode() + b"\n")

    async def hears(self, wanted: str) -> None:
        """Wait until it says this; fail if it says something else."""
        said = "nothing"
        with anyio.move_on_after(START_TIME):
            said = (await self._lines.receive_until(b"\n", 100_000)).decode()
        same(said, wanted, "what the other process says")


@asynccontextmanager
async def elsewhere(bench: Bench) -> AsyncGenerator[Elsewhere]:
    """Another process, for as long as the block lasts."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "actors.testing._elsewhere"]
    process = await anyio.open_process(command, stderr=None, env=environment)
    try:
        assert process.stdout is not None, "a pipe"
        other = Elsewhere(process, BufferedByteReceiveStream(process.stdout))
        await other.do(pickle.dumps(bench.factory).hex())
        await other.hears("ready")
        yield other
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()


async def two_processes_that_write_at_once_lose_nothing(bench: Bench) -> None:
    """Each registers runs, and cancels those that the other one registers."""
    mark = bench.run_id("processes")
    names = [f"{name}-{mark}" for name in ("one", "two")]
    count = OPERATIONS // 2
    bench.used += (all_runs := [f"{name}-{number}" for name in names for number in range(count)])
    async with elsewhere(bench) as one, elsewhere(bench) as two:
        await one.do("crowd", names[0], names[1], str(count))
        await two.do("crowd", names[1], names[0], str(count))
        for other in (one, two):
            await other.hears("done")
        active = await bench.first.aget_active_runs()
        lost = [run for run in all_runs if run not in active]
        must(not lost, f"{len(lost)} of {2 * count} registrations were lost, among them {lost[:3]}")
        kept = await bench.first.intents(all_runs)
        uncancelled = [run for run in all_runs if run not in kept]
        must(not uncancelled, f"{len(uncancelled)} of {2 * count} cancels were lost, among them {uncancelled[:3]}")
        for run in all_runs:
            await bench.first.acleanup_run(run)


async def each_process_that_watches_is_told_of_the_cancels_of_its_runs(bench: Bench) -> None:
    """Here, and in two others, whoever cancels."""
    here, there, beyond = bench.run_id("here"), bench.run_id("there"), bench.run_id("beyond")
    told: list[CancelIntent] = []
    async with elsewhere(bench) as one, elsewhere(bench) as two, anyio.create_task_group() as group:
        await bench.first.enroll(here, owner="here")
        group.start_soon(keep_renewing, bench.first, [here], "here")
        group.start_soon(bench.first.watch, lambda: [here], told.append)
        for other, run in ((one, there), (two, beyond)):
            await other.do("watch", run)
            await other.hears(f"watching {run}")
        same(await bench.first.acancel_run(there), expected=True, what="acancel_run() of a run of another process")
        await one.hears(f"told {there}")
        await one.do("cancel", beyond)
        await one.hears("True")
        await two.hears(f"told {beyond}")
        await two.do("cancel", here)
        await two.hears("True")
        await until(lambda: told)
        group.cancel_scope.cancel()
    same([intent.run_id for intent in told], [here], "what watch() told here")


async def the_runs_of_a_process_that_was_killed_are_given_up(bench: Bench) -> None:
    """R30: after its lease at the latest."""
    run = bench.run_id("killed")
    async with elsewhere(bench) as other:
        await other.do("register", run)
        await other.hears(f"registered {run}")
        other.process.kill()
        await other.process.wait()
    with anyio.move_on_after(1.5 * (bench.first.lease or 0) + PATIENCE):
        while run in await bench.first.aget_active_runs():  # noqa: ASYNC110 - a lease that ends sets no event
            await anyio.sleep(0.02)
    must(run not in await bench.first.aget_active_runs(), "the run of a process that was killed stays active")
    same(
        (await bench.first.request_cancel(run)).outcome,
        "owner_gone",
        "the outcome of cancelling a killed process's run",
    )


PROCESS_CLAUSES: tuple[tuple[Clause, tuple[Feature, ...]], ...] = (
    (two_processes_that_write_at_once_lose_nothing, ("early_cancels",)),
    (each_process_that_watches_is_told_of_the_cancels_of_its_runs, ()),
    (the_runs_of_a_process_that_was_killed_are_given_up, ("leases",)),
)
"""Each with the features without which it says nothing."""
