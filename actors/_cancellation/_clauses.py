"""The contract of a cancellation manager, clause by clause. The name of each function is the clause."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal, TypeAlias

import anyio
import attrs
from anyio import to_thread

from actors._cancellation._intent import CancelIntent
from actors._cancellation._local import LocalCancellationManager
from actors._cancellation._manager import CancellationManager
from actors._errors import BlockingCallError, DuplicateRunError, RunCancelledError, WrongLoopError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

Feature: TypeAlias = Literal[
    "reasons", "early_cancels", "duplicates", "shared", "synchronous", "tombstones", "expiry", "leases"
]
"""What a manager can have or lack: reason and author are kept; the cancel of an unknown run is; a second registration is
refused; several managers see one store; it has synchronous twins; tombstones; intents expire; registrations have leases."""

PATIENCE = 10.0
"""Seconds after which something that should have happened has not."""
ODD_IDS = ("", " ", "a b", "tab\tnewline\n", "\"quoted\" 'twice'", "ünïcödé ☂ 𝄞", "a/b:c*{d}?e", ".", "..", "x" * 1000)


@attrs.define(eq=False)
class Bench:
    """What a clause works with.

    Args:
        first: an open manager.
        second: another one over the same store; the same one if the store is not shared.
        has: the features to insist on.
        advance: lets that many seconds pass, for the store.
    """

    first: CancellationManager
    second: CancellationManager
    has: frozenset[Feature]
    advance: Callable[[float], Awaitable[None]]
    used: list[str] = attrs.field(factory=list[str])
    _ids: Iterator[int] = attrs.field(factory=itertools.count)

    def run_id(self, like: str = "run") -> str:
        """An id that no other clause uses."""
        self.used.append(f"{like}-{next(self._ids)}-{id(self):x}")
        return self.used[-1]

    async def tidy_up(self) -> None:
        """Leave no run behind."""
        for run_id in self.used:
            await self.first.acleanup_run(run_id)


def must(condition: object, text: str) -> None:
    """Fail with a text that says what is wrong."""
    if not condition:
        raise AssertionError(text)


def same(found: object, expected: object, what: str) -> None:
    """Fail unless two things are equal."""
    must(found == expected, f"{what} is {found!r}, and must be {expected!r}")


async def refused(call: Awaitable[object], kind: type[Exception], what: str) -> None:
    """Fail unless a call raises an error of a kind."""
    try:
        answer = await call
    except kind:
        return
    raise AssertionError(f"{what} must raise {kind.__name__}, and returned {answer!r}")


async def an_unknown_run_is_neither_active_nor_cancelled(bench: Bench) -> None:
    manager, run = bench.first, bench.run_id()
    same(await manager.ais_cancelled(run), False, "ais_cancelled() of an unknown run")
    same(await manager.intents([run]), {}, "intents() of an unknown run")
    must(run not in await manager.aget_active_runs(), "an unknown run is listed as active")
    await manager.araise_if_cancelled(run)


async def a_registered_run_is_active_and_not_cancelled(bench: Bench) -> None:
    manager, run = bench.first, bench.run_id()
    same(await manager.enroll(run), None, "enroll() of a run that nobody cancelled")
    same((await bench.second.aget_active_runs()).get(run), False, "aget_active_runs() of a registered run")
    same(await bench.second.ais_cancelled(run), False, "ais_cancelled() of a registered run")


async def a_cancel_of_a_registered_run_is_seen_by_everybody(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    result = await bench.second.request_cancel(run, reason="why", by="who")
    same(result.outcome, "registered", "the outcome of cancelling a registered run")
    must(result, "the result of cancelling a registered run must be true")
    for manager in (bench.first, bench.second):
        same(await manager.ais_cancelled(run), True, "ais_cancelled() of a cancelled run")
        same((await manager.aget_active_runs()).get(run), True, "aget_active_runs() of a cancelled run")
        same(list(await manager.intents([run, "another"])), [run], "intents() of a cancelled run and another")
    await refused(bench.first.araise_if_cancelled(run), RunCancelledError, "araise_if_cancelled() of a cancelled run")


async def reason_and_author_come_with_a_cancel(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    await bench.second.acancel_run(run, reason="why ☂", by="who")
    intent = (await bench.first.intents([run]))[run]
    same((intent.run_id, intent.reason, intent.by), (run, "why ☂", "who"), "run id, reason and author of an intent")
    try:
        await bench.first.araise_if_cancelled(run)
    except RunCancelledError as error:
        same((error.run_id, error.reason, error.by), (run, "why ☂", "who"), "what RunCancelledError carries")


async def cancelling_again_changes_nothing(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    await bench.first.acancel_run(run, reason="first")
    before = await bench.first.intents([run])
    same(await bench.first.acancel_run(run, reason="second"), True, "acancel_run() of a cancelled run")
    same(await bench.first.intents([run]), before, "an intent after a second cancel")


async def a_cancel_that_comes_before_its_run_is_kept_for_it(bench: Bench) -> None:
    run = bench.run_id()
    result = await bench.second.request_cancel(run, reason="early", by="who")
    same(result.outcome, "stored", "the outcome of cancelling a run that is not registered")
    must(not result, "the result of cancelling a run that is not registered must be false")
    same(await bench.second.acancel_run(run), False, "acancel_run() of a run that is not registered")
    same(await bench.first.ais_cancelled(run), True, "ais_cancelled() of a run that was cancelled early")
    must(run not in await bench.first.aget_active_runs(), "an intent without a run is listed as active")
    intent = await bench.first.enroll(run)
    must(intent is not None, "enroll() must return the intent that came first")
    if "reasons" in bench.has and intent is not None:
        same((intent.reason, intent.by), ("early", "who"), "reason and author of an early cancel")
    same((await bench.first.aget_active_runs()).get(run), True, "a run that was cancelled early, once it is registered")


async def a_second_registration_is_refused(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    for manager in (bench.first, bench.second):
        await refused(manager.aregister_run(run), DuplicateRunError, "registering a registered run")
        await refused(manager.enroll(run, owner="me"), DuplicateRunError, "registering somebody else's run")
    same((await bench.first.aget_active_runs()).get(run), False, "a run after somebody else tried to register it")


async def an_owner_may_ask_again_for_an_answer_that_was_lost(bench: Bench) -> None:
    run = bench.run_id()
    same(await bench.first.enroll(run, owner="me"), None, "enroll()")
    same(await bench.first.enroll(run, owner="me"), None, "enroll() again by the same owner")
    await bench.second.acancel_run(run)
    must(await bench.first.enroll(run, owner="me") is not None, "enrolling again must return the cancel that came meanwhile")
    if "duplicates" in bench.has:
        await refused(bench.first.enroll(run, owner="you"), DuplicateRunError, "enroll() by another owner")


async def one_of_many_who_register_at_once_wins(bench: Bench) -> None:
    run, won, lost = bench.run_id(), list[int](), list[int]()

    async def register(number: int) -> None:
        manager = bench.first if number % 2 else bench.second
        try:
            await manager.enroll(run, owner=f"owner {number}")
        except DuplicateRunError:
            lost.append(number)
        else:
            won.append(number)

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(register, number)
    same((len(won), len(lost)), (1, 19), "winners and losers of twenty registrations of one run")


async def cleaning_up_forgets_the_run_and_its_cancel(bench: Bench) -> None:
    manager, run = bench.first, bench.run_id()
    await manager.acleanup_run(run)
    await manager.aregister_run(run)
    await manager.acancel_run(run)
    for _ in range(2):
        await manager.acleanup_run(run)
        same(await bench.second.ais_cancelled(run), False, "ais_cancelled() after acleanup_run()")
        must(run not in await bench.second.aget_active_runs(), "a run is listed as active after acleanup_run()")


async def nobody_cleans_up_the_run_of_another_owner(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.enroll(run, owner="me")
    await bench.first.acleanup_run(run, owner="you")
    must(run in await bench.first.aget_active_runs(), "acleanup_run() with another owner must do nothing")
    await bench.first.acleanup_run(run, owner="me")
    must(run not in await bench.first.aget_active_runs(), "acleanup_run() with the right owner must work")


async def a_late_cancel_is_answered_finished_and_stores_nothing(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    await bench.first.acleanup_run(run)
    result = await bench.second.request_cancel(run, reason="late")
    same((result.outcome, bool(result)), ("finished", False), "the outcome and truth of a late cancel")
    same(await bench.first.ais_cancelled(run), False, "ais_cancelled() after a late cancel")
    same(await bench.first.enroll(run), None, "enroll() of the same id after a late cancel")


async def a_new_run_with_an_old_id_can_be_cancelled(bench: Bench) -> None:
    run = bench.run_id()
    for life in range(3):
        same(await bench.first.enroll(run), None, f"enroll() of run {life + 1} with that id")
        same(await bench.second.acancel_run(run), True, f"acancel_run() of run {life + 1} with that id")
        await bench.first.acleanup_run(run)


async def a_tombstone_fades(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.acleanup_run(run)
    await bench.advance((bench.first.tombstone or 0) * 1.1)
    same((await bench.first.request_cancel(run)).outcome, "stored", "the outcome of a cancel after the tombstone's time")


async def an_intent_expires(bench: Bench) -> None:
    manager, run = bench.first, bench.run_id()
    await manager.acancel_run(run)
    await bench.advance((manager.intent_ttl or 0) * 1.1)
    same(await manager.ais_cancelled(run), False, "ais_cancelled() after the intent's time")
    same(await manager.enroll(run), None, "enroll() after the intent's time")


async def the_cancel_of_a_registered_run_does_not_expire(bench: Bench) -> None:
    manager, run = bench.first, bench.run_id()
    await manager.enroll(run, owner="me")
    await manager.acancel_run(run)
    left = (manager.intent_ttl or 0) * 1.1
    step = left if manager.lease is None else manager.lease / 2
    while left > 0:
        await bench.advance(min(step, left))
        await manager.renew([run], owner="me")
        left -= step
    same(await manager.ais_cancelled(run), True, "ais_cancelled() of a registered run after the time of an intent")


async def a_lease_that_nobody_renews_ends_the_registration(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.enroll(run, owner="me")
    await bench.advance((bench.first.lease or 0) * 1.1)
    result = await bench.second.request_cancel(run)
    same((result.outcome, bool(result)), ("owner_gone", False), "the outcome and truth of a cancel after the lease")
    must(run not in await bench.second.aget_active_runs(), "a run is listed as active after its lease")
    same(await bench.second.enroll(run, owner="you"), None, "enroll() by another owner after the lease")


async def a_renewed_lease_goes_on(bench: Bench) -> None:
    run, lease = bench.run_id(), bench.first.lease or 0
    await bench.first.enroll(run, owner="me")
    for _ in range(3):
        await bench.advance(lease * 0.6)
        await bench.first.renew([run], owner="me")
    same((await bench.second.request_cancel(run)).outcome, "registered", "the outcome of a cancel while the lease is renewed")


async def renewing_brings_back_what_the_store_has_lost_but_not_what_is_over(bench: Bench) -> None:
    lost, over, others = bench.run_id(), bench.run_id(), bench.run_id()
    await bench.first.acleanup_run(over)
    await bench.second.enroll(others, owner="you")
    await bench.first.renew([lost, over, others], owner="me")
    active = await bench.first.aget_active_runs()
    must(lost in active, "renew() must register a run again that the store has lost")
    must("tombstones" not in bench.has or over not in active, "renew() must not bring back a run that has a tombstone")
    await bench.first.acleanup_run(others, owner="me")
    must(others in await bench.first.aget_active_runs(), "renew() must leave the runs of other owners alone")


async def any_text_is_a_run_id(bench: Bench) -> None:
    for odd in ODD_IDS:
        run = bench.run_id(odd)
        await bench.first.aregister_run(run)
        same(await bench.second.acancel_run(run), True, f"acancel_run() of {run!r}")
        same(list(await bench.first.intents([run])), [run], f"intents() of {run!r}")
        same((await bench.first.aget_active_runs()).get(run), True, f"aget_active_runs() of {run!r}")
        await bench.first.acleanup_run(run)


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
            await _until(lambda: len(told) >= life)  # noqa: B023 - awaited at once
            await bench.first.acleanup_run(run)
        await bench.second.acancel_run(last)
        await _until(lambda: any(intent.run_id == last for intent in told))
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
        same(manager.get_active_runs().get(run), False, "get_active_runs() of a registered run")
        same(manager.is_cancelled(run), False, "is_cancelled() of a registered run")
        manager.raise_if_cancelled(run)
        same(manager.cancel_run(run, reason="why", by="who"), True, "cancel_run() of a registered run")
        same(manager.request_cancel_sync(run).outcome, "registered", "the outcome of request_cancel_sync()")
        same(manager.is_cancelled(run), True, "is_cancelled() of a cancelled run")
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


async def _until(condition: Callable[[], object]) -> None:
    """Wait for what a watch will bring about; a failure shows in what is compared afterwards."""
    with anyio.move_on_after(PATIENCE):
        while not condition():
            await anyio.sleep(0.001)


async def _watched(bench: Bench, manager: CancellationManager, runs: list[str], cancel: list[str]) -> list[CancelIntent]:
    """What a watch on some runs tells while others are cancelled."""
    told: list[CancelIntent] = []
    async with anyio.create_task_group() as group:
        group.start_soon(manager.watch, lambda: runs, told.append)
        for run in cancel:
            await bench.second.acancel_run(run, reason="while watching")
        await _until(lambda: {intent.run_id for intent in told} >= set(runs))
        group.cancel_scope.cancel()
    return told


@attrs.define(eq=False, slots=False)
class _Deaf(CancellationManager):
    """A manager whose subscription never hears anything."""

    inner: CancellationManager
    safety_period: float = 0.02

    async def enroll(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        return await self.inner.enroll(run_id, owner=owner)

    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None):
        return await self.inner.request_cancel(run_id, reason=reason, by=by)

    async def intents(self, run_ids) -> dict[str, CancelIntent]:
        return await self.inner.intents(run_ids)

    async def acleanup_run(self, run_id: str, *, owner: str = "") -> None:
        await self.inner.acleanup_run(run_id, owner=owner)

    async def aget_active_runs(self) -> dict[str, bool]:
        return await self.inner.aget_active_runs()

    async def listen(self, hint) -> None:  # noqa: ARG002 - that is the point
        await anyio.sleep_forever()


Clause: TypeAlias = "Callable[[Bench], Awaitable[None]]"
