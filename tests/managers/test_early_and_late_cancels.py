"""A cancel that comes before its run is kept for it; one that comes after it touches nothing."""

from __future__ import annotations

import anyio

from actors import InMemoryCancellationManager
from tests._support import Call, Doer, Gate, Hang, quiet
from tests.managers._doubles import Held, Store


def never(_actor):
    raise AssertionError("the reply of a run that was cancelled before it began has begun")


async def test_a_run_that_was_cancelled_before_it_was_registered_is_answered_without_having_begun(system, store):
    """Promise 4: by handle_interrupt, with started=False; not even the reply's first step is taken."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=store.manager)
    assert store.cancel("run", reason="never mind", by="anna") == "stored"
    interruption = await ref.ask(never, run_id="run")
    assert (interruption.run_id, interruption.source) == ("run", "manager")
    assert (interruption.reason, interruption.by) == ("never mind", "anna")
    assert (interruption.started, interruption.partial) == (False, ())
    assert actor.handled == [interruption]
    assert store.active() == {}
    assert ref.statistics().interrupted == 1


async def test_the_early_cancel_is_used_up_by_the_run_that_it_has_met(system, store):
    """R2, R22: the next run with that id does not die of an old stop."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=store.manager)
    assert store.cancel("run") == "stored"
    assert (await ref.ask(never, run_id="run")).started is False
    assert await ref.ask("again", run_id="run") == "again"
    assert (len(actor.handled), store.active()) == (1, {})


async def test_the_cancel_of_a_queued_run_takes_effect_at_its_turn(system, store):
    """Promise 4: a run is registered just before its first step, so until then the cancel waits in the store."""
    actor, gate = Doer(), Gate()
    ref = await system.spawn(actor, cancellation=store.manager)
    current = await ref.request(gate, run_id="current")
    await gate.began.wait()
    before, queued = await ref.request("before"), await ref.request(never, run_id="queued")
    assert store.cancel("queued", reason="no need") == "stored"
    assert store.active() == {"current": False}
    await quiet()
    assert (current.status, queued.status) == ("running", "queued")
    gate.open()
    assert [await current, await before] == ["opened", "before"]
    interruption = await queued
    assert (interruption.started, interruption.reason) == (False, "no need")
    assert len(actor.handled) == 1


async def test_a_queued_run_that_is_cancelled_and_interrupted_is_answered_once(system, memory):
    """Promise 3, promise 4: the interrupt is quicker, since it needs no turn of its own."""
    actor, gate = Doer(), Gate()
    ref = await system.spawn(actor, cancellation=memory.manager)
    await ref.request(gate)
    await gate.began.wait()
    queued = await ref.request(never, run_id="queued")
    memory.cancel("queued", reason="through the manager")
    assert ref.interrupt_nowait("by hand", run_id="queued")
    gate.open()
    interruption = await queued
    assert (interruption.started, interruption.source, interruption.reason) == (False, "caller", "by hand")
    assert len(actor.handled) == 1


async def test_a_late_cancel_is_answered_finished_and_touches_nothing(system, store):
    """R22: neither the run that has ended nor the actor, whatever it does by now."""
    actor, gate = Doer(), Gate()
    ref = await system.spawn(actor, cancellation=store.manager)
    assert await ref.ask("done", run_id="run") == "done"
    other = await ref.request(gate, run_id="other")
    await gate.began.wait()
    assert store.elsewhere.cancel_run("run") is False
    assert store.cancel("run") == "finished"
    assert not store.elsewhere.is_cancelled("run")
    assert store.active() == {"other": False}
    await quiet()
    assert other.status == "running"
    gate.open()
    assert await other == "opened"
    assert actor.handled == []


async def test_a_late_cancel_of_an_interrupted_run_is_answered_finished_too(system, store):
    """R22: the tombstone is left in whatever way the run has ended."""
    ref = await system.spawn(Doer(), cancellation=store.manager)
    hang = Hang()
    run = await ref.request(hang, run_id="run")
    await hang.began.wait()
    assert store.cancel("run") == "registered"
    await run
    assert store.cancel("run") == "finished"
    assert await ref.ask("again", run_id="run") == "again"


async def test_a_cancel_that_came_too_late_for_one_run_is_not_meant_for_the_next_with_that_id(system):
    """R2, R22: it was stored in time and read in time, but the run had ended, and another begun, when the answer came."""
    actor, gates, manager = Doer(), [Gate(), Gate()], Held()
    ref = await system.spawn(actor, cancellation=manager)
    old = await ref.request(gates[0], run_id="run")
    await gates[0].began.wait()
    await quiet()
    manager.held.add(".intents")
    assert manager.server.runs.cancel_run("run", reason="meant for the old one")
    manager.server.push("run")
    await manager.arrived.wait()
    gates[0].open()
    assert await old == "opened"
    new = await ref.request(gates[1], run_id="run")
    await gates[1].began.wait()
    manager.let_go()
    await quiet()
    assert (new.status, actor.handled) == ("running", [])
    gates[1].open()
    assert await new == "opened"


async def test_the_same_run_id_works_again_after_a_late_cancel_and_can_be_cancelled_again(system, store):
    """R22: registering clears the tombstone."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=store.manager)
    assert await ref.ask("first", run_id="run") == "first"
    assert store.cancel("run", reason="too late") == "finished"
    assert await ref.ask("second", run_id="run") == "second"
    assert actor.handled == []
    hang = Hang()
    run = await ref.request(hang, run_id="run")
    await hang.began.wait()
    assert store.active() == {"run": False}
    assert store.cancel("run", reason="in time") == "registered"
    assert (await run).reason == "in time"


async def test_the_same_run_id_can_be_interrupted_many_times_in_a_row(system, store):
    """R22: each run with that id hears of its own cancel, and of no other's."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=store.manager)
    for number in range(5):
        hang = Hang()
        run = await ref.request(hang, run_id="run")
        await hang.began.wait()
        assert store.cancel("run", reason=f"number {number}") == "registered"
        assert (await run).reason == f"number {number}"
    assert [interruption.reason for interruption in actor.handled] == [f"number {number}" for number in range(5)]
    assert await ref.ask("at last", run_id="run") == "at last"


async def test_an_intent_that_has_expired_stops_nothing(system):
    """R22: a cancel waits for its run as long as the manager says, and no longer."""
    now = 0.0
    manager = InMemoryCancellationManager(intent_ttl=60, clock=lambda: now)
    store = Store(manager, manager)
    ref = await system.spawn(Doer(), cancellation=manager)
    assert [store.cancel("in time"), store.cancel("too old")] == ["stored"] * 2
    now = 59.0
    assert (await ref.ask(never, run_id="in time")).started is False
    now = 61.0
    assert await ref.ask("went on", run_id="too old") == "went on"


async def test_the_early_cancel_of_an_ask_in_an_ask_stops_only_the_one_below(system, memory):
    """R11: the asker gets the interrupted reply, and goes on."""
    child = await system.spawn(Doer(), cancellation=memory.manager)
    parent = await system.spawn(Doer(), cancellation=memory.manager)
    memory.cancel("child", reason="not that one")

    async def asks(_actor):
        return [await child.ask(never, run_id="child"), await child.ask("the other")]

    async with anyio.create_task_group() as group:
        first, second = await Call(group, parent.ask, asks).result()
    assert (first.started, first.reason, second) == (False, "not that one", "the other")
    assert parent.statistics().completed == 1
