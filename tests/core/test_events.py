"""What happens in a system can be subscribed to, and a subscriber that is slow, or fails, blocks nobody."""

from __future__ import annotations

import anyio
import pytest

from actors import ActorSystem, UsageError, WrongThreadError, events
from tests._support import Call, Doer, Hang, quiet


def seen(subscription):
    return [(type(event).__name__, event.path) for event in subscription.pending()]


async def test_the_life_of_an_actor_is_told_in_order(system):
    with system.events() as told:
        ref = await system.spawn(Doer(), name="it")
        hang = Hang()
        run = await ref.request(hang)
        await hang.began.wait()
        await run.interrupt("enough", by="anna")
        await ref.stop()
        await ref.tell("too late")
        started, interrupted, stopped, letter = told.pending()
    assert started == events.Started("system/it", at=started.at)
    assert interrupted == events.Interrupted("system/it", run.id, "enough", "anna", "caller", at=interrupted.at)
    assert stopped == events.Stopped("system/it", "stopped", at=stopped.at)
    assert letter == events.DeadLetter("system/it", "too late", "the actor has stopped", at=letter.at)
    assert started.at <= interrupted.at <= stopped.at <= letter.at


async def test_an_actor_that_is_killed_is_told_as_killed_and_one_that_did_not_start_is_not_told(system):
    class Fails(Doer):
        async def on_start(self):
            raise ZeroDivisionError

    with system.events() as told:
        await (await system.spawn(Doer(), name="it")).kill()
        with pytest.raises(ZeroDivisionError):
            await system.spawn(Fails())
        assert [(type(event), event.reason) for event in told.pending()[1:]] == [(events.Stopped, "killed")]


async def test_only_the_kinds_that_are_wanted_come(system):
    with system.events(events.Stopped, events.DeadLetter) as told:
        ref = await system.spawn(Doer(), name="it")
        await ref.stop()
        await ref.tell("too late")
        assert seen(told) == [("Stopped", "system/it"), ("DeadLetter", "system/it")]


async def test_a_reader_is_woken_and_ends_with_the_system(new_system):
    heard = []

    async def read(told):
        async for event in told:
            heard.append(type(event))  # noqa: PERF401 - as they come

    async with anyio.create_task_group() as group:
        async with new_system() as system:
            told = system.events()
            told.__enter__()
            call = Call(group, read, told)
            await quiet()
            await system.spawn(Doer())
            await quiet()
            assert heard == [events.Started]
            assert not call.over
        assert await call.ended() == "returned"
        told.__exit__(None, None, None)
    assert heard == [events.Started, events.Stopped]


async def test_a_reader_that_is_slow_loses_the_oldest_and_is_told_how_many(system):
    """R34: delivery is bounded."""
    ref = await system.spawn(Doer())
    await ref.stop()
    with system.events(events.DeadLetter, capacity=3) as told:
        for number in range(10):
            ref.tell_nowait(number)
        assert [event.message for event in told.pending()] == [7, 8, 9]
        assert told.missed == 7
        ref.tell_nowait("next")
        async for event in told:
            assert event.message == "next"
            break
    ref.tell_nowait("after the end")
    assert told.pending() == []


async def test_one_reader_that_takes_nothing_changes_nothing_for_another(system):
    """R58."""
    ref = await system.spawn(Doer())
    await ref.stop()
    with system.events(capacity=1), system.events(capacity=5) as told:
        for number in range(5):
            ref.tell_nowait(number)
        assert [event.message for event in told.pending()] == [0, 1, 2, 3, 4]


async def test_no_event_is_made_while_nobody_listens(system, monkeypatch):
    """It costs next to nothing."""

    def never(*_):
        raise AssertionError("an event was published")

    with system.events():
        pass
    monkeypatch.setattr(system.event_stream, "publish", never)
    ref = await system.spawn(Doer())
    hang = Hang()
    await ref.tell(hang)
    await hang.began.wait()
    await ref.interrupt()
    await ref.stop()
    await ref.tell("too late")
    assert system.dead_letters.count == 1


async def test_a_subscription_that_cannot_be_right_is_refused(system):
    with pytest.raises(UsageError, match="positive"):
        system.events(capacity=0)
    with pytest.raises(UsageError, match="has not been opened"), ActorSystem().events():
        pass

    def elsewhere():
        with pytest.raises(WrongThreadError), system.events():
            pass

    await anyio.to_thread.run_sync(elsewhere)
