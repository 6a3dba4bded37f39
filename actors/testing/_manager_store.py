"""What a cancellation manager's store promises: registering, cancelling, cleaning up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from actors._errors import DuplicateRunError, RunCancelledError
from actors.testing._bench import must, refused, same

if TYPE_CHECKING:
    from actors.testing._bench import Bench, Clause, Feature

ODD_IDS = ("", " ", "a b", "tab\tnewline\n", "\"quoted\" 'twice'", "ünïcödé ☂ 𝄞", "a/b:c*{d}?e", ".", "..", "x" * 1000)
CLOCK_SKEW = 60.0
"""Seconds by which the clock of a store may be off."""


async def an_unknown_run_is_neither_active_nor_cancelled(bench: Bench) -> None:
    manager, run = bench.first, bench.run_id()
    same(await manager.ais_cancelled(run), expected=False, what="ais_cancelled() of an unknown run")
    same(await manager.intents([run]), {}, "intents() of an unknown run")
    must(run not in await manager.aget_active_runs(), "an unknown run is listed as active")
    await manager.araise_if_cancelled(run)


async def a_registered_run_is_active_and_not_cancelled(bench: Bench) -> None:
    manager, run = bench.first, bench.run_id()
    same(await manager.enroll(run), None, "enroll() of a run that nobody cancelled")
    same(
        (await bench.second.aget_active_runs()).get(run), expected=False, what="aget_active_runs() of a registered run"
    )
    same(await bench.second.ais_cancelled(run), expected=False, what="ais_cancelled() of a registered run")


async def a_cancel_of_a_registered_run_is_seen_by_everybody(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    result = await bench.second.request_cancel(run, reason="why", by="who")
    same(result.outcome, "registered", "the outcome of cancelling a registered run")
    must(result, "the result of cancelling a registered run must be true")
    for manager in (bench.first, bench.second):
        same(await manager.ais_cancelled(run), expected=True, what="ais_cancelled() of a cancelled run")
        same((await manager.aget_active_runs()).get(run), expected=True, what="aget_active_runs() of a cancelled run")
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
    same(await bench.first.acancel_run(run, reason="second"), expected=True, what="acancel_run() of a cancelled run")
    same(await bench.first.intents([run]), before, "an intent after a second cancel")


async def a_cancel_that_comes_before_its_run_is_kept_for_it(bench: Bench) -> None:
    run = bench.run_id()
    result = await bench.second.request_cancel(run, reason="early", by="who")
    same(result.outcome, "stored", "the outcome of cancelling a run that is not registered")
    must(not result, "the result of cancelling a run that is not registered must be false")
    same(await bench.first.ais_cancelled(run), expected=True, what="ais_cancelled() of a run that was cancelled early")
    intent = await bench.first.enroll(run)
    must(intent is not None, "enroll() must return the intent that came first")
    if "reasons" in bench.has and intent is not None:
        same((intent.reason, intent.by), ("early", "who"), "reason and author of an early cancel")
    same(
        (await bench.first.aget_active_runs()).get(run),
        expected=True,
        what="a run that was cancelled early, once it is registered",
    )


async def a_cancel_without_a_run_is_no_run(bench: Bench) -> None:
    run = bench.run_id()
    for _ in range(2):
        same(await bench.second.acancel_run(run), expected=False, what="acancel_run() of a run that is not registered")
    must(run not in await bench.first.aget_active_runs(), "an intent without a run is listed as active")


async def a_second_registration_is_refused(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    for manager in (bench.first, bench.second):
        await refused(manager.aregister_run(run), DuplicateRunError, "registering a registered run")
        await refused(manager.enroll(run, owner="me"), DuplicateRunError, "registering somebody else's run")
    same(
        (await bench.first.aget_active_runs()).get(run),
        expected=False,
        what="a run after somebody else tried to register it",
    )


async def an_owner_may_ask_again_for_an_answer_that_was_lost(bench: Bench) -> None:
    run = bench.run_id()
    same(await bench.first.enroll(run, owner="me"), None, "enroll()")
    same(await bench.first.enroll(run, owner="me"), None, "enroll() again by the same owner")
    await bench.second.acancel_run(run)
    must(
        await bench.first.enroll(run, owner="me") is not None,
        "enrolling again must return the cancel that came meanwhile",
    )
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
        same(await bench.second.ais_cancelled(run), expected=False, what="ais_cancelled() after acleanup_run()")
        must(run not in await bench.second.aget_active_runs(), "a run is listed as active after acleanup_run()")


async def nobody_cleans_up_the_run_of_another_owner(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.enroll(run, owner="me")
    await bench.first.acleanup_run(run, owner="you")
    must(run in await bench.first.aget_active_runs(), "acleanup_run() with another owner must do nothing")
    await bench.first.acleanup_run(run, owner="me")
    must(run not in await bench.first.aget_active_runs(), "acleanup_run() with the right owner must work")


async def a_new_run_with_an_old_id_can_be_cancelled(bench: Bench) -> None:
    run = bench.run_id()
    for life in range(3):
        same(await bench.first.enroll(run), None, f"enroll() of run {life + 1} with that id")
        same(await bench.second.acancel_run(run), expected=True, what=f"acancel_run() of run {life + 1} with that id")
        await bench.first.acleanup_run(run)


async def any_text_is_a_run_id(bench: Bench) -> None:
    for odd in ODD_IDS:
        run = bench.run_id(odd)
        await bench.first.aregister_run(run)
        same(await bench.second.acancel_run(run), expected=True, what=f"acancel_run() of {run!r}")
        same(list(await bench.first.intents([run])), [run], f"intents() of {run!r}")
        same((await bench.first.aget_active_runs()).get(run), expected=True, what=f"aget_active_runs() of {run!r}")
        await bench.first.acleanup_run(run)


async def listing_runs_says_what_is_known_of_them(bench: Bench) -> None:
    run, cancelled = bench.run_id(), bench.run_id()
    before = time.time() - CLOCK_SKEW
    await bench.first.enroll(run, owner="host/1/me")
    await bench.first.enroll(cancelled, owner="host/1/me")
    await bench.second.acancel_run(cancelled, reason="why", by="who")
    listed = {record.run_id: record for record in await bench.second.runs()}
    same({run, cancelled} - listed.keys(), set[str](), "what runs() does not list of the registered runs")
    for record in (listed[run], listed[cancelled]):
        must(
            record.registered_at is None
            or bench.time_is_set
            or before < record.registered_at < time.time() + CLOCK_SKEW,
            f"runs() tells that a run is registered since {record.registered_at}, and it is {time.time()}",
        )
    same(listed[run].owner, listed[cancelled].owner, "the owner that runs() tells of another run of the same owner")
    same((listed[run].cancelled, listed[run].intent), (False, None), "what runs() tells of a run that is not cancelled")
    same(listed[cancelled].cancelled, expected=True, what="what runs() tells of a cancelled run")
    intent = listed[cancelled].intent
    if "reasons" in bench.has and intent is not None:
        same((intent.reason, intent.by), ("why", "who"), "reason and author in runs()")


STORE_CLAUSES: tuple[tuple[Clause, tuple[Feature, ...]], ...] = (
    (an_unknown_run_is_neither_active_nor_cancelled, ()),
    (a_registered_run_is_active_and_not_cancelled, ()),
    (a_cancel_of_a_registered_run_is_seen_by_everybody, ()),
    (reason_and_author_come_with_a_cancel, ("reasons",)),
    (cancelling_again_changes_nothing, ()),
    (a_cancel_that_comes_before_its_run_is_kept_for_it, ("early_cancels",)),
    (a_cancel_without_a_run_is_no_run, ("early_cancels", "intents_apart")),
    (a_second_registration_is_refused, ("duplicates",)),
    (an_owner_may_ask_again_for_an_answer_that_was_lost, ()),
    (one_of_many_who_register_at_once_wins, ("duplicates",)),
    (cleaning_up_forgets_the_run_and_its_cancel, ()),
    (nobody_cleans_up_the_run_of_another_owner, ()),
    (a_new_run_with_an_old_id_can_be_cancelled, ()),
    (any_text_is_a_run_id, ()),
    (listing_runs_says_what_is_known_of_them, ()),
)
"""Each with the features without which it says nothing."""
