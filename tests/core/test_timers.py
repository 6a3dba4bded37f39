"""Timers: messages that an actor sends to itself, later or again and again. All in virtual time."""

from __future__ import annotations

import contextvars
import math
import weakref

import anyio
import pytest

from actors import Actor, Mailbox, UsageError
from tests._leaks import tasks, timers
from tests._support import Doer, Gate, Hang, quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401

var = contextvars.ContextVar("var", default="nothing")


class Clock(Actor[object, object]):
    """Notes when it was told what; can be kept busy."""

    def __init__(self):
        self.told = []
        self.log = []

    async def reply(self, message, /):
        if callable(message):
            return await message(self)
        self.told.append((round(anyio.current_time() - self.began, 1), message))
        return message

    async def on_start(self):
        self.began = anyio.current_time()

    async def handle_interrupt(self, message, interruption, /):
        return interruption


async def clock(system):
    """The ref, and the actor."""
    actor = Clock()
    return await system.spawn(actor, name="clock"), actor


# -- after


async def test_after_so_many_seconds_the_actor_is_told_once(system):
    _, actor = await clock(system)
    timer = actor.context.after(5, "five")
    actor.context.after(2, "two")
    actor.context.after(0, "now")
    assert timer.active
    await anyio.sleep(60)
    assert actor.told == [(0.0, "now"), (2.0, "two"), (5.0, "five")]
    assert not timer.active


async def test_equal_times_come_in_the_order_in_which_they_were_set(system):
    _, actor = await clock(system)
    due = [actor.context.after(1, number) for number in range(20)]
    await anyio.sleep(3)
    assert [message for _, message in actor.told] == list(range(len(due)))


async def test_a_timer_that_was_cancelled_sends_nothing(system):
    _, actor = await clock(system)
    timer, other = actor.context.after(5, "five"), actor.context.after(6, "six")
    await anyio.sleep(3)
    assert timer.cancel()
    assert not timer.cancel()
    await anyio.sleep(10)
    assert actor.told == [(6.0, "six")]
    assert not other.cancel()


async def test_a_timer_comes_earlier_than_those_that_were_set_before(system):
    """The one task that sleeps is woken to look again."""
    _, actor = await clock(system)
    actor.context.after(100, "late")
    await anyio.sleep(1)
    actor.context.after(1, "early")
    await anyio.sleep(2)
    assert actor.told == [(2.0, "early")]


# -- every


async def test_every_so_many_seconds_the_actor_is_told_until_that_is_cancelled(system):
    _, actor = await clock(system)
    timer = actor.context.every(2, "tick")
    await anyio.sleep(7)
    assert timer.active
    assert timer.cancel()
    await anyio.sleep(20)
    assert actor.told == [(2.0, "tick"), (4.0, "tick"), (6.0, "tick")]


async def test_it_does_not_drift(system):
    """The hundredth time is as exact as the first one, though each reply and each turn of the loop takes a while."""
    _, actor = await clock(system)
    actor.context.every(0.3, "tick")
    await anyio.sleep(30.2)
    times = [time for time, _ in actor.told]
    assert times == [round(0.3 * number, 1) for number in range(1, 101)]


async def test_nothing_piles_up_while_the_actor_is_slow(system):
    """At most one tick waits for its turn, and times that were missed are not made up for."""
    ref, actor = await clock(system)
    actor.context.every(1, "tick")
    gate = Gate()
    await ref.tell(gate)
    await gate.began.wait()
    await anyio.sleep(10.5)
    assert ref.statistics().queued == 1
    gate.open()
    await anyio.sleep(2)
    assert [round(time) for time, _ in actor.told] == [10, 11, 12]
    assert [time for time, _ in actor.told[1:]] == [11.0, 12.0]


async def test_a_tick_waits_while_the_one_before_it_is_being_answered(system):
    """It is not lost: what does not pile up is what waits."""

    class Slow(Clock):
        async def reply(self, message, /):
            await super().reply(message)
            await anyio.sleep(1.5)

    actor = Slow()
    await system.spawn(actor)
    actor.context.every(1, "tick")
    await anyio.sleep(6)
    assert [time for time, _ in actor.told] == [1.0, 2.5, 4.0, 5.5]


async def test_a_tick_that_was_withdrawn_or_interrupted_is_followed_by_others(system):
    ref, actor = await clock(system)
    actor.context.every(1, "tick")
    gate = Gate()
    await ref.tell(gate)
    await anyio.sleep(1.5)
    assert ref.withdraw() == ["tick"]
    await anyio.sleep(1)
    assert ref.statistics().queued == 1
    gate.open()
    await quiet()
    await anyio.sleep(1)
    assert len(actor.told) == 2


async def test_a_loop_that_was_held_up_for_long_goes_on_at_the_times_that_were_fixed(system):
    """Without a burst of ticks."""
    _, actor = await clock(system)
    actor.context.every(1, "tick")
    timetable = system.timetable
    real = timetable._ring

    async def held_up(now):
        timetable._ring = real
        await anyio.sleep(6.25)  # the whole process was suspended
        await real(now)

    timetable._ring = held_up
    await anyio.sleep(10.5)
    assert [time for time, _ in actor.told] == [7.3, 8.0, 9.0, 10.0]


# -- what it is


async def test_the_message_is_a_tell_in_the_context_of_who_set_the_timer(system):
    """Promise 13; and each tick has a context of its own."""
    ref, actor = await clock(system)

    async def note(self):
        self.log.append(var.get())
        var.set("set by the reply")

    async def set_it(self):
        var.set("set by whoever asked")
        self.context.every(1, note)

    await ref.ask(set_it)
    await anyio.sleep(2.5)
    assert actor.log == ["set by whoever asked"] * 2


async def test_a_run_in_which_a_timer_was_set_is_freed(system):
    """R56: a timer that is far away keeps neither the run nor its message."""
    ref, _ = await clock(system)

    class Message:
        async def __call__(self, actor):
            actor.context.after(10_000, "late")

    message = Message()
    gone = weakref.ref(message)
    await ref.ask(message)
    del message
    await quiet()
    assert gone() is None


async def test_an_interrupt_does_not_touch_timers(system):
    ref, actor = await clock(system)

    async def set_and_hang(self):
        self.context.after(1, "later")
        await hang(self)

    hang = Hang()
    await ref.tell(set_and_hang)
    await hang.began.wait()
    assert await ref.interrupt()
    await anyio.sleep(2)
    assert actor.told == [(1.0, "later")]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), True])
async def test_a_time_that_cannot_be_is_refused(system, seconds):
    _, actor = await clock(system)
    with pytest.raises(UsageError, match="a timer of system/clock takes"):
        actor.context.after(seconds, "never")
    with pytest.raises(UsageError, match="positive"):
        actor.context.every(seconds, "never")
    with pytest.raises(UsageError, match="positive"):
        actor.context.every(0, "never")


# -- full mailboxes


@pytest.mark.parametrize(
    ("when_full", "told", "dead"),
    [
        ("block", ["queued", "tick"], []),
        ("reject", ["queued"], ["tick"]),
        ("drop_oldest", ["tick"], ["queued"]),
        ("drop_newest", ["queued"], ["tick"]),
    ],
)
async def test_a_full_mailbox_treats_it_like_other_messages(system, when_full, told, dead):
    """Promise 17: and where a sender would wait for room, it waits by itself."""
    actor = Clock()
    ref = await system.spawn(actor, mailbox=Mailbox(1, when_full=when_full))
    gate = Gate()
    await ref.tell(gate)
    await gate.began.wait()
    await ref.tell("queued")
    actor.context.after(1, "tick")
    await anyio.sleep(2)
    gate.open()
    await quiet()
    assert [message for _, message in actor.told] == told
    assert [letter.message for letter in system.dead_letters] == dead


async def test_an_interval_that_waits_for_room_does_not_pile_up_either(system):
    actor = Clock()
    ref = await system.spawn(actor, mailbox=Mailbox(1))
    gate = Gate()
    await ref.tell(gate)
    await gate.began.wait()
    await ref.tell("queued")
    actor.context.every(1, "tick")
    await anyio.sleep(5.5)
    assert ref.statistics().mailbox.waiting == 1
    gate.open()
    await quiet()
    assert [message for _, message in actor.told] == ["queued", "tick"]


# -- the end of its owner


@pytest.mark.parametrize("end", ["stop", "stop now", "kill", "parent"])
async def test_timers_end_with_their_actor(system, end):
    parent = await system.spawn(Doer())
    actor = Clock()

    async def start(self):
        return await self.context.spawn(actor)

    ref = await parent.ask(start)
    handles = [actor.context.after(5, "five"), actor.context.every(1, "tick")]
    await {
        "stop": ref.stop,
        "stop now": lambda: ref.stop(drain=False),
        "kill": ref.kill,
        "parent": parent.stop,
    }[end]()
    assert [handle.active for handle in handles] == [False, False]
    await anyio.sleep(10)
    assert actor.told == []
    assert list(system.dead_letters) == []


async def test_timers_are_off_as_soon_as_the_actor_begins_to_end(system):
    """Promise 19: timers off first; one that is set while it drains never runs."""
    ref, actor = await clock(system)
    actor.context.every(1, "tick")
    gate = Gate()
    await ref.tell(gate)
    await gate.began.wait()
    handles = []

    async def set_one(self):
        handles.append(self.context.after(0, "late"))
        await anyio.sleep(5)

    await ref.tell(set_one)
    async with anyio.create_task_group() as group:
        group.start_soon(ref.stop)
        await quiet()
        gate.open()
    assert [handle.active for handle in handles] == [False]
    assert actor.told == []


async def test_timers_are_off_before_the_system_drains(new_system):
    """Promise 19: or an interval would go on until ``drain_timeout`` is over, and after it."""
    actor = Clock()

    async def set_one(self):
        await anyio.sleep(3)
        self.log.append(self.context.every(1, "tick").active)

    async with new_system(drain_timeout=100) as system:
        ref = await system.spawn(actor)
        actor.context.every(1, "tick")
        await anyio.sleep(2.5)
        await ref.tell(set_one)
    assert [time for time, _ in actor.told] == [1.0, 2.0]
    assert actor.log == [False]


async def test_no_timer_rings_after_a_sudden_end(new_system):
    actor = Clock()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with new_system() as system:
            await system.spawn(actor)
            handle = actor.context.every(1, "tick")
            raise ZeroDivisionError
    assert not handle.active
    assert actor.told == []


# -- idle


async def test_there_is_no_task_for_each_timer_and_one_native_timer_for_all(system):
    """R53, promise 20."""
    before = len(tasks()), len(timers())
    actors = [Clock() for _ in range(100)]
    for actor in actors:
        await system.spawn(actor)
        for seconds in range(1, 11):
            actor.context.after(seconds, "later")
    await quiet()
    assert len(tasks()) - before[0] <= 12
    assert len(timers()) - before[1] <= 1
    await anyio.sleep(11)
    assert [len(actor.told) for actor in actors] == [10] * 100


async def test_without_timers_nothing_is_set_and_nothing_wakes_up(system):
    """R53: also when the last one was cancelled rather than due."""
    _, actor = await clock(system)
    await quiet()
    before = len(timers())
    handles = [actor.context.after(1000, "late"), actor.context.every(1000, "late")]
    await quiet()
    assert system.timetable._sleep.deadline < 2000
    for handle in handles:
        handle.cancel()
    await quiet()
    assert len(timers()) == before
    assert system.timetable._sleep.deadline == math.inf


async def test_cancelled_timers_do_not_pile_up_until_they_are_due(system):
    """A timeout that is set and cancelled for each message."""
    _, actor = await clock(system)
    first = actor.context.after(1, "first")
    for _ in range(10_000):
        actor.context.after(1000, "late").cancel()
    assert len(system.timetable.entries) < 200
    assert len(system.roots["clock"].timers) == 1
    await anyio.sleep(2)
    assert (first.active, actor.told) == (False, [(1.0, "first")])


async def test_what_fails_when_it_is_due_leaves_the_others_alone(system, caplog):
    """R58: a mailbox whose priority raises, say."""
    _, actor = await clock(system)
    broken = Clock()
    await system.spawn(broken, mailbox=Mailbox(priority=lambda message: 1 / 0))
    broken.context.after(1, "fails")
    actor.context.after(1, "one")
    actor.context.after(2, "two")
    await anyio.sleep(3)
    assert actor.told == [(1.0, "one"), (2.0, "two")]
    assert "timetable.failed" in [record.event for record in caplog.records]
