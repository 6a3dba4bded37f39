"""R54, R37 and promise 17: what becomes of a message for which a mailbox has no room, or that has waited too long in it."""

from __future__ import annotations

import anyio
import pytest

from actors import ActorStopped, Agent, Mailbox, MailboxFull, MessageDropped, MessageExpired, Msg
from tests._support import Call, Doer, Gate, Hang, quiet

POLICIES = ["block", "reject", "drop_oldest", "drop_newest"]


class Listing(Doer):
    """Lists what it was sent."""

    async def reply(self, message, /):
        self.log.append(message)
        return await super().reply(message)


async def busy(system, mailbox, *messages):
    """An actor that waits at a gate, with these messages in its mailbox."""
    actor = Listing()
    ref = await system.spawn(actor, name="it", mailbox=mailbox)
    gate = Gate()
    await ref.tell(gate)
    await gate.began.wait()
    actor.log.clear()
    for message in messages:
        await ref.tell(message)
    return actor, ref, gate


def letters(system):
    return [(letter.path, letter.message, letter.reason) for letter in system.dead_letters]


# -- reject


async def test_a_mailbox_that_rejects_tells_every_sender_at_once_and_takes_nothing(system):
    """Whoever sends gets the error, so that it is no dead letter."""
    actor, ref, gate = await busy(system, Mailbox(1, when_full="reject"), "first")
    for send in (ref.ask, ref.tell, ref.request):
        with pytest.raises(MailboxFull, match=r"system/it is full \(1 messages wait\)") as caught:
            await send("refused")
        assert (caught.value.ref, caught.value.message) == (ref, "refused")
    with pytest.raises(MailboxFull):
        ref.tell_nowait("refused")
    with pytest.raises(MailboxFull) as caught:
        await ref.ask("refused", run_id="mine")
    assert caught.value.run_id == "mine"
    assert ref.statistics().mailbox.rejected == 5
    gate.open()
    await quiet()
    assert await ref.ask("last", run_id="mine") == "last"
    assert actor.log == ["first", "last"]
    assert letters(system) == []


# -- drop_oldest


async def test_the_oldest_message_gives_way_to_the_new_one(system):
    """Promise 17: what was dropped is a dead letter, also when somebody asked, who is told as well."""
    actor, ref, gate = await busy(system, Mailbox(2, when_full="drop_oldest"), "a", "b")
    await ref.tell("c")
    ref.tell_nowait("d")
    gate.open()
    await quiet()
    assert await ref.ask("last") == "last"
    assert actor.log == ["c", "d", "last"]
    assert letters(system) == [("system/it", "a", "the mailbox was full"), ("system/it", "b", "the mailbox was full")]


async def test_whoever_asked_for_what_was_dropped_is_told(system, settlements):
    """R50: an ask, a request, once each; their run ids are free again."""
    _, ref, gate = await busy(system, Mailbox(2, when_full="drop_oldest"))
    async with anyio.create_task_group() as group:
        asked = Call(group, ref.ask, "asked", run_id="asked")
        await quiet()
        requested = await ref.request("requested", run_id="requested")
        await ref.tell("a")
        await ref.tell("b")
        with pytest.raises(MessageDropped, match="was dropped") as caught:
            await asked.result()
        with pytest.raises(MessageDropped):
            await requested
    assert requested.status == "stopped"
    assert (caught.value.ref, caught.value.run_id, caught.value.message) == (ref, "asked", "asked")
    assert [letter.message for letter in system.dead_letters] == ["asked", "requested"]
    gate.open()
    await quiet()
    assert await ref.ask("again", run_id="asked") == "again"
    assert set(settlements.values()) == {1}


# -- drop_newest


async def test_the_new_message_is_dropped_and_those_that_wait_stay(system):
    """Promise 17: telling succeeds all the same, asking does not."""
    actor, ref, gate = await busy(system, Mailbox(2, when_full="drop_newest"), "a", "b")
    await ref.tell("c")
    ref.tell_nowait("d")
    with pytest.raises(MessageDropped):
        await ref.ask("e")
    run = await ref.request("f")
    with pytest.raises(MessageDropped):
        await run
    gate.open()
    await quiet()
    assert actor.log == ["a", "b"]
    assert [letter.message for letter in system.dead_letters] == ["c", "d", "e", "f"]


# -- all of them


@pytest.mark.parametrize("when_full", POLICIES)
async def test_control_never_waits_never_counts_and_is_never_dropped(system, when_full):
    """Promise 9, R37: an interrupt and a stop pass a full mailbox."""
    actor, ref, _ = await busy(system, Mailbox(1, when_full=when_full), "queued")
    receipt = await ref.interrupt("enough")
    assert receipt.outcome == "interrupted"
    assert len(actor.handled) == 1
    await quiet()
    hang = Hang()
    await ref.tell(hang)
    await hang.began.wait()
    await ref.tell("queued")
    await ref.stop(drain=False)
    assert hang.cut
    assert [letter.message for letter in system.dead_letters] == ["queued"]


@pytest.mark.parametrize("when_full", POLICIES)
async def test_a_queued_run_can_be_interrupted_and_makes_room(system, when_full):
    """R40, semantics.md 1."""
    _, ref, gate = await busy(system, Mailbox(1, when_full=when_full))
    run = await ref.request("queued")
    assert (await run.interrupt("not needed", grace=0)).outcome == "deferred"
    await ref.tell("next")
    gate.open()
    assert not (await run).started
    assert await ref.ask("last") == "last"
    assert letters(system) == []


@pytest.mark.parametrize("when_full", POLICIES)
async def test_withdrawn_messages_make_room(system, when_full):
    actor, ref, gate = await busy(system, Mailbox(2, when_full=when_full), "a", "b")
    assert ref.withdraw() == ["a", "b"]
    await ref.tell("c")
    await ref.tell("d")
    gate.open()
    await quiet()
    assert actor.log == ["c", "d"]
    assert letters(system) == []


async def test_what_an_agent_observes_is_dropped_like_other_messages(system):
    """Promise 17: it is a dead letter."""

    class Listener(Agent):
        async def reply(self, message):
            await message.metadata["gate"](self)
            return Msg(self.name, [str(each.content) for each in self.take_observed()], "assistant")

    ref = await system.spawn(Listener("ear", console=False), mailbox=Mailbox(1, when_full="drop_oldest"))
    gate = Gate()
    async with anyio.create_task_group() as group:
        asking = Call(group, ref.ask, Msg("a", "x", "user", metadata={"gate": gate}))
        await gate.began.wait()
        await ref.observe(Msg("a", "one", "user"))
        await ref.observe(Msg("a", "two", "user"))
        gate.open()
        await asking.ended()
    (letter,) = system.dead_letters
    assert [each.content for each in letter.message] == ["one"]


# -- who sent it


@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest"])
async def test_a_dead_letter_says_which_actor_sent_it(system, when_full):
    """The issue's "reason, sender and message": also when the run that sent it is long over."""
    _, ref, _ = await busy(system, Mailbox(1, when_full=when_full))
    teller = await system.spawn(Doer(), name="teller")

    async def tell_both(_actor):
        await ref.tell("a")
        await ref.tell("b")

    await teller.ask(tell_both)
    (letter,) = system.dead_letters
    assert letter.sender is teller
    await ref.tell("from outside")
    assert list(system.dead_letters)[1].sender is (teller if when_full == "drop_oldest" else None)


async def test_a_message_to_an_actor_that_has_ended_says_who_sent_it(system):
    ref = await system.spawn(Doer())
    await ref.stop()
    teller = await system.spawn(Doer(), name="teller")

    async def tell_it(_actor):
        await ref.tell("late")

    await teller.ask(tell_it)
    (letter,) = system.dead_letters
    assert letter.sender is teller


async def test_what_was_queued_says_who_sent_it_while_that_run_goes_on(system):
    ref = await system.spawn(Doer())
    hang = Hang()
    await ref.tell(hang)
    await hang.began.wait()
    teller = await system.spawn(Doer(), name="teller")

    async def tell_and_kill(_actor):
        await ref.tell("queued")
        await ref.kill()

    await teller.ask(tell_and_kill)
    (letter,) = system.dead_letters
    assert letter.sender is teller


# -- priorities


async def test_the_most_urgent_message_is_taken_first_and_equal_ones_in_the_order_they_came(system):
    """R49: first in, first out, within one priority."""
    mailbox = Mailbox(priority=lambda message: message[0] if isinstance(message, tuple) else 0)
    actor, _, gate = await busy(
        system, mailbox, "plain 1", (-1, "a"), (5, "a"), "plain 2", (5, "b"), (7, "a"), (-1, "b")
    )
    gate.open()
    await quiet()
    assert actor.log == [(7, "a"), (5, "a"), (5, "b"), "plain 1", "plain 2", (-1, "a"), (-1, "b")]


async def test_an_urgent_sender_waits_for_room_in_front_of_others(system):
    """And equal ones in the order they came."""
    actor, ref, gate = await busy(system, Mailbox(1, priority=lambda message: message == "urgent"), "a")
    async with anyio.create_task_group() as group:
        for message in ("b", "c", "urgent", "d"):
            Call(group, ref.tell, message)
            await quiet()
        assert ref.statistics().mailbox.waiting == 4
        gate.open()
    await ref.ask("last")
    assert actor.log == ["a", "urgent", "b", "c", "d", "last"]


@pytest.mark.parametrize(
    ("when_full", "sent", "dropped", "taken"),
    [
        ("drop_oldest", "x", "a", ["cc", "bb", "d", "x"]),
        ("drop_oldest", "xx", "a", ["cc", "bb", "d", "xx"]),
        ("drop_oldest", "", "", ["cc", "bb", "a", "d"]),
        ("drop_newest", "x", "x", ["cc", "bb", "a", "d"]),
        ("drop_newest", "xx", "d", ["cc", "bb", "xx", "a"]),
        ("drop_newest", "", "", ["cc", "bb", "a", "d"]),
    ],
)
async def test_what_is_dropped_is_one_of_the_least_urgent(system, when_full, sent, dropped, taken):
    """The new one included: the oldest of them, or the newest."""
    mailbox = Mailbox(4, when_full=when_full, priority=lambda message: len(message) if isinstance(message, str) else 9)
    actor, ref, gate = await busy(system, mailbox, "cc", "bb", "a", "d")
    await ref.tell(sent)
    gate.open()
    await quiet()
    assert [letter.message for letter in system.dead_letters] == [dropped]
    assert sorted(actor.log) == sorted(taken)
    assert [len(message) for message in actor.log] == sorted(map(len, taken), reverse=True)


async def test_what_a_priority_raises_goes_to_the_sender_and_nothing_was_sent(system, settlements):
    actor, ref, gate = await busy(system, Mailbox(1, priority=lambda message: 1 / (message != "bad")))
    for send in (ref.ask, ref.tell, ref.request):
        with pytest.raises(ZeroDivisionError):
            await send("bad")
    await ref.tell("good")
    with pytest.raises(ZeroDivisionError):
        await ref.tell("bad")  # it would have to wait for room
    with pytest.raises(ValueError, match="not a number"):
        await (await system.spawn(Doer(), mailbox=Mailbox(priority=lambda _: float("nan")))).tell("bad")
    gate.open()
    await ref.ask("last")
    assert actor.log == ["good", "last"]
    assert set(settlements.values()) == {1}


async def test_many_withdrawals_leave_the_others_in_order_of_their_priority(system):
    """R49: also when the queue tidies itself up."""
    actor, ref, gate = await busy(
        system, Mailbox(priority=lambda message: message % 3 if isinstance(message, int) else 9)
    )
    runs = [await ref.request(number, run_id=str(number)) for number in range(300)]
    for number in range(300):
        if number % 10:
            assert ref.withdraw(str(number)) == [number]
    gate.open()
    assert [await run for run in runs[::10]] == list(range(0, 300, 10))
    assert actor.log == sorted(range(0, 300, 10), key=lambda number: -(number % 3))


# -- refused mailboxes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"when_full": "explode"}, "when_full is one of block"),
        ({"priority": 3}, "priority is a function"),
        ({"expiry": 0}, "expiry is a positive number"),
        ({"expiry": True}, "expiry is a positive number"),
        ({"stash_capacity": 0}, "stash capacity is a positive whole number"),
    ],
)
def test_a_mailbox_that_cannot_be_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Mailbox(**options)


# -- statistics


async def test_the_statistics_of_a_mailbox_count_what_became_of_its_messages(system):
    _, ref, gate = await busy(system, Mailbox(3, when_full="drop_oldest"), "a", "b", "c", "d", "e")
    seen = ref.statistics().mailbox
    assert (seen.capacity, seen.depth, seen.peak, seen.dropped) == (3, 3, 3, 2)
    gate.open()
    await quiet()
    await ref.ask("last")
    seen = ref.statistics().mailbox
    assert (seen.depth, seen.peak, seen.dropped, seen.rejected, seen.expired, seen.waiting) == (0, 3, 2, 0, 0, 0)


async def test_a_mailbox_without_bounds_says_how_deep_it_is(system):
    _, ref, _ = await busy(system, None, "a", "b")
    seen = ref.statistics().mailbox
    assert (seen.capacity, seen.depth, seen.peak, seen.dropped) == (None, 2, None, 0)


async def test_senders_that_wait_for_room_are_counted_and_stopped_with_the_actor(system):
    _, ref, _ = await busy(system, Mailbox(1), "a")
    async with anyio.create_task_group() as group:
        calls = [Call(group, ref.tell, "b"), Call(group, ref.ask, "c")]
        await quiet()
        with pytest.raises(MailboxFull):
            ref.tell_nowait("d")
        seen = ref.statistics().mailbox
        assert (seen.depth, seen.waiting, seen.rejected) == (1, 2, 1)
        await ref.stop(drain=False)
        assert await calls[0].ended() == "returned"
        with pytest.raises(ActorStopped):
            await calls[1].result()
    assert [letter.message for letter in system.dead_letters] == ["a", "b"]


async def test_an_ask_that_is_dropped_in_an_interrupted_run_leaves_nothing_behind(system, settlements):
    """Promise 8."""
    _, ref, _ = await busy(system, Mailbox(1, when_full="drop_oldest"))
    asker = await system.spawn(Doer())

    async def ask_it(_actor):
        return await ref.ask("asked")

    run = await asker.request(ask_it)
    await quiet()
    await ref.tell("instead")
    with pytest.raises(MessageDropped):
        await run
    assert set(settlements.values()) == {1}
    assert not issubclass(MessageExpired, MessageDropped)
