"""How a cancellation manager is used: watched, called from synchronous code, opened and closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import attrs
from anyio import to_thread

from actors._cancellation._local import LocalCancellationManager
from actors._cancellation._manager import CancellationManager
from actors._compat import override
from actors._errors import BlockingCallError, RunCancelledError, WrongLoopError
from actors.testing._bench import must, refused, same, until
from actors.testing._manager_cuts import CUT_CLAUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from actors._cancellation._intent import CancelIntent, CancelResult
    from actors.testing._bench import Bench, Clause, Feature


async def watching_tells_of_each_cancelled_run_once(bench: Bench) -> None:
    runs, strange = [bench.run_id() for _ in range(3)], bench.run_id()
    for run in (*runs, strange):
        await bench.first.aregister_run(run)
    await bench.second.acancel_run(runs[0], reason="before")
    told = await _watched(bench, bench.first, runs, cancel=[strange, runs[1], runs[1], runs[2]])
    same(sorted(intent.run_id for intent in told), sorted(runs), "the runs that watch() told of")
    if "reasons" in bench.has:
        same({intent.reason for intent in told}, {"before", "while watching"}, "the reasons that watch() told")


async def watching_tells_again_of_a_new_run_with_an_old_id(bench: Bench) -> None:
    run, last = bench.run_id(), bench.run_id()
    await bench.first.aregister_run(last)
    told: list[CancelIntent] = []
    async with anyio.create_task_group() as group:
        group.start_soon(bench.first.watch, lambda: [run, last], told.append)
        for life in range(1, 3):
            await bench.first.aregister_run(run)
            await bench.second.acancel_run(run, reason=f"life {life}")
            await until(lambda: len(told) >= life)  # noqa: B023 - awaited at once
            await bench.first.acleanup_run(run)
        await bench.second.acancel_run(last)
        await until(lambda: any(intent.run_id == last for intent in told))
        group.cancel_scope.cancel()
    same([intent.run_id for intent in told], [run, run, last], "what watch() told of two runs with one id, and another")


async def a_cancel_is_found_even_if_no_push_arrives(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    told = await _watched(bench, _Deaf(bench.first), [run], cancel=[run])
    same([intent.run_id for intent in told], [run], "the runs that watch() told of without a push")


async def the_synchronous_twins_do_the_same(bench: Bench) -> None:
    run, manager = bench.run_id(), bench.first

    def all_of_them() -> None:
        manager.register_run(run)
        same(manager.get_active_runs().get(run), expected=False, what="get_active_runs() of a registered run")
        same(manager.is_cancelled(run), expected=False, what="is_cancelled() of a registered run")
        manager.raise_if_cancelled(run)
        same(manager.cancel_run(run, reason="why", by="who"), expected=True, what="cancel_run() of a registered run")
        same(manager.request_cancel_sync(run).outcome, "registered", "the outcome of request_cancel_sync()")
        same(manager.is_cancelled(run), expected=True, what="is_cancelled() of a cancelled run")
        try:
            manager.raise_if_cancelled(run)
        except RunCancelledError:
            pass
        else:
            raise AssertionError("raise_if_cancelled() of a cancelled run must raise RunCancelledError")
        manager.cleanup_run(run)
        must(run not in manager.get_active_runs(), "a run is listed as active after cleanup_run()")

    await to_thread.run_sync(all_of_them)
    if isinstance(manager, LocalCancellationManager):
        all_of_them()  # memory and local files may be touched on a running event loop
        return
    try:
        manager.is_cancelled(run)
    except BlockingCallError:
        return
    raise AssertionError("a synchronous method that may wait for a network must refuse to stop a running event loop")


async def an_open_manager_refuses_a_second_event_loop(bench: Bench) -> None:
    run = bench.run_id()

    async def elsewhere() -> None:
        await refused(bench.first.ais_cancelled(run), WrongLoopError, "using an open manager on a second event loop")
        await refused(bench.first.__aenter__(), WrongLoopError, "opening an open manager on a second event loop")

    await to_thread.run_sync(lambda: anyio.run(elsewhere))


async def it_stays_open_until_the_last_user_leaves(bench: Bench) -> None:
    run = bench.run_id()
    async with bench.first:
        await bench.first.aregister_run(run)
    must(run in await bench.first.aget_active_runs(), "the manager was closed although one user was left")
    must(bench.first.health(), "the manager answers, and must be healthy")


async def _watched(
    bench: Bench, manager: CancellationManager, runs: list[str], cancel: list[str]
) -> list[CancelIntent]:
    """What a watch on some runs tells while others are cancelled."""
    told: list[CancelIntent] = []
    async with anyio.create_task_group() as group:
        group.start_soon(manager.watch, lambda: runs, told.append)
        for run in cancel:
            await bench.second.acancel_run(run, reason="while watching")
        await until(lambda: {intent.run_id for intent in told} >= set(runs))
        group.cancel_scope.cancel()
    return told


@attrs.define(eq=False, slots=False)
class _Deaf(CancellationManager):
    """A manager whose subscription never hears anything."""

    inner: CancellationManager
    safety_period: float = 0.02

    @override
    async def enroll(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        return await self.inner.enroll(run_id, owner=owner)

    @override
    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        return await self.inner.request_cancel(run_id, reason=reason, by=by)

    @override
    async def intents(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        return await self.inner.intents(run_ids)

    @override
    async def acleanup_run(self, run_id: str, *, owner: str = "") -> None:
        await self.inner.acleanup_run(run_id, owner=owner)

    @override
    async def aget_active_runs(self) -> dict[str, bool]:
        return await self.inner.aget_active_runs()

    @override
    async def listen(self, hint: Callable[[str | None], None]) -> None:
        await anyio.sleep_forever()


USE_CLAUSES: tuple[tuple[Clause, tuple[Feature, ...]], ...] = (
    (watching_tells_of_each_cancelled_run_once, ()),
    (watching_tells_again_of_a_new_run_with_an_old_id, ()),
    (a_cancel_is_found_even_if_no_push_arrives, ()),
    (the_synchronous_twins_do_the_same, ("synchronous",)),
    (an_open_manager_refuses_a_second_event_loop, ()),
    (it_stays_open_until_the_last_user_leaves, ()),
    *CUT_CLAUSES,
)
"""Each with the features without which it says nothing."""
