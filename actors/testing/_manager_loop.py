"""How a cancellation manager behaves on an event loop: it never stops it, and it can be cut at any point."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from actors.testing._bench import PATIENCE, must, same, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors._cancellation._intent import CancelIntent
    from actors._cancellation._manager import CancellationManager
    from actors.testing._bench import Bench, Clause, Feature

LONGEST_STALL = 0.02
"""Seconds. A few milliseconds are meant; the rest is for garbage collection and a busy machine, and the best of ten counts."""
TRIES = 10
TURNS = 8
"""A call is cut after so many turns of the event loop at most."""


async def no_call_stops_the_event_loop(bench: Bench) -> None:
    """Measured as the longest time between two turns of the loop, while every kind of call is made."""
    best = 60.0
    for _ in range(TRIES):
        best = min(best, await _longest_stall(bench))
        if best < LONGEST_STALL:
            return
    raise AssertionError(f"the event loop stood still for {best * 1000:.0f} ms, in the best of {TRIES} tries")


async def _longest_stall(bench: Bench) -> float:
    longest, over = 0.0, False

    async def use() -> None:
        nonlocal over
        for _ in range(10):
            for _, call in _calls(bench.first, bench.run_id()):
                await call()
        over = True

    async with anyio.create_task_group() as group:
        group.start_soon(use)
        last = time.perf_counter()
        while not over:
            await anyio.sleep(0.000_2)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    return longest


async def a_call_that_is_cut_ends_at_once_and_leaves_the_manager_usable(bench: Bench) -> None:
    """Whatever the call has done by then, nothing is stuck, and the run can be taken to its end."""
    manager = bench.first
    for turns in range(TURNS):
        run = bench.run_id()
        for name, call in _calls(manager, run):
            await _cut(name, call, turns)
            in_time = False
            with anyio.move_on_after(PATIENCE):
                await _live(manager, run, f"after {name} was cut")
                in_time = True
            must(in_time, f"after {name} was cut, the manager does not answer any more")


async def _live(manager: CancellationManager, run: str, when: str) -> None:
    """Take a run through its life, whatever is known of it. Whoever was cut asks again: as the same owner, that is allowed."""
    await manager.enroll(run, owner="me")
    must(run in await manager.aget_active_runs(), f"a run that is registered {when} is not listed")
    same(await manager.acancel_run(run), expected=True, what=f"acancel_run() {when}")
    same(await manager.ais_cancelled(run), expected=True, what=f"ais_cancelled() {when}")
    await manager.acleanup_run(run, owner="me")
    must(run not in await manager.aget_active_runs(), f"a run that is cleaned up {when} is still listed")


async def _cut(name: str, call: Callable[[], Awaitable[object]], turns: int) -> None:
    ended, scope = anyio.Event(), anyio.CancelScope()

    async def make() -> None:
        with scope:
            await call()
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(make)
        for _ in range(turns):
            await checkpoint()
        scope.cancel()
        with anyio.move_on_after(PATIENCE):
            await ended.wait()
        must(ended.is_set(), f"{name} did not end within {PATIENCE:g} s after it was cut")


async def a_watch_that_is_cut_can_be_begun_again(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    told: list[CancelIntent] = []
    for turns in range(TURNS):
        await _cut("watch()", lambda: bench.first.watch(lambda: [run], told.append), turns)
    same(told, list[object](), "what watch() told of a run that nobody has cancelled")
    async with anyio.create_task_group() as group:
        group.start_soon(bench.first.watch, lambda: [run], told.append)
        await bench.second.acancel_run(run)
        await until(lambda: told)
        group.cancel_scope.cancel()
    same([intent.run_id for intent in told], [run], "what watch() told after others had been cut")


async def what_was_cancelled_while_the_connection_was_broken_is_told(bench: Bench) -> None:
    """R26: a push that nobody heard does not come again, so the flags are read again."""
    assert bench.break_connection is not None, "a feature"
    runs = [bench.run_id() for _ in range(3)]
    for run in runs:
        await bench.first.aregister_run(run)
    told: list[CancelIntent] = []
    async with anyio.create_task_group() as group:
        group.start_soon(bench.first.watch, lambda: runs, told.append)
        await until(lambda: bench.first.health().watching)
        for run in runs:
            await bench.break_connection(bench.first)
            await bench.second.acancel_run(run)
            await until(lambda: any(intent.run_id == run for intent in told))  # noqa: B023 - awaited at once
        group.cancel_scope.cancel()
    same([intent.run_id for intent in told], runs, "what watch() told of cancels while the connection was broken")


def _calls(manager: CancellationManager, run: str) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
    """Every kind of call to a store, in the order of a run's life."""
    return [
        ("enroll()", lambda: manager.enroll(run, owner="me")),
        ("renew()", lambda: manager.renew([run], owner="me")),
        ("intents()", lambda: manager.intents([run])),
        ("request_cancel()", lambda: manager.request_cancel(run, reason="why")),
        ("aget_active_runs()", manager.aget_active_runs),
        ("runs()", manager.runs),
        ("acleanup_run()", lambda: manager.acleanup_run(run, owner="me")),
    ]


LOOP_CLAUSES: tuple[tuple[Clause, tuple[Feature, ...]], ...] = (
    (no_call_stops_the_event_loop, ()),
    (a_call_that_is_cut_ends_at_once_and_leaves_the_manager_usable, ()),
    (a_watch_that_is_cut_can_be_begun_again, ()),
    (what_was_cancelled_while_the_connection_was_broken_is_told, ("breakable",)),
)
"""Each with the features without which it says nothing."""
