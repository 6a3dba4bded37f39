"""Many at once, and many made up: what a cancellation manager's store promises under pressure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from actors.testing._bench import must, same

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors._cancellation._manager import CancellationManager
    from actors.testing._bench import Bench, Clause, Feature

MOST_BOGUS = 200
"""The largest capacity that is filled up."""
RUNS = 60
AT_ONCE = 10


async def what_many_do_at_once_is_not_lost(bench: Bench) -> None:
    """Each of two managers registers runs, and cancels those that the other one registers, before or after that."""
    ours, theirs = ([bench.run_id(name) for _ in range(RUNS)] for name in ("ours", "theirs"))

    async def work(manager: CancellationManager, mine: list[str], others: list[str]) -> None:
        for run, other in zip(mine, others, strict=True):
            await manager.aregister_run(run)
            await manager.acancel_run(other)

    async with anyio.create_task_group() as group:
        for start in range(0, RUNS, RUNS // AT_ONCE):
            some = slice(start, start + RUNS // AT_ONCE)
            group.start_soon(work, bench.first, ours[some], theirs[some])
            group.start_soon(work, bench.second, theirs[some], ours[some])
    active = await bench.first.aget_active_runs()
    lost = [run for run in (*ours, *theirs) if run not in active]
    must(not lost, f"{len(lost)} of {2 * RUNS} registrations were lost, among them {lost[:3]}")
    kept = await bench.first.intents([*ours, *theirs])
    uncancelled = [run for run in (*ours, *theirs) if run not in kept]
    must(not uncancelled, f"{len(uncancelled)} of {2 * RUNS} cancels were lost, among them {uncancelled[:3]}")


async def run_ids_that_somebody_makes_up_take_bounded_room(bench: Bench) -> None:
    """R23: the newest are there, the oldest are gone, and registered runs are never crowded out."""
    manager, capacity = bench.first, bench.first.capacity or 0
    real = bench.run_id("real")
    await manager.enroll(real, owner="me")
    bogus = [bench.run_id("bogus") for _ in range(2 * capacity + AT_ONCE)]
    await _all_of(bench, manager.acancel_run, bogus, real)
    kept = await manager.intents(bogus)
    must(
        len(kept) <= 1.2 * capacity,
        f"{len(kept)} of {len(bogus)} made up cancels are kept, with a capacity of {capacity}",
    )
    must(bogus[-1] in kept, "the newest cancel must not be crowded out")
    same((await manager.aget_active_runs()).get(real), expected=False, what="a registered run among made up ones")
    if "tombstones" in bench.has:
        over = [bench.run_id("over") for _ in range(2 * capacity + AT_ONCE)]
        await _all_of(bench, manager.acleanup_run, over, real)
        same(
            (await manager.request_cancel(over[-1])).outcome, "finished", "the outcome of a late cancel of the last run"
        )
        finished = [run for run in over if (await manager.request_cancel(run)).outcome == "finished"]
        must(
            len(finished) <= 1.2 * capacity,
            f"{len(finished)} of {len(over)} tombstones are kept, with a capacity of {capacity}",
        )
    must(real in await manager.aget_active_runs(), "a registered run was crowded out by made up ones")


async def _all_of(bench: Bench, call: Callable[[str], Awaitable[object]], runs: list[str], real: str) -> None:
    """Make a call for each run, some at a time, the last one alone and last; the lease of a real one is renewed meanwhile."""

    async def made(run: str) -> None:
        await call(run)

    for start in range(0, len(runs) - 1, AT_ONCE):
        async with anyio.create_task_group() as group:
            for run in runs[start : min(start + AT_ONCE, len(runs) - 1)]:
                group.start_soon(made, run)
        if bench.time_is_set:
            await bench.advance(0.001)  # the oldest go first, so there have to be older ones
        await bench.first.renew([real], owner="me")
    await call(runs[-1])


CROWD_CLAUSES: tuple[tuple[Clause, tuple[Feature, ...]], ...] = (
    (what_many_do_at_once_is_not_lost, ("early_cancels",)),
    (run_ids_that_somebody_makes_up_take_bounded_room, ("capacity",)),
)
"""Each with the features without which it says nothing."""
