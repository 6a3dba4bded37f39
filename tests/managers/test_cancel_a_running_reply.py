"""A cancel through the manager interrupts the running reply at once, and says who wanted it and why."""

from __future__ import annotations

import logging

import anyio
import pytest

from actors import Interrupted
from tests._support import Call, Doer, Gate, Hang, Mute, quiet
from tests.managers._doubles import said


async def hanging(ref, run_id="run"):
    hang = Hang()
    run = await ref.request(hang, run_id=run_id)
    await hang.began.wait()
    return run, hang


async def test_the_interruption_says_manager_and_carries_reason_and_author(system, store):
    """Section 2 of the design: the source, and the words of whoever cancelled, with what the reply had said so far."""

    async def says_and_hangs(actor):
        for word in ("once", "upon"):
            actor.context.emit(word)
        await hang(actor)

    actor, hang = Doer(), Hang()
    ref = await system.spawn(actor, cancellation=store.manager)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, says_and_hangs, run_id="run")
        await hang.began.wait()
        began = anyio.current_time()
        assert store.cancel("run", reason="too dear", by="anna") == "registered"
        interruption = await call.result()
    assert (interruption.run_id, interruption.source) == ("run", "manager")
    assert (interruption.reason, interruption.by, interruption.message) == ("too dear", "anna", None)
    assert (interruption.started, interruption.partial) == (True, ("once", "upon"))
    assert began <= interruption.requested_at <= anyio.current_time()
    assert hang.cut
    assert actor.handled == [interruption]
    assert store.active() == {}


async def test_the_cancel_needs_neither_reason_nor_author(system, store):
    """agno's own form: nothing but the run id."""
    ref = await system.spawn(Doer(), cancellation=store.manager)
    run, _ = await hanging(ref)
    assert store.elsewhere.cancel_run("run") is True
    interruption = await run
    assert (interruption.source, interruption.reason, interruption.by) == ("manager", "", None)


async def test_in_one_process_the_reply_is_being_cut_before_the_cancel_returns(system, memory):
    """The manager of one process tells the owner in the very call that cancels: no poll, not even a turn of the loop."""
    ref = await system.spawn(Doer(), cancellation=memory.manager)
    run, hang = await hanging(ref)
    assert await memory.manager.acancel_run("run")
    assert (run.status, hang.cut) == ("interrupting", False)
    assert (await run).source == "manager"


async def test_cancelling_again_and_again_is_handled_once_and_the_first_reason_counts(system, store):
    """Promise 3: a later one joins the first, also while handle_interrupt runs."""

    class Slow(Doer):
        async def handle_interrupt(self, message, interruption, /):
            handling.set()
            await go_on.wait()
            return await super().handle_interrupt(message, interruption)

    handling, go_on = anyio.Event(), anyio.Event()
    actor = Slow()
    ref = await system.spawn(actor, cancellation=store.manager)
    run, _ = await hanging(ref)
    assert store.cancel("run", reason="first") == "registered"
    assert store.cancel("run", reason="second") == "registered"
    await handling.wait()
    assert store.cancel("run", reason="third") == "registered"
    assert store.active() == {"run": True}
    await quiet()
    assert ref.interrupt_nowait("fourth")
    go_on.set()
    assert (await run).reason == "first"
    assert [interruption.reason for interruption in actor.handled] == ["first"]
    assert ref.statistics().interrupted == 1


async def test_an_interrupt_that_came_before_the_cancel_keeps_its_words(system, store):
    """Promise 3: the cancel joins it; it was accepted, for the run was registered and has been interrupted."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=store.manager)
    run, _ = await hanging(ref)
    assert ref.interrupt_nowait("by hand", by="anna")
    assert store.cancel("run", reason="through the store") == "registered"
    interruption = await run
    assert (interruption.source, interruption.reason, interruption.by) == ("caller", "by hand", "anna")
    assert len(actor.handled) == 1


async def test_a_receipt_of_a_run_that_its_manager_has_cancelled_says_interrupted(system, memory):
    """R41: the interrupt joins, and waits for the end; its receipt carries the words of the one who asks for it."""
    ref = await system.spawn(Doer(), cancellation=memory.manager)
    run, _ = await hanging(ref)
    assert await memory.manager.acancel_run("run", reason="first")
    receipt = await run.interrupt("me too", by="ben")
    assert (receipt.outcome, receipt.run_id, receipt.reason, receipt.by) == ("interrupted", "run", "me too", "ben")
    assert (await run).reason == "first"


async def test_an_actor_without_a_reply_to_interrupts_gives_interrupted_with_the_same_words(system, store):
    """R16."""
    ref = await system.spawn(Mute(), cancellation=store.manager)
    run, _ = await hanging(ref)
    store.cancel("run", reason="too dear", by="anna")
    with pytest.raises(Interrupted) as caught:
        await run
    assert (caught.value.run_id, caught.value.source) == ("run", "manager")
    assert (caught.value.reason, caught.value.by) == ("too dear", "anna")


async def test_the_other_runs_of_the_actor_are_left_alone(system, store):
    """R2: neither what is queued nor what comes later dies of it."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=store.manager)
    run, _ = await hanging(ref)
    queued = await ref.request("queued", run_id="queued")
    assert store.cancel("run") == "registered"
    assert (await run).source == "manager"
    assert await queued == "queued"
    assert await ref.ask("later", run_id="later") == "later"
    assert (ref.statistics().interrupted, ref.statistics().completed, len(actor.handled)) == (1, 2, 1)


async def test_it_goes_down_the_tree_of_asks(system, memory):
    """R10, promise 7: below, the source is `ancestor`, with the reason of the cancel."""
    below, above = Doer(), Doer()
    child = await system.spawn(below)
    ref = await system.spawn(above, cancellation=memory.manager)
    hang = Hang()

    async def asks(_actor):
        return await child.ask(hang)

    run = await ref.request(asks, run_id="run")
    await hang.began.wait()
    assert await memory.manager.acancel_run("run", reason="too dear", by="anna")
    assert (await run).source == "manager"
    await child.ask("the turn after it")
    assert [(i.source, i.reason, i.by) for i in below.handled] == [("ancestor", "too dear", "anna")]
    assert len(above.handled) == 1


async def test_a_child_of_a_run_is_cancelled_through_its_own_manager_and_the_parent_goes_on(system, memory):
    """semantics.md, 4: interrupting below gives an interrupted reply, and the parent decides."""
    child = await system.spawn(Doer(), cancellation=memory.manager)
    ref = await system.spawn(Doer())
    hang = Hang()

    async def asks(_actor):
        return await child.ask(hang, run_id="child"), "went on"

    run = await ref.request(asks)
    await hang.began.wait()
    assert await memory.manager.acancel_run("child", reason="only that")
    interruption, went_on = await run
    assert (interruption.reason, went_on) == ("only that", "went on")
    assert ref.statistics().completed == 1


async def test_a_protected_section_defers_it(system, memory):
    """R45: it takes effect at the end of the section."""
    section, leave, log = anyio.Event(), anyio.Event(), []

    async def protected(actor):
        async with actor.context.protect():
            section.set()
            await leave.wait()
            log.append("the section")
        log.append("never")

    ref = await system.spawn(Doer(), cancellation=memory.manager)
    run = await ref.request(protected, run_id="run")
    await section.wait()
    assert await memory.manager.acancel_run("run", reason="deferred")
    await quiet()
    assert log == []
    leave.set()
    assert (await run).reason == "deferred"
    assert log == ["the section"]


async def test_a_reply_that_finishes_in_spite_of_it_has_replied(system, memory):
    """R3: its value stands, and nothing is handled."""
    actor, gate = Doer(), Gate("finished all the same", shielded=True)
    ref = await system.spawn(actor, cancellation=memory.manager)
    run = await ref.request(gate, run_id="run")
    await gate.began.wait()
    assert await memory.manager.acancel_run("run")
    gate.open()
    assert await run == "finished all the same"
    assert (run.status, actor.handled, memory.active()) == ("completed", [], {})
    assert await ref.ask("next") == "next"


async def test_a_reply_that_fails_while_it_is_being_cut_has_failed(system, memory):
    """Promise 6: its error goes to the asker."""

    async def breaks(_actor):
        try:
            began.set()
            await anyio.sleep_forever()
        finally:
            raise ZeroDivisionError

    actor, began = Doer(), anyio.Event()
    ref = await system.spawn(actor, cancellation=memory.manager)
    run = await ref.request(breaks, run_id="run")
    await began.wait()
    assert await memory.manager.acancel_run("run")
    with pytest.raises(ZeroDivisionError):
        await run
    assert (actor.handled, memory.active()) == ([], {})


async def test_a_reply_cancels_its_own_run_and_is_cut_at_its_next_await(system, store):
    """semantics.md, 2: an interrupt of oneself takes effect at the next await."""
    log = []

    async def gives_up(actor):
        store.cancel(actor.context.run.id, reason="I give up")
        log.append("still here")
        await anyio.sleep_forever()

    ref = await system.spawn(Doer(), cancellation=store.manager)
    interruption = await ref.ask(gives_up)
    assert (interruption.source, interruption.reason) == ("manager", "I give up")
    assert log == ["still here"]


async def test_it_is_logged_as_an_interrupt_by_the_manager_and_not_as_an_error(system, memory, caplog):
    """R43: actor, run id, reason and author are in the log."""
    ref = await system.spawn(Doer(), cancellation=memory.manager)
    with caplog.at_level(logging.INFO, "actors"):
        run, _ = await hanging(ref)
        await memory.manager.acancel_run("run", reason="too dear", by="anna")
        await run
    assert said(caplog, "run.interrupted") == [
        {"actor": ref.path, "run_id": "run", "reason": "too dear", "by": "anna", "source": "manager"}
    ]
    assert max(record.levelno for record in caplog.records) == logging.INFO
