"""Promise 6: a reply that returned has replied, one that raised something else has failed, interrupt or not."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import RunCancelledError
from tests._support import Doer, Gate


async def cut(actor):
    """Hang, and raise what an interrupt raises."""
    actor.began.set()
    await anyio.sleep_forever()


async def swallow(actor):
    try:
        await cut(actor)
    except anyio.get_cancelled_exc_class():
        return "what I have"


async def return_in_finally(actor):
    try:
        await cut(actor)
    finally:
        return "what I have"  # noqa: B012 - that is the point


async def finish_behind_a_shield(actor):
    with anyio.CancelScope(shield=True):
        actor.began.set()
        await actor.gate.wait()
    return "what I have"


@pytest.mark.parametrize("reply", [swallow, return_in_finally, finish_behind_a_shield])
async def test_a_reply_that_returned_has_replied(system, reply):
    """R3: its value stands, and the receipt says so."""
    actor = Doer()
    actor.began, actor.gate = anyio.Event(), anyio.Event()
    ref = await system.spawn(actor)
    run = await ref.request(reply)
    await actor.began.wait()
    assert ref.interrupt_nowait("enough")
    assert run.status == "interrupting"
    actor.gate.set()
    receipt = await run.interrupt("again")
    assert await run == "what I have"
    assert run.status == "completed"
    assert receipt.outcome in ("completed", "finished")
    assert not receipt
    assert actor.handled == []
    assert (ref.statistics().completed, ref.statistics().interrupted) == (1, 0)


async def test_the_receipt_of_a_reply_that_returned_says_completed(system):
    """R3, R41."""
    actor = Doer()
    actor.began = anyio.Event()
    ref = await system.spawn(actor)
    run = await ref.request(swallow)
    await actor.began.wait()
    assert (await ref.interrupt("enough")).outcome == "completed"
    assert await run == "what I have"


async def test_a_reply_that_ended_in_the_tick_of_the_interrupt_has_replied(system):
    """R3: what it waited for had happened before the interrupt."""
    actor = Doer()
    ref = await system.spawn(actor)
    gate = Gate("done")
    run = await ref.request(gate)
    await gate.began.wait()
    gate.open()
    receipt = await run.interrupt()
    assert await run == "done"
    assert receipt.outcome == "completed"
    assert actor.handled == []


async def raise_in_finally(actor):
    try:
        await cut(actor)
    finally:
        raise ZeroDivisionError  # what a clean-up that fails does


async def convert(actor):
    try:
        await cut(actor)
    except anyio.get_cancelled_exc_class() as error:
        raise ZeroDivisionError from error


async def fail_in_a_group(actor):
    async def child():
        await raise_in_finally(actor)

    async with anyio.create_task_group() as group:
        group.start_soon(child)
        await anyio.sleep_forever()


@pytest.mark.parametrize("reply", [raise_in_finally, convert, fail_in_a_group])
async def test_a_reply_that_raised_something_else_has_failed(system, reply):
    """Promise 6: its error goes to the asker, the receipt says so, and handle_interrupt does not run."""
    actor = Doer()
    actor.began = anyio.Event()
    ref = await system.spawn(actor)
    run = await ref.request(reply)
    await actor.began.wait()
    receipt = await ref.interrupt("enough")
    with pytest.raises((ZeroDivisionError, ExceptionGroup)) as caught:
        await run
    error = caught.value
    assert isinstance(error if not isinstance(error, ExceptionGroup) else error.exceptions[0], ZeroDivisionError)
    assert receipt.outcome == "failed"
    assert run.status == "failed"
    assert actor.handled == []
    assert await ref.ask("alive") == "alive"


async def poll(actor):
    """What code does that was written for a manager: it looks now and then whether it is cancelled."""
    await anyio.lowlevel.checkpoint()
    actor.context.emit("so far")
    raise RunCancelledError(actor.context.run.id, "by the manager", "anna")


async def test_run_cancelled_error_for_its_own_run_counts_as_an_interrupt(system):
    """Promise 6: source `manager`, with the words of the error."""
    actor = Doer()
    ref = await system.spawn(actor)
    run = await ref.request(poll)
    interruption = await run
    assert (interruption.source, interruption.reason, interruption.by) == ("manager", "by the manager", "anna")
    assert (interruption.run_id, interruption.partial, interruption.started) == (run.id, ("so far",), True)
    assert run.status == "interrupted"
    assert actor.handled == [interruption]


async def test_run_cancelled_error_for_another_run_is_a_failure(system):
    """Promise 6: only its own run id counts."""
    actor = Doer()
    ref = await system.spawn(actor)

    async def stranger(_actor):
        raise RunCancelledError("another run")

    run = await ref.request(stranger)
    with pytest.raises(RunCancelledError):
        await run
    assert run.status == "failed"
    assert actor.handled == []


async def test_run_cancelled_error_on_top_of_an_interrupt_keeps_the_interrupts_words(system):
    """Promise 3: the first interrupt is the one that counts, and it is handled once."""
    actor = Doer()
    actor.began = anyio.Event()
    ref = await system.spawn(actor)

    async def polls_when_cut(actor):
        try:
            await cut(actor)
        except anyio.get_cancelled_exc_class():
            raise RunCancelledError(actor.context.run.id, "polled") from None

    run = await ref.request(polls_when_cut)
    await actor.began.wait()
    assert (await ref.interrupt("first")).outcome == "interrupted"
    assert (await run).reason == "first"
    assert len(actor.handled) == 1


async def test_an_error_of_the_reply_itself_is_told_to_the_asker_and_the_actor_goes_on(system):
    """Promise 6, without any interrupt."""
    actor = Doer()
    ref = await system.spawn(actor)

    async def fail(_actor):
        await anyio.lowlevel.checkpoint()
        raise KeyError("what")

    for _ in range(3):
        with pytest.raises(KeyError, match="what"):
            await ref.ask(fail)
    assert await ref.ask("alive") == "alive"
    assert (ref.statistics().failed, ref.statistics().completed) == (3, 1)
