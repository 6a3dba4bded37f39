"""What ends by itself in a cancellation manager: tombstones, intents, leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.testing._bench import must, same

if TYPE_CHECKING:
    from actors.testing._bench import Bench, Clause, Feature


async def a_late_cancel_is_answered_finished_and_stores_nothing(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.aregister_run(run)
    await bench.first.acleanup_run(run)
    result = await bench.second.request_cancel(run, reason="late")
    same((result.outcome, bool(result)), ("finished", False), "the outcome and truth of a late cancel")
    same(await bench.first.ais_cancelled(run), expected=False, what="ais_cancelled() after a late cancel")
    same(await bench.first.enroll(run), None, "enroll() of the same id after a late cancel")


async def a_tombstone_fades(bench: Bench) -> None:
    run = bench.run_id()
    await bench.first.acleanup_run(run)
    await bench.advance((bench.first.tombstone or 0) * 1.1)
    same(
        (await bench.first.request_cancel(run)).outcome, "stored", "the outcome of a cancel after the tombstone's time"
    )


async def an_intent_expires(bench: Bench) -> None:
    manager, run = bench.first, bench.run_id()
    await manager.acancel_run(run)
    await bench.advance((manager.intent_ttl or 0) * 1.1)
    same(await manager.ais_cancelled(run), expected=False, what="ais_cancelled() after the intent's time")
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
    same(
        await manager.ais_cancelled(run),
        expected=True,
        what="ais_cancelled() of a registered run after the time of an intent",
    )


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
    same(
        (await bench.second.request_cancel(run)).outcome,
        "registered",
        "the outcome of a cancel while the lease is renewed",
    )


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


TIME_CLAUSES: tuple[tuple[Clause, tuple[Feature, ...]], ...] = (
    (a_late_cancel_is_answered_finished_and_stores_nothing, ("tombstones",)),
    (a_tombstone_fades, ("tombstones", "early_cancels")),
    (an_intent_expires, ("expiry",)),
    (the_cancel_of_a_registered_run_does_not_expire, ("expiry",)),
    (a_lease_that_nobody_renews_ends_the_registration, ("leases",)),
    (a_renewed_lease_goes_on, ("leases",)),
    (renewing_brings_back_what_the_store_has_lost_but_not_what_is_over, ("leases",)),
)
"""Each with the features without which it says nothing."""
