"""Promise 9 and R37: a bounded mailbox makes senders wait in order, and control never waits behind messages."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from actors import ActorStopped, Mailbox, MailboxFull, MessageWithdrawn
from tests._support import Call, Doer, Gate, Hang, quiet, turns


class Listing(Doer):
    """Lists what it was sent."""

    async def reply(self, message, /):
        self.log.append(message)
        return await super().reply(message)


async def full(system, *, capacity=1):
    """An actor that waits at a gate, with a full mailbox."""
    actor = Listing()
    ref = await system.spawn(actor, mailbox=Mailbox(capacity))
    gate = Gate()
    current = await ref.request(gate)
    await gate.began.wait()
    actor.log.clear()
    for number in range(capacity):
        await ref.tell(number)
    return actor, ref, gate, current


async def test_senders_wait_for_room_in_the_order_they_came(system):
    """Promise 9: nobody overtakes, whichever form of sending they use."""
    actor, ref, gate, _ = await full(system, capacity=2)
    async with anyio.create_task_group() as group:
        calls = []
        for name, send in [("a", ref.tell), ("b", ref.ask), ("c", ref.request), ("d", ref.tell), ("e", ref.ask)]:
            calls.append(Call(group, send, name))
            await quiet()
        assert [call.over for call in calls] == [False] * 5
        assert ref.statistics().queued == 2
        gate.open()
        results = [await call.result() for call in calls]
        assert (results[1], await results[2], results[4]) == ("b", "c", "e")
    assert actor.log == [0, 1, "a", "b", "c", "d", "e"]


async def test_a_sender_that_need_not_wait_does_not_overtake_one_that_waits(system):
    """R49: room that has just become free belongs to who waits for it."""
    actor, ref, gate, _ = await full(system)
    async with anyio.create_task_group() as group:
        waiting = Call(group, ref.tell, "waiting")
        await quiet()
        ref.withdraw()
        with pytest.raises(MailboxFull):
            ref.tell_nowait("overtaking")
        late = Call(group, ref.tell, "late")
        gate.open()
        assert [await waiting.ended(), await late.ended()] == ["returned", "returned"]
        await ref.ask("last")
    assert actor.log == ["waiting", "late", "last"]


async def test_tell_nowait_never_waits(system):
    """Promise 17: it raises instead, and nothing was sent."""
    actor, ref, gate, current = await full(system)
    with pytest.raises(MailboxFull, match="full") as caught:
        ref.tell_nowait("too much")
    assert (caught.value.ref, caught.value.message) == (ref, "too much")
    gate.open()
    await current
    ref.tell_nowait("fits")
    await ref.ask("last")
    assert actor.log == [0, "fits", "last"]
    assert list(system.dead_letters) == []


async def test_control_passes_a_full_mailbox(system):
    """R37: an interrupt reaches the current reply at once, past all that waits."""
    actor, ref, _, current = await full(system)
    async with anyio.create_task_group() as group:
        blocked = Call(group, ref.tell, "blocked")
        await quiet()
        receipt = await ref.interrupt("enough")
        assert receipt.outcome == "interrupted"
        assert (await current).reason == "enough"
        await blocked.ended()
    await ref.ask("last")
    assert actor.log == [0, "blocked", "last"]


async def test_the_receipt_says_how_many_messages_still_wait(system):
    """R39."""
    ref = await system.spawn(Doer())
    gates = [Gate() for _ in range(4)]
    for gate in gates:
        await ref.tell(gate)
    await gates[0].began.wait()
    receipt = await ref.interrupt()
    assert gates[1].began.is_set()
    assert receipt.still_queued == 2
    for gate in gates:
        gate.open()
    await ref.ask("last")
    assert (await ref.interrupt()).still_queued == 0


async def test_stop_passes_a_full_mailbox_and_ends_the_waiting(system):
    """R37, R39, R54: whoever waits for room is told, or its message becomes a dead letter."""
    _, ref, _, _ = await full(system)
    async with anyio.create_task_group() as group:
        telling, asking = Call(group, ref.tell, "told"), Call(group, ref.ask, "asked")
        await quiet()
        requesting = Call(group, ref.request, "requested")
        await quiet()
        await ref.stop(drain=False)
        assert await telling.ended() == "returned"
        with pytest.raises(ActorStopped):
            await asking.result()
        with pytest.raises(ActorStopped):
            await (await requesting.result())
    assert [letter.message for letter in system.dead_letters] == [0, "told"]


async def test_a_drain_answers_those_who_already_wait_for_room(system):
    """Promise 19: they were there before the order to stop."""
    actor, ref, gate, _ = await full(system)
    async with anyio.create_task_group() as group:
        blocked = Call(group, ref.ask, "blocked")
        await quiet()
        stop = Call(group, ref.stop)
        await quiet()
        gate.open()
        assert await blocked.result() == "blocked"
        assert await stop.ended() == "returned"
    assert actor.log == [0, "blocked"]


async def test_a_cancelled_sender_loses_nothing(system):
    """semantics.md, 1: those behind it move up, and no wake-up is lost."""
    actor, ref, gate, _ = await full(system)
    async with anyio.create_task_group() as group:
        calls = []
        for name in "abc":
            calls.append(Call(group, ref.tell, name))
            await quiet()
        calls[0].scope.cancel()
        assert await calls[0].ended() == "cancelled"
        gate.open()
        assert [await call.ended() for call in calls[1:]] == ["returned", "returned"]
        await ref.ask("last")
    assert actor.log == [0, "b", "c", "last"]


@pytest.mark.parametrize("form", ["tell", "request", "ask"])
async def test_a_sender_cancelled_in_the_tick_in_which_there_is_room_has_sent_or_not_but_not_both(system, form):
    """semantics.md, 1: and the sender behind it is served in any case."""
    actor, ref, _, _ = await full(system)
    async with anyio.create_task_group() as group:
        first = Call(group, getattr(ref, form), "first")
        await quiet()
        second = Call(group, ref.tell, "second")
        await quiet()
        ref.withdraw()  # makes room for the first one, which has not run since
        first.scope.cancel()
        assert ref.interrupt_nowait()
        how = await first.ended()
        assert await second.ended() == "returned"
        await ref.ask("last")
    if how == "cancelled" and form == "tell":
        assert actor.log == ["second", "last"]
    elif how == "returned":
        assert actor.log == ["first", "second", "last"]
    assert actor.log[-2:] == ["second", "last"]


@pytest.mark.parametrize("form", ["tell", "request", "ask"])
@pytest.mark.parametrize("ticks", range(5))
async def test_a_native_cancel_of_a_sender_that_has_just_got_room_leaves_everything_in_order(
    system, anyio_backend, settlements, form, ticks
):
    """Promise 8, semantics.md, 1: asyncio throws it in although the message may have begun by then."""
    if anyio_backend[0] != "asyncio":
        pytest.skip("trio has no native cancel")
    actor, ref, gate, current = await full(system)

    async def slow(actor):
        actor.log.append("slow")
        await turns(3)

    first = asyncio.create_task(getattr(ref, form)(slow))
    await quiet()
    second = asyncio.create_task(ref.tell("second"))
    await quiet()
    gate.open()
    await turns(ticks)
    first.cancel()
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert await current == "opened"
    assert results[1] is None
    assert await ref.ask("last") == "last"
    assert [message for message in actor.log if isinstance(message, str)] in (
        ["second", "last"],
        ["slow", "second", "last"],
    )
    assert set(settlements.values()) == {1}
    statistics = ref.statistics()
    assert (statistics.queued, statistics.failed, len(system.runs)) == (0, 0, 0)


async def test_withdrawing_a_message_admits_the_next_sender(system):
    """semantics.md, 1."""
    actor, ref, gate, _ = await full(system, capacity=2)
    async with anyio.create_task_group() as group:
        blocked = [Call(group, ref.tell, "a")]
        await quiet()
        blocked.append(Call(group, ref.tell, "b"))
        await quiet()
        assert ref.withdraw() == [0, 1]
        assert [await call.ended() for call in blocked] == ["returned", "returned"]
        assert ref.statistics().queued == 2
        gate.open()
        await ref.ask("last")
    assert actor.log == ["a", "b", "last"]


async def test_withdraw_takes_back_the_named_message_or_all(system):
    """R39: their askers are told, the current run is left alone, tells come back like the others."""
    actor = Listing()
    ref = await system.spawn(actor)
    gate = Gate()
    current = await ref.request(gate, run_id="current")
    await gate.began.wait()
    runs = {name: await ref.request(name, run_id=name) for name in "abc"}
    await ref.tell("told")
    assert ref.withdraw("b") == ["b"]
    assert ref.withdraw("b") == []
    assert ref.withdraw("current") == []
    assert ref.withdraw("no such") == []
    assert ref.withdraw() == ["a", "c", "told"]
    assert ref.statistics().queued == 0
    for name, run in runs.items():
        assert run.status == "stopped"
        with pytest.raises(MessageWithdrawn) as caught:
            await run
        assert (caught.value.ref, caught.value.run_id, caught.value.message) == (ref, name, name)
    gate.open()
    assert await current == "opened"
    assert await ref.ask("last") == "last"
    assert [message for message in actor.log if isinstance(message, str)] == ["last"]
    assert actor.handled == []


@pytest.mark.parametrize("count", [100, 200, 300])
async def test_many_withdrawals_leave_the_others_in_order(system, count):
    """R49: also when the queue tidies itself up."""
    actor = Listing()
    ref = await system.spawn(actor)
    gate = Gate()
    await ref.tell(gate)
    await gate.began.wait()
    runs = [await ref.request(number, run_id=str(number)) for number in range(count)]
    for number in range(count):
        if number % 10:
            assert ref.withdraw(str(number)) == [number]
    assert ref.statistics().queued == count // 10
    gate.open()
    assert [await run for run in runs[::10]] == list(range(0, count, 10))
    assert actor.log[1:] == list(range(0, count, 10))


@pytest.mark.parametrize("capacity", [0, -1, True])
def test_a_capacity_that_cannot_be_is_refused(capacity):
    with pytest.raises(ValueError, match="capacity"):
        Mailbox(capacity)


async def test_a_mailbox_without_bound_takes_everything(system):
    ref = await system.spawn(Listing())
    hang = Hang()
    await ref.tell(hang)
    await hang.began.wait()
    for number in range(10_000):
        ref.tell_nowait(number)
    assert ref.statistics().queued == 10_000
    await ref.kill()
    assert system.dead_letters.count == 10_000
