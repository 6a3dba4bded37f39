"""Promise 19: how a system is left, and that nothing of it is left then."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from actors import ActorStopped, ActorSystem
from tests._support import Call, Doer, Gate, Hang, quiet, turns


class Noting(Doer):
    """Notes in a list that it shares with others when it stops."""

    def __init__(self, name, notes, children=()) -> None:
        super().__init__()
        self.name, self.notes, self.children = name, notes, children

    async def on_start(self):
        for child in self.children:
            await self.context.spawn(child, name=child.name)

    async def on_stop(self):
        await turns(2)
        self.notes.append(self.name)


def family(notes):
    return Noting("parent", notes, [Noting("one", notes), Noting("two", notes, [Noting("grandchild", notes)])])


async def test_leaving_drains_and_then_stops_in_reverse_start_order(new_system):
    """R51: children before parents."""
    notes = []
    async with new_system() as system:
        first = await system.spawn(Noting("first", notes), name="first")
        await system.spawn(family(notes), name="parent")
        runs = [await first.request(number) for number in range(3)]
        runs.append(await system.find("parent/two/grandchild").request("hello"))
    assert [run.status for run in runs] == ["completed"] * 4
    assert notes == ["grandchild", "two", "one", "parent", "first"]
    assert system.roots == {}


async def test_everything_drains_before_anything_stops(new_system):
    """Promise 19: parents and children alike may still use each other, and start children."""
    notes, gate = [], Gate()
    async with anyio.create_task_group() as group:
        async with new_system() as system:
            top = await system.spawn(Noting("top", notes), name="top")
            bottom = await system.spawn(Noting("bottom", notes), name="bottom")

            async def late(actor):
                await gate(actor)
                child = await actor.context.spawn(Noting("late child", notes))
                return [await bottom.ask("hello"), await child.ask("hello")]

            run = await top.request(late)
            await gate.began.wait()
            group.start_soon(_open_later, gate)
        assert await run == ["hello", "hello"]
    assert notes == ["bottom", "late child", "top"]


async def _open_later(gate):
    await quiet()
    gate.open()


async def test_replies_that_tell_each_other_more_work_are_drained_to_the_end(new_system):
    """Promise 19: the block is left when nothing is queued or running any more."""
    actors = [Doer(), Doer()]
    async with new_system() as system:
        refs = [await system.spawn(actor) for actor in actors]

        def ping(left):
            async def tell_on(actor):
                actor.log.append(left)
                await turns(left % 3)
                if left:
                    await refs[left % 2].tell(ping(left - 1))

            return tell_on

        await refs[0].tell(ping(30))
    assert sorted(actors[0].log + actors[1].log) == list(range(31))
    assert list(system.dead_letters) == []


async def test_when_the_drain_time_is_over_replies_are_interrupted_and_messages_refused(new_system):
    """R39, R50, R54: handle_interrupt still answers, on_stop still runs."""
    notes, hang = [], Hang()
    async with anyio.create_task_group() as group:
        async with new_system(drain_timeout=0.01) as system:
            actor = Noting("it", notes)
            ref = await system.spawn(actor)
            current = Call(group, ref.ask, hang)
            await hang.began.wait()
            queued = await ref.request("queued")
            await ref.tell("told")
        assert (await current.result()).reason == "the system is closing"
    with pytest.raises(ActorStopped):
        await queued
    assert [i.reason for i in actor.handled] == ["the system is closing"]
    assert [letter.message for letter in system.dead_letters] == ["told"]
    assert notes == ["it"]


async def test_replies_that_never_stop_giving_each_other_work_are_cut_off_by_the_drain_time(new_system):
    """Promise 19: it is not left to them when the block is left."""
    async with new_system(drain_timeout=0.02) as system:
        refs = [await system.spawn(Doer()) for _ in range(2)]

        def ping(number):
            async def tell_on(_actor):
                refs[number % 2].tell_nowait(ping(number + 1))

            return tell_on

        await refs[0].tell(ping(0))
    assert system.roots == {}
    assert system.dead_letters.count == 1


async def test_a_system_inside_a_reply_ends_with_it(new_system):
    """Promise 5: an interrupt of the reply is a cancellation from outside for the system in it."""
    notes, hang = [], Hang()
    inner_actor = Noting("inner", notes)

    async def host(_actor):
        async with new_system("inner") as inner:
            ref = await inner.spawn(inner_actor)
            assert await ref.ask("hello") == "hello"
            await ref.ask(hang)

    async with new_system("outer") as outer:
        ref = await outer.spawn(Doer())
        run = await ref.request(host)
        await hang.began.wait()
        await run.interrupt("enough")
        assert (await run).reason == "enough"
        assert notes == ["inner"]
        assert await ref.ask("alive") == "alive"
    assert hang.cut


async def test_an_on_start_that_hangs_is_cut_when_the_drain_time_is_over(new_system):
    """Promise 19: whoever spawns from outside the block is told."""
    hang = Hang()

    class Endless(Doer):
        async def on_start(self):
            await hang(self)

    async with anyio.create_task_group() as group:

        async def use():
            async with new_system(drain_timeout=0.01) as system:
                systems.append(system)
                spawns.append(Call(group, system.spawn, Endless(), name="endless"))
                await hang.began.wait()

        systems, spawns = [], []
        left = Call(group, use)
        with anyio.move_on_after(1):
            await left.ended()
        by_itself = left.over
        if not by_itself:
            await systems[0].find("endless").kill()
        with pytest.raises(ActorStopped):
            await spawns[0].result()
    assert by_itself
    assert hang.cut


async def test_the_drain_time_is_finite_by_default(new_system):
    """Promise 19."""
    assert 0 < new_system().drain_timeout < float("inf")


async def test_no_drain_time_at_all_interrupts_at_once(new_system):
    hang = Hang()
    async with new_system(drain_timeout=0) as system:
        ref = await system.spawn(Doer())
        run = await ref.request(hang)
        await hang.began.wait()
    assert run.status == "interrupted"


async def test_an_error_in_the_block_leaves_it_at_once_and_as_itself(new_system):
    """Promise 19: no drain, no handle_interrupt, but on_stop."""
    notes, hang = [], Hang()
    actor = Noting("it", notes)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - what raises is the block
        async with new_system() as system:
            ref = await system.spawn(actor)
            run, queued = await ref.request(hang), await ref.request("queued")
            await ref.tell("told")
            await hang.began.wait()
            raise ZeroDivisionError
    assert hang.cut
    assert [run.status, queued.status] == ["stopped", "stopped"]
    assert actor.handled == []
    assert notes == ["it"]
    assert [letter.message for letter in system.dead_letters] == ["told"]


async def test_an_error_group_in_the_block_is_not_wrapped_again(new_system):
    """The groups of the system are nobody's business."""
    with pytest.raises(ExceptionGroup) as caught:
        async with new_system():
            raise ExceptionGroup("mine", [ZeroDivisionError()])
    assert caught.value.message == "mine"
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)


async def test_a_cancellation_from_outside_cuts_everything_and_goes_on(new_system):
    """Promise 5: without handle_interrupt; on_stop still runs, children first."""
    notes, hang, queued = [], Hang(), []
    parent = family(notes)
    with anyio.CancelScope() as scope:
        async with new_system() as system:
            await system.spawn(parent, name="parent")
            ref = system.find("parent/one")
            queued += [await ref.request(hang), await ref.request("queued")]
            await hang.began.wait()
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert hang.cut
    assert [run.status for run in queued] == ["stopped", "stopped"]
    assert notes == ["grandchild", "two", "one", "parent"]
    assert parent.handled == []


async def test_a_timeout_around_the_system_is_a_timeout(new_system):
    """R1."""
    with pytest.raises(TimeoutError), anyio.fail_after(0.01):  # noqa: PT012 - what raises is the block
        async with new_system() as system:
            ref = await system.spawn(Doer())
            await ref.ask(Hang())
    assert ref.statistics().state == "dead"


async def test_a_cancellation_while_it_drains_ends_the_draining(new_system):
    """Promise 5: it wins over whatever the system is doing."""
    hang = Hang()
    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()

        async def use():
            with scope:
                async with new_system(drain_timeout=1000) as system:
                    await (await system.spawn(Doer())).tell(hang)
                    await hang.began.wait()

        call = Call(group, use)
        await hang.began.wait()
        await quiet()
        assert not call.over
        scope.cancel()
        await call.ended()
    assert hang.cut
    assert scope.cancelled_caught


@pytest.mark.parametrize("where", ["body", "drain", "reply"])
async def test_a_native_cancel_of_the_task_that_hosts_the_system_unwinds_it(new_system, anyio_backend, where):
    """Promise 5: as `CancelledError`, to whoever ordered it."""
    if anyio_backend[0] != "asyncio":
        pytest.skip("trio has no native cancel")
    notes, hang = [], Hang()
    actor = Noting("it", notes)

    async def host():
        async with new_system(drain_timeout=100) as system:
            ref = await system.spawn(actor)
            await (ref.ask(hang) if where == "reply" else ref.tell(hang))
            if where == "body":
                await anyio.sleep_forever()

    task = asyncio.create_task(host())
    await hang.began.wait()
    await quiet()
    task.cancel("from outside")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert hang.cut
    assert notes == ["it"]
    assert [i.source for i in actor.handled] == (["asker_gone"] if where == "reply" and actor.handled else [])


async def test_an_error_in_on_stop_keeps_the_others_from_nothing(new_system, caplog):
    """R51: however the system is left."""
    notes = []

    class Broken(Doer):
        async def on_stop(self):
            raise ZeroDivisionError

    for sudden in (False, True):
        with pytest.raises(KeyError) if sudden else anyio.CancelScope():
            async with new_system() as system:
                await system.spawn(Noting("first", notes))
                await system.spawn(Broken())
                await system.spawn(Noting("last", notes))
                if sudden:
                    raise KeyError
    assert notes == ["last", "first"] * 2
    assert [record.event for record in caplog.records] == ["on_stop.failed"] * 2


async def test_an_on_stop_that_hangs_is_cut_at_the_end_of_the_drain_time(new_system):
    """Promise 19: also when the system is left suddenly; the others still get their turn, or not, but nobody hangs."""

    class Endless(Doer):
        async def on_stop(self):
            await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        async with new_system(drain_timeout=0.02) as system:
            ref = await system.spawn(Endless(), interrupt_timeout=0.02)
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert ref.statistics().state == "dead"


async def test_askers_outside_the_block_are_told(new_system):
    """R50: also those who wait for room, and those who join."""
    box, ready = [], anyio.Event()

    async def host(scope):
        with scope:
            async with new_system() as system:
                box.append(await system.spawn(Doer()))
                ready.set()
                await anyio.sleep_forever()

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(host, scope)
        await ready.wait()
        hang = Hang()
        calls = [Call(group, box[0].ask, hang)]
        await hang.began.wait()
        calls.append(Call(group, box[0].ask, "queued"))
        join = Call(group, box[0].join)
        await quiet()
        scope.cancel()
        for call in calls:
            with pytest.raises(ActorStopped):
                await call.result()
        assert await join.ended() == "returned"
    with pytest.raises(ActorStopped):
        await box[0].ask("late")
    await box[0].tell("late")
    assert (await box[0].interrupt()).outcome == "idle"
    await box[0].stop()


def test_asyncio_run_ends_although_a_task_in_the_background_hosts_a_system():
    """P9: it cancels every task natively at once, those of the system as well."""
    log = []

    async def host(ready):
        async with ActorSystem() as system:
            ref = await system.spawn(Noting("it", log))
            ready.set()
            await ref.ask(Hang())

    async def main():
        ready = asyncio.Event()
        task = asyncio.create_task(host(ready))
        await ready.wait()
        await asyncio.sleep(0)
        return task

    task = asyncio.run(main())
    assert task.cancelled()
    assert log == ["it"]
