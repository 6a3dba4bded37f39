"""Promise 15: a restart takes a new instance from the factory, keeps the rest, and does not retry the message that failed."""

from __future__ import annotations

import gc
import weakref
from contextvars import ContextVar

import anyio
import pytest

from actors import ActorStopped, SpawnError, events, one_for_one
from tests._support import Call, Doer, Gate, Hang, quiet
from tests.supervision._team import AT_ONCE, BrokenError, Maker, Member, dead, fail, number, restarted


@pytest.fixture
def maker():
    return Maker(options={"supervision": one_for_one(backoff=AT_ONCE, times=None)})


async def test_a_new_instance_hears_the_error_first_and_then_starts(system, maker):
    """The old one is stopped; on_restart comes before on_start."""
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await restarted(ref)
    assert maker.log == [
        "it1 starts",
        "it1 stops",
        "it2 restarts: BrokenError('as told')",
        "it2 starts",
    ]


async def test_name_ref_and_mailbox_stay_and_the_message_that_failed_is_not_retried(system, maker, settlements):
    """Promise 8: at most one delivery."""
    tried = []

    async def fails(actor):
        tried.append(actor.number)
        raise BrokenError

    ref = await maker.spawn(system)
    await ref.tell(fails)
    runs = [await ref.request(number) for _ in range(3)]
    assert [await run for run in runs] == [2, 2, 2]
    assert tried == [1]
    assert system.find("it") is ref
    assert list(system.dead_letters) == []
    assert set(settlements.values()) == {1}


async def test_messages_that_come_while_it_is_away_wait(system, maker):
    gate = Gate()

    class Slow(Member):
        async def on_stop(self):
            await gate(self)

    maker.kind = Slow
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await gate.began.wait()
    assert ref.statistics().state == "restarting"
    run = await ref.request(number)
    gate.open()
    assert await run == 2


async def test_a_new_state_is_really_new(system):
    class Counts(Doer):
        def __init__(self):
            super().__init__()
            self.count = 0

    async def count(actor):
        actor.count += 1
        return actor.count

    ref = await system.spawn(Counts, supervision=one_for_one(backoff=AT_ONCE))
    assert [await ref.ask(count), await ref.ask(count)] == [1, 2]
    await ref.tell(fail())
    assert await ref.ask(count) == 1


async def test_the_old_instance_is_freed(system, caplog):
    """R56."""
    made = []

    class Freed(Doer):
        pass

    def make():
        actor = Freed()
        made.append(weakref.ref(actor))
        return actor

    ref = await system.spawn(make, supervision=one_for_one(backoff=AT_ONCE))
    await ref.tell(fail())
    await restarted(ref)
    assert await ref.ask("hello") == "hello"
    await quiet()
    for record in caplog.records:
        record.exc_info = None  # its traceback holds on to what failed
    gc.collect()
    first, second = made
    assert first() is None
    assert second() is not None


async def test_children_are_stopped_before_the_old_instance_and_started_by_the_new_one(system, maker):
    """Last started first, as at any end of a parent."""
    maker.children = [Maker(maker.log, "a"), Maker(maker.log, "b", children=[Maker(maker.log, "c")])]
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await restarted(ref)
    assert maker.log[4:] == [
        "c1 stops",
        "b1 stops",
        "a1 stops",
        "it1 stops",
        "it2 restarts: BrokenError('as told')",
        "it2 starts",
        "a2 starts",
        "b2 starts",
        "c2 starts",
    ]
    assert await system.find("it/b/c").ask(number) == 2


async def test_a_run_that_is_interrupted_while_the_actor_is_away_is_answered_by_the_new_instance(system, maker):
    """Promise 4: at the next turn boundary, before other messages."""
    gate = Gate()

    class Slow(Member):
        async def on_stop(self):
            await gate(self)

        async def handle_interrupt(self, message, interruption, /):
            return self.number, interruption.started

    maker.kind = Slow
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await gate.began.wait()
    first, second = await ref.request(number), await ref.request(number)
    assert (await second.interrupt(grace=0)).outcome == "deferred"
    gate.open()
    assert await second == (2, False)
    assert await first == 2


async def test_an_asker_that_leaves_while_the_actor_is_away_withdraws_its_message(system, maker):
    gate = Gate()

    class Slow(Member):
        async def on_stop(self):
            await gate(self)

    maker.kind = Slow
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await gate.began.wait()
    hang = Hang()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, hang)
        await quiet()
        call.scope.cancel()
    gate.open()
    assert await ref.ask(number) == 2
    assert not hang.began.is_set()


@pytest.mark.parametrize("end", ["stop", "stop now", "kill"])
@pytest.mark.parametrize("when", ["the old one stops", "the new one starts"])
async def test_an_actor_that_is_ended_while_it_is_restarted_stays_so(system, maker, end, when):
    gate = Gate()

    class Slow(Member):
        async def on_start(self):
            await super().on_start()
            if self.number == 2 and when == "the new one starts":
                await gate(self)

        async def on_stop(self):
            if when == "the old one stops":
                await gate(self)
            await super().on_stop()

    maker.kind = Slow
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await gate.began.wait()
    run = await ref.request("queued")
    async with anyio.create_task_group() as group:
        group.start_soon(ref.kill if end == "kill" else lambda: ref.stop(drain=end == "stop"))
        with pytest.raises(ActorStopped):
            await run
        gate.open()
    assert ref.statistics().state == "dead"
    assert system.find("it") is None
    await quiet()
    assert maker.made == (2 if when == "the new one starts" else 1)
    again = await Maker(maker.log, "it").spawn(system)
    assert await again.ask("hello") == "hello"


async def test_a_reply_of_a_parent_that_is_to_be_restarted_is_interrupted(system):
    """What a child escalates finds its parent at work: that reply ends first, and its asker gets what it made of it."""
    child = Maker(name="child", options={"supervision": one_for_one("escalate")})
    parent = Maker(name="parent", children=[child], options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await parent.spawn(system)
    hang = Hang()
    run = await ref.request(hang)
    await hang.began.wait()
    await system.find("parent/child").tell(fail())
    interruption = await run
    assert interruption.reason == "the actor is being restarted"
    assert await ref.ask(number) == 2


async def test_a_factory_that_gives_the_same_instance_again_is_found_out(system, caplog):
    actor = Doer()
    ref = await system.spawn(lambda: actor, supervision=one_for_one(backoff=AT_ONCE, times=2))
    with system.events(events.Stopped) as told:
        await ref.tell(fail())
        await dead(ref)
        (stopped,) = told.pending()
    assert isinstance(stopped.error, SpawnError)


async def test_the_statistics_and_the_events_tell_of_it(system, maker):
    ref = await maker.spawn(system)
    with system.events() as told:
        mine = BrokenError("mine")
        await ref.tell(fail(mine))
        await restarted(ref)
        (event,) = told.pending()
    assert isinstance(event, events.Restarted)
    assert (event.path, event.error, event.restarts) == ("system/it", mine, 1)
    assert event.pause >= 0
    assert (ref.statistics().restarts, ref.statistics().failed) == (1, 1)


async def test_a_restarted_actor_keeps_the_context_variables_of_its_spawn(system):
    """Promise 13: on_start runs in the context of whoever spawned it, and leaves nothing in it for the next instance."""
    variable = ContextVar("variable", default="nothing")
    found = []

    class Looks(Doer):
        async def on_start(self):
            found.append(variable.get())
            variable.set("left behind")

    variable.set("spawner's")
    ref = await system.spawn(Looks, supervision=one_for_one(backoff=AT_ONCE))
    variable.set("later")
    await ref.tell(fail())
    await restarted(ref)
    assert found == ["spawner's", "spawner's"]


async def test_leaving_the_system_waits_for_an_actor_that_is_restarted_and_has_messages(new_system):
    """Promise 19: it drains."""
    maker = Maker(options={"supervision": one_for_one(times=None)})
    async with new_system() as system:
        ref = await maker.spawn(system)
        await ref.tell(fail())
        run = await ref.request(number)
    assert await run == 2
    assert maker.log[-1] == "it2 stops"


@pytest.mark.parametrize("how", ["by an exception", "by a cancellation"])
async def test_a_system_that_is_left_suddenly_restarts_nothing_and_leaves_nothing(new_system, how):
    maker = Maker(options={"supervision": one_for_one(times=None)})
    with anyio.CancelScope() as scope:
        try:
            async with new_system() as system:
                ref = await maker.spawn(system)
                await ref.tell(fail())
                run = await ref.request("queued")
                await quiet()
                assert ref.statistics().state == "restarting"
                if how == "by an exception":
                    1 / 0  # noqa: B018
                scope.cancel()
                await anyio.sleep_forever()
        except ZeroDivisionError:
            pass
    with pytest.raises(ActorStopped):
        await run
    assert maker.made == 1
