"""Promise 1: one run at a time for each actor; first in, first out for each sender."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import Mailbox
from tests._support import Call, Doer, Gate, quiet, turns


class Overlapping(Doer):
    """Notes how many of its replies run at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0
        self.most = 0

    async def reply(self, message, /):
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.log.append(message)
        await turns(message[1] % 4)
        self.inside -= 1
        return message

    async def handle_interrupt(self, message, interruption, /):
        self.inside -= 1
        return await super().handle_interrupt(message, interruption)


async def test_an_actor_handles_one_message_at_a_time(system):
    """R49."""
    actor = Overlapping()
    ref = await system.spawn(actor)
    async with anyio.create_task_group() as group:
        calls = [Call(group, ref.ask, (sender, number)) for sender in range(10) for number in range(5)]
    assert [await call.result() for call in calls] == [(sender, number) for sender in range(10) for number in range(5)]
    assert actor.most == 1


@pytest.mark.parametrize("capacity", [None, 1, 3])
async def test_each_sender_is_served_in_its_own_order(system, capacity):
    """R49: whatever way it sends, also through a mailbox that is often full."""
    actor = Overlapping()
    ref = await system.spawn(actor, mailbox=Mailbox(capacity))

    async def sender(name: str) -> None:
        for number in range(12):
            match number % 3:
                case 0:
                    await ref.tell((name, number))
                case 1:
                    await ref.request((name, number))
                case 2:
                    assert await ref.ask((name, number)) == (name, number)

    async with anyio.create_task_group() as group:
        for name in "abcde":
            group.start_soon(sender, name)
    assert actor.most == 1
    for name in "abcde":
        assert [number for who, number in actor.log if who == name] == list(range(12))


async def test_a_reply_that_waits_holds_up_its_own_actor_and_no_other(system):
    """R49: others go on meanwhile."""
    slow, quick = await system.spawn(Doer()), await system.spawn(Doer())
    gate = Gate()
    async with anyio.create_task_group() as group:
        first = Call(group, slow.ask, gate)
        await gate.began.wait()
        second = Call(group, slow.ask, "second")
        assert await quick.ask("hello") == "hello"
        await quiet()
        assert not first.over
        assert not second.over
        gate.open()
        assert await second.result() == "second"
        assert first.over


async def test_a_message_is_told_in_order_with_what_the_same_reply_asks(system):
    """R49: a reply is a sender like any other."""
    below = Doer()
    ref = await system.spawn(below)

    async def note(word):
        async def noted(actor):
            actor.log.append(word)

        return noted

    async def above(_actor):
        for word in ("one", "two", "three"):
            await ref.tell(await note(word))
        await ref.ask(await note("four"))
        return list(below.log)

    assert await (await system.spawn(Doer())).ask(above) == ["one", "two", "three", "four"]


async def test_an_actor_with_a_full_mailbox_does_not_keep_others_from_running(system):
    """A flooded actor whose replies never wait lets the event loop turn."""
    flooded, other = await system.spawn(Doer()), await system.spawn(Doer())
    for _ in range(5000):
        flooded.tell_nowait(None)
    assert await other.ask("hello") == "hello"
    left = flooded.statistics().queued
    assert left > 1000
    await flooded.ask(None)
    assert flooded.statistics().queued == 0
