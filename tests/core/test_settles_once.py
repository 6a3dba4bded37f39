"""Promise 8, R50: each request settles exactly once, however its actor or system ends."""

from __future__ import annotations

import anyio
import pytest

from actors import ActorStopped, Mailbox, ReplyCancelled
from tests._support import Call, Doer, Gate, Hang, quiet, turns


class Slow(Doer):
    """Takes a few turns of the event loop for each reply and for each interrupt."""

    async def reply(self, message, /):
        self.log.append(message)
        await turns(3)
        return message

    async def handle_interrupt(self, message, interruption, /):
        await turns(3)
        return await super().handle_interrupt(message, interruption)


async def many_requests(group, ref):
    """Requests of every kind: running, queued, blocked, awaited, not awaited."""
    calls = [Call(group, ref.ask, number) for number in range(4)]
    calls += [Call(group, ref.ask, number, timeout=50, detach=bool(number % 2)) for number in range(4)]

    async def request(number):
        return await (await ref.request(number))

    calls += [Call(group, request, number) for number in range(4)]
    telling = [Call(group, ref.tell, number) for number in range(4)]
    return calls, telling


ENDS = {
    "stop": lambda ref: ref.stop(),
    "stop now": lambda ref: ref.stop(drain=False),
    "stop in time": lambda ref: ref.stop(timeout=0.001),
    "kill": lambda ref: ref.kill(),
    "interrupt and kill": lambda ref: _both(ref.interrupt_nowait, ref.kill),
    "interrupt and stop": lambda ref: _both(ref.interrupt_nowait, lambda: ref.stop(drain=False)),
}


async def _both(at_once, then):
    at_once()
    await then()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 13])
async def test_however_the_actor_ends(system, settlements, end, ticks):
    """R50: at whatever moment; who waits is told, and nobody waits for ever."""
    ref = await system.spawn(Slow(), mailbox=Mailbox(capacity=3))
    async with anyio.create_task_group() as group:
        calls, telling = await many_requests(group, ref)
        await turns(ticks)
        await ENDS[end](ref)
        outcomes = [await call.ended() for call in calls + telling]
    assert set(outcomes) <= {"returned", "raised"}
    assert all(isinstance(call.value, ActorStopped) for call in calls if call.how == "raised")
    assert set(settlements.values()) == {1}
    assert len(system.runs) == 0


@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 13, 21, 34])
@pytest.mark.parametrize("interrupted", [False, True])
async def test_however_the_system_ends(new_system, settlements, ticks, interrupted):
    """R50: a cancellation from outside in the middle of everything; those who ask from elsewhere are told."""
    scope, ready, box = anyio.CancelScope(), anyio.Event(), []

    async def host():
        with scope:
            async with new_system() as system:
                box.append(await system.spawn(Slow(), mailbox=Mailbox(capacity=3)))
                ready.set()
                await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(host)
        await ready.wait()
        calls, telling = await many_requests(group, box[0])
        await turns(ticks)
        if interrupted:
            box[0].interrupt_nowait()
        await turns(ticks % 4)
        scope.cancel()
        outcomes = [await call.ended() for call in calls + telling]
    assert set(outcomes) <= {"returned", "raised"}
    assert all(isinstance(call.value, (ActorStopped, ReplyCancelled)) for call in calls if call.how == "raised")
    assert set(settlements.values()) == {1}


@pytest.mark.parametrize("ticks", range(12))
async def test_an_interrupt_followed_by_the_end_of_the_system_some_ticks_later(new_system, settlements, ticks):
    """Promise 5: handle_interrupt starts at most once and is cut; the asker is told either way."""
    scope, ready, box = anyio.CancelScope(), anyio.Event(), []
    hang = Hang()

    class Hanging(Slow):
        async def reply(self, message, /):
            return await message(self)

    actor = Hanging()

    async def host():
        with scope:
            async with new_system() as system:
                box.append(await system.spawn(actor))
                ready.set()
                await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(host)
        await ready.wait()
        call = Call(group, box[0].ask, hang)
        await hang.began.wait()
        assert box[0].interrupt_nowait("enough")
        await turns(ticks)
        scope.cancel()
        how = await call.ended()
    assert how == "returned" or isinstance(call.value, ActorStopped)
    assert len(actor.handled) <= 1
    assert set(settlements.values()) == {1}


async def test_a_crash_of_a_reply_settles_its_own_request_alone(system, settlements):
    """R50."""
    ref = await system.spawn(Doer())

    async def crash(_actor):
        await turns(1)
        raise ZeroDivisionError

    async with anyio.create_task_group() as group:
        calls = [Call(group, ref.ask, message) for message in ("a", crash, "b", crash, "c")]
    assert [call.how for call in calls] == ["returned", "raised", "returned", "raised", "returned"]
    assert set(settlements.values()) == {1}
    assert len(settlements) == 5


async def test_a_message_is_handled_at_most_once(system):
    """Promise 8: nothing is retried behind the user's back, also not after a failure or an interrupt."""

    class Counting(Doer):
        async def reply(self, message, /):
            self.log.append(message)
            await super().reply(message)

    actor = Counting()
    ref = await system.spawn(actor)
    hang = Hang()

    async def fail(_actor):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ref.ask(fail)
    run = await ref.request(hang)
    await hang.began.wait()
    await run.interrupt()
    await ref.ask("plain")
    assert actor.log == [fail, hang, "plain"]


async def test_everybody_who_waits_for_a_run_is_told_the_same(system, settlements):
    """Promise 8: settled once, read often."""
    ref = await system.spawn(Doer())
    gate, failing = Gate(value := object()), Gate()

    async def fail(actor):
        await failing(actor)
        raise ZeroDivisionError

    async def wait(run):
        return await run

    run, other = await ref.request(gate), await ref.request(fail)
    async with anyio.create_task_group() as group:
        calls = [Call(group, wait, run) for _ in range(5)]
        failures = [Call(group, wait, other) for _ in range(5)]
        await quiet()
        gate.open()
        failing.open()
    assert [call.value for call in calls] == [value] * 5
    assert len({id(call.value) for call in failures}) == 1
    assert await run is value
    assert settlements == {run: 1, other: 1}


async def test_an_error_that_is_raised_often_does_not_grow(system):
    """Each waiter gets the traceback of the failure and its own, not those of all others."""
    ref = await system.spawn(Doer())

    async def fail(_actor):
        raise ZeroDivisionError

    run = await ref.request(fail)
    lengths = []
    for _ in range(5):
        with pytest.raises(ZeroDivisionError) as caught:
            await run
        lengths.append(len(caught.traceback))
    assert len(set(lengths)) == 1
