"""A message that has waited for longer than it is good for is not answered: looked at when its turn comes."""

from __future__ import annotations

import itertools

import anyio
import anyio.lowlevel
import pytest

from actors import Mailbox, MessageExpired
from tests._support import Call, Doer, Gate, quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401


async def busy(system, mailbox):
    actor = Doer()
    ref = await system.spawn(actor, name="it", mailbox=mailbox)
    gate = Gate()
    await ref.tell(gate)
    await gate.began.wait()
    return actor, ref, gate


async def test_what_has_waited_too_long_is_not_begun_and_whoever_asked_is_told(system, settlements):
    """R50: an ask and a request are settled, once; a tell is a dead letter, and they are none."""
    begun = []
    actor, ref, gate = await busy(system, Mailbox(expiry=5.0))
    async with anyio.create_task_group() as group:

        async def note(_actor):
            begun.append("asked")

        asked = Call(group, ref.ask, note, run_id="asked")
        await quiet()
        requested = await ref.request("requested")
        await ref.tell("told")
        await anyio.sleep(5.1)
        assert not asked.over  # it is looked at when its turn comes
        in_time = await ref.request("in time")
        gate.open()
        with pytest.raises(MessageExpired, match=r"waited in the mailbox of system/it for longer") as caught:
            await asked.result()
        with pytest.raises(MessageExpired):
            await requested
        assert await in_time == "in time"
    assert begun == []
    assert actor.handled == []
    assert (caught.value.ref, caught.value.run_id, caught.value.message) == (ref, "asked", note)
    (letter,) = system.dead_letters
    assert (letter.message, letter.reason) == ("told", "it has expired")
    assert ref.statistics().mailbox.expired == 3
    assert set(settlements.values()) == {1}


async def test_a_reply_that_has_begun_in_time_takes_as_long_as_it_likes(system):
    ref = await system.spawn(Doer(), mailbox=Mailbox(expiry=1.0))

    async def slow(_actor):
        await anyio.sleep(50)
        return "done"

    assert await ref.ask(slow) == "done"


async def test_each_message_can_say_how_long_it_is_good_for(system):
    _, ref, gate = await busy(system, Mailbox(expiry=lambda message: message if isinstance(message, float) else None))
    runs = [await ref.request(message) for message in (1.0, 9.0, "for ever")]
    await anyio.sleep(2)
    gate.open()
    with pytest.raises(MessageExpired):
        await runs[0]
    assert [await runs[1], await runs[2]] == [9.0, "for ever"]


async def test_the_time_of_a_sender_that_waits_for_room_counts(system):
    """From the call on, not from when it got in."""
    _, ref, gate = await busy(system, Mailbox(1, expiry=5.0))
    await ref.tell("first")
    async with anyio.create_task_group() as group:
        blocked = Call(group, ref.ask, "blocked")
        await anyio.sleep(6)
        gate.open()
        with pytest.raises(MessageExpired):
            await blocked.result()


async def test_a_run_that_is_interrupted_while_it_waits_is_answered_and_does_not_expire(system):
    """R40."""
    actor, ref, gate = await busy(system, Mailbox(expiry=5.0))
    run = await ref.request("queued")
    await run.interrupt("not needed", grace=0)
    await anyio.sleep(6)
    gate.open()
    assert (await run).reason == "not needed"
    assert len(actor.handled) == 1


async def test_a_long_backlog_that_has_expired_does_not_hold_up_the_event_loop(system):
    """performance.md 4: fairness is part of correctness. Nor does a drain end before it is over."""
    _, ref, gate = await busy(system, Mailbox(expiry=5.0))
    for number in range(1000):
        ref.tell_nowait(number)
    await anyio.sleep(6)
    last = await ref.request("last")
    depths = []
    gate.open()
    while not last.settled:
        depths.append(ref.statistics().queued)
        await anyio.lowlevel.checkpoint()
    assert await last == "last"
    steps = [before - after for before, after in itertools.pairwise(depths)]
    assert max(steps) <= 200
    assert ref.statistics().mailbox.expired == 1000
    assert system.dead_letters.count == 1000


async def test_leaving_the_system_drains_behind_a_backlog_that_has_expired(new_system):
    """Promise 19."""
    async with new_system() as system:
        _, ref, gate = await busy(system, Mailbox(expiry=5.0))
        for number in range(1000):
            ref.tell_nowait(number)
        await anyio.sleep(6)
        last = await ref.request("last")
        gate.open()
    assert await last == "last"


async def test_nothing_ticks_while_messages_wait(system):
    """R53: no timer for each message; the sender finds out when its turn has come."""
    _, ref, gate = await busy(system, Mailbox(expiry=5.0))
    await ref.tell("told")
    await quiet()
    assert not system.timetable.entries
    gate.open()
