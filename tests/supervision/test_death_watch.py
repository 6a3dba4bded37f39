"""Promise 15, R57: a watcher hears of a death exactly once, after the name is free again."""

from __future__ import annotations

import anyio
import pytest

from actors import ActorStopped, Mailbox, Terminated, UsageError, one_for_one
from tests._support import Call, Doer, Gate, Hang, quiet
from tests.supervision._team import AT_ONCE, BrokenError, Maker, Member, dead, fail, number, restarted


def watching(*refs):
    """A message whose reply is that the actor watches these."""

    async def reply(actor):
        for ref in refs:
            actor.context.watch(ref)

    return reply


@pytest.fixture
async def watcher(system):
    """The maker of a watcher, and its ref."""
    maker = Maker(name="watcher", options={"supervision": one_for_one(backoff=AT_ONCE)})
    return maker, await maker.spawn(system)


def told(maker):
    return [(terminated.ref.name, terminated.reason) for terminated in maker.heard]


@pytest.mark.parametrize("end", ["stop", "stop now", "kill", "stops itself", "fails", "is given up"])
async def test_it_hears_how_the_actor_has_ended_once(system, watcher, end):
    maker, ref = watcher
    policy = one_for_one("stop") if end == "fails" else one_for_one(times=0)
    other = await Maker(name="other", options={"supervision": policy}).spawn(system)
    await ref.ask(watching(other, other))
    await ref.ask(watching(other))
    match end:
        case "kill":
            await other.kill()
        case "stops itself":
            await other.tell(lambda actor: actor.context.ref.stop())
        case "fails" | "is given up":
            await other.tell(fail())
        case _:
            await other.stop(drain=end == "stop")
    await dead(other)
    await other.stop()
    await other.kill()
    await quiet()
    (terminated,) = maker.heard
    assert terminated.ref is other
    assert terminated.reason == {"kill": "killed", "fails": "failed", "is given up": "failed"}.get(end, "stopped")
    assert (type(terminated.error) is BrokenError) == (terminated.reason == "failed")
    if terminated.error is not None:
        terminated.error.__traceback__ = None  # it holds on to what failed


async def test_the_name_is_free_when_it_hears(system):
    class Respawns(Member):
        async def on_terminated(self, terminated, /):
            assert self.context.system.find(terminated.ref.path) is None
            again.append(await self.context.system.spawn(Doer(), name=terminated.ref.name))

    again = []
    ref = await Maker(kind=Respawns).spawn(system)
    other = await system.spawn(Doer(), name="other")
    await ref.ask(watching(other))
    await other.stop()
    await quiet()
    assert system.find("other") is again[0]


async def test_it_hears_between_two_runs_before_all_messages_and_in_a_full_mailbox(system):
    """R37, promise 9: never behind messages, never dropped, and it does not count."""
    maker = Maker(options={"mailbox": Mailbox(3)})
    ref = await maker.spawn(system)
    others = [await system.spawn(Doer(), name=name) for name in "ab"]
    await ref.ask(watching(*others))
    gate = Gate()
    runs = [await ref.request(gate)]
    await gate.began.wait()

    async def look(actor):
        return told(actor.maker)

    runs += [await ref.request(look) for _ in range(3)]
    for other in others:
        await other.stop()
    await quiet()
    assert maker.heard == []  # one thing at a time
    gate.open()
    assert await runs[1] == [("a", "stopped"), ("b", "stopped")]
    for run in runs:
        await run


async def test_a_watcher_that_is_restarted_still_hears(system, watcher):
    """What came before it failed, while it was away, and afterwards."""
    maker, ref = watcher
    gate = Gate()

    class Slow(Member):
        async def on_stop(self):
            if self.number == 2:
                await gate(self)

    maker.kind = Slow
    others = [await system.spawn(Doer(), name=name) for name in "abc"]
    await ref.ask(watching(*others))
    await ref.tell(fail())
    await restarted(ref)
    await others[0].stop()
    await quiet()
    await ref.tell(fail())
    await gate.began.wait()
    await others[1].stop()
    await quiet()
    gate.open()
    await restarted(ref, 2)
    await others[2].stop()
    await quiet()
    assert [line for line in maker.log if "hears" in line] == [
        "watcher2 hears: a stopped",
        "watcher3 hears: b stopped",
        "watcher3 hears: c stopped",
    ]


async def test_a_watched_actor_that_is_restarted_has_not_ended(system, watcher):
    maker, ref = watcher
    other = await Maker(name="other", options={"supervision": one_for_one(backoff=AT_ONCE)}).spawn(system)
    await ref.ask(watching(other))
    await other.tell(fail())
    await restarted(other)
    await quiet()
    assert maker.heard == []
    await other.stop()
    await quiet()
    assert told(maker) == [("other", "stopped")]


@pytest.mark.parametrize("end", ["stop", "kill", "fails"])
async def test_watching_one_that_has_ended_answers_at_once(system, watcher, end):
    """With how; its error, and all that hangs on it, is gone by then."""
    maker, ref = watcher
    other = await Maker(name="other", options={"supervision": one_for_one("stop")}).spawn(system)
    match end:
        case "fails":
            await other.tell(fail())
        case _:
            await getattr(other, end)()
    await dead(other)
    await ref.ask(watching(other, other))
    await quiet()
    reason = {"stop": "stopped", "kill": "killed", "fails": "failed"}[end]
    assert maker.heard == [Terminated(other, reason)]


async def test_unwatch_is_believed_also_for_what_waits_to_be_told(system, watcher):
    maker, ref = watcher
    one, two, three = [await system.spawn(Doer(), name=name) for name in ("one", "two", "three")]

    async def change_mind(actor):
        actor.context.unwatch(one)
        await two.stop()
        await one.stop()
        actor.context.unwatch(two)
        actor.context.unwatch(three)
        actor.context.watch(three)

    await ref.ask(watching(one, two, three))
    await ref.ask(change_mind)
    await three.stop()
    await quiet()
    assert told(maker) == [("three", "stopped")]


async def test_it_can_be_watched_from_on_start_and_by_several_in_the_order_in_which_they_began(system):
    log = []

    class Watches(Member):
        async def on_start(self):
            self.context.watch(other)

    other = await system.spawn(Doer(), name="other")
    for name in "abc":
        await Maker(log, name, kind=Watches).spawn(system)
    await other.stop()
    await quiet()
    assert log == ["a1 hears: other stopped", "b1 hears: other stopped", "c1 hears: other stopped"]


async def test_two_that_watch_each_other(system):
    one, two = Maker(name="one"), Maker(name="two")
    refs = [await maker.spawn(system) for maker in (one, two)]
    await refs[0].ask(watching(refs[1]))
    await refs[1].ask(watching(refs[0]))
    await refs[0].stop()
    await quiet()
    assert (told(one), told(two)) == ([], [("one", "stopped")])
    await refs[1].stop()
    assert told(one) == []


async def test_a_parent_hears_of_a_child_that_has_ended_and_not_of_those_that_end_with_it(system, watcher):
    """When it stops, and when it is restarted, it ends its children itself."""
    maker, ref = watcher

    async def spawn_and_watch(actor):
        children = [await actor.context.spawn(Doer(), name=name) for name in "ab"]
        for child in children:
            actor.context.watch(child)
        return children

    first, _ = await ref.ask(spawn_and_watch)
    await first.stop()
    await quiet()
    assert told(maker) == [("a", "stopped")]
    await ref.tell(fail())
    await restarted(ref)
    await quiet()
    assert await ref.ask(number) == 2
    assert told(maker) == [("a", "stopped")]
    await ref.stop()
    assert told(maker) == [("a", "stopped")]


async def test_a_watcher_that_drains_still_hears_and_one_that_has_ended_is_forgotten(system):
    maker = Maker()
    ref = await maker.spawn(system)
    one, two = [await system.spawn(Doer(), name=name) for name in ("one", "two")]
    await ref.ask(watching(one, two))
    gate = Gate()
    await ref.tell(gate)
    await gate.began.wait()
    async with anyio.create_task_group() as group:
        group.start_soon(ref.stop)
        await quiet()
        await one.stop()
        gate.open()
    assert told(maker) == [("one", "stopped")]
    assert two._cell.bonds.watchers == {}
    await two.stop()
    assert told(maker) == [("one", "stopped")]


async def test_the_hook_is_not_interruptible_and_its_failure_is_one_of_the_actor(system):
    gate = Gate()

    class Fails(Member):
        async def on_terminated(self, terminated, /):
            if self.number == 1:
                await gate(self)
                raise BrokenError("in the hook")
            await super().on_terminated(terminated)

    maker = Maker(kind=Fails, options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    one, two = [await system.spawn(Doer(), name=name) for name in ("one", "two")]
    await ref.ask(watching(one, two))
    await one.stop()
    await gate.began.wait()
    assert (await ref.interrupt()).outcome == "idle"
    gate.open()
    await restarted(ref)
    await two.stop()
    await quiet()
    assert maker.log[2:] == ["it2 restarts: BrokenError('in the hook')", "it2 starts", "it2 hears: two stopped"]


async def test_without_supervision_a_hook_that_fails_is_logged_and_the_actor_goes_on(system, caplog):
    class Fails(Member):
        async def on_terminated(self, terminated, /):
            raise BrokenError

    ref = await Maker(kind=Fails).spawn(system)
    other = await system.spawn(Doer())
    await ref.ask(watching(other))
    await other.stop()
    assert await ref.ask(number) == 1
    assert any(getattr(record, "event", None) == "note.failed" for record in caplog.records)


async def test_what_cannot_be_right_is_refused(system):
    """An actor without the hook would hear nothing; and nobody outlives his own end."""
    ref, other = await system.spawn(Doer()), await system.spawn(Doer())
    with pytest.raises(UsageError, match="on_terminated"):
        await ref.ask(watching(other))
    able = await Maker().spawn(system)
    with pytest.raises(UsageError, match="itself"):
        await able.ask(watching(able))
    contexts = []

    async def give(actor):
        contexts.append(actor.context)

    await able.ask(give)
    await able.stop()
    with pytest.raises(ActorStopped):
        contexts[0].watch(other)


async def test_from_outside_an_actor_join_waits_for_the_end_and_not_for_a_restart(system):
    maker = Maker(options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    async with anyio.create_task_group() as group:
        join = Call(group, ref.join)
        await ref.tell(fail())
        await restarted(ref)
        await quiet()
        assert not join.over
        await ref.stop()
        assert await join.ended() == "returned"


async def test_the_death_of_a_busy_actor_is_heard_after_its_reply_has_ended(system, watcher):
    """R29: never the end before the end."""
    maker, ref = watcher
    hang, order = Hang(), []
    other = await system.spawn(Doer(), name="other")
    await ref.ask(watching(other))
    run = await other.request(hang)
    await hang.began.wait()
    async with anyio.create_task_group() as group:
        group.start_soon(other.stop)
        await quiet()
        assert maker.heard == []
        await run.interrupt()
        order.append(run.status)
    await quiet()
    assert (order, told(maker)) == (["interrupted"], [("other", "stopped")])
