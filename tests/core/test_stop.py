"""How an actor ends: drained, stopped or killed; children before parents; nothing is left."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import ActorStopped
from tests._support import Call, Doer, Gate, Hang, quiet, turns


class Noting(Doer):
    """Notes in a list that it shares with others when it starts and stops."""

    def __init__(self, name, notes, children=()) -> None:
        super().__init__()
        self.name, self.notes, self.children = name, notes, children

    async def on_start(self):
        for child in self.children:
            await self.context.spawn(child, name=child.name)

    async def on_stop(self):
        await turns(2)
        self.notes.append(self.name)


async def busy(system, actor=None, *, queued=0):
    """An actor whose current reply waits at a gate, with messages behind it."""
    actor = actor or Doer()
    ref = await system.spawn(actor)
    gate = Gate()
    current = await ref.request(gate)
    runs = [await ref.request(number) for number in range(queued)]
    await gate.began.wait()
    return actor, ref, gate, current, runs


# -- stop, with and without draining


async def test_stop_drains_first(system):
    """R39: what was queued is answered; on_stop comes last."""
    notes = []
    actor, ref, gate, current, runs = await busy(system, Noting("it", notes), queued=3)
    async with anyio.create_task_group() as group:
        stop = Call(group, ref.stop)
        await quiet()
        assert (stop.over, notes) == (False, [])
        assert ref.statistics().state == "ending"
        gate.open()
        assert await stop.ended() == "returned"
    assert [run.status for run in (current, *runs)] == ["completed"] * 4
    assert notes == ["it"]
    assert actor.handled == []
    assert ref.statistics().state == "dead"


async def test_an_actor_that_is_stopping_takes_no_more_messages(system):
    """Promise 17: askers are told, tells become dead letters; afterwards the same."""
    _, ref, gate, _, _ = await busy(system)
    async with anyio.create_task_group() as group:
        stop = Call(group, ref.stop)
        await quiet()
        for words in ("is stopping", "has stopped"):
            with pytest.raises(ActorStopped, match=words) as caught:
                await ref.ask("late")
            assert (caught.value.ref, caught.value.message) == (ref, "late")
            with pytest.raises(ActorStopped, match=words):
                await ref.request("late")
            with pytest.raises(ActorStopped, match=words):
                async with ref.stream("late"):
                    pass
            await ref.tell("told late")
            ref.tell_nowait("told late")
            gate.open()
            await stop.ended()
    assert [letter.message for letter in system.dead_letters] == ["told late"] * 4


async def test_stop_without_drain_interrupts_the_current_reply_and_refuses_the_rest(system):
    """R39, R50: handle_interrupt runs and answers its asker; the others get `ActorStopped`."""
    actor, ref, _, current, runs = await busy(system, queued=3)
    ref.tell_nowait("told")
    await ref.stop(drain=False)
    assert "stopped" in (await current).reason
    assert [i.started for i in actor.handled] == [True]
    for number, run in enumerate(runs):
        assert run.status == "stopped"
        with pytest.raises(ActorStopped) as caught:
            await run
        assert (caught.value.ref, caught.value.message) == (ref, number)
    assert [letter.message for letter in system.dead_letters] == ["told"]


async def test_an_interrupt_while_it_drains_touches_the_current_reply_alone(system):
    """Promise 2: what is queued is still answered."""
    actor, ref, _, current, runs = await busy(system, queued=2)
    async with anyio.create_task_group() as group:
        stop = Call(group, ref.stop)
        await quiet()
        assert (await ref.interrupt("enough")).outcome == "interrupted"
        assert await stop.ended() == "returned"
    assert [run.status for run in (current, *runs)] == ["interrupted", "completed", "completed"]
    assert [i.reason for i in actor.handled] == ["enough"]


async def test_stop_with_a_timeout_drains_for_so_long(system):
    """R39."""
    actor, ref, _, current, runs = await busy(system, queued=2)
    await ref.stop(timeout=0.01)
    assert [run.status for run in (current, *runs)] == ["interrupted", "stopped", "stopped"]
    assert len(actor.handled) == 1


async def test_stop_with_a_timeout_that_is_not_needed_drains(system):
    _, ref, gate, current, runs = await busy(system, queued=2)
    async with anyio.create_task_group() as group:
        stop = Call(group, ref.stop, timeout=60)
        gate.open()
        assert await stop.ended() == "returned"
    assert [run.status for run in (current, *runs)] == ["completed"] * 3


async def test_a_harsher_order_overtakes_a_milder_one(system):
    """R37: and a milder one changes nothing."""
    _, ref, _, current, runs = await busy(system, queued=2)
    async with anyio.create_task_group() as group:
        calls = [Call(group, ref.stop)]
        await quiet()
        calls.append(Call(group, ref.stop, drain=False))
        calls.append(Call(group, ref.stop))
        assert [await call.ended() for call in calls] == ["returned"] * 3
    assert [run.status for run in (current, *runs)] == ["interrupted", "stopped", "stopped"]


async def test_a_cancelled_stop_leaves_the_order_in_place(system):
    """Only the waiting ends."""
    _, ref, gate, current, _ = await busy(system)
    async with anyio.create_task_group() as group:
        stop = Call(group, ref.stop)
        await quiet()
        stop.scope.cancel()
        assert await stop.ended() == "cancelled"
        gate.open()
        await ref.join()
    assert current.status == "completed"
    assert ref.statistics().state == "dead"


async def test_stopping_twice_is_no_error(system):
    _, ref, gate, _, _ = await busy(system)
    gate.open()
    await ref.stop()
    await ref.stop()
    await ref.stop(drain=False, timeout=1)
    await ref.kill()
    await ref.join()
    assert ref.statistics().state == "dead"


async def test_an_actor_can_stop_itself(system):
    """Its reply is still delivered."""
    notes = []
    ref = await system.spawn(Noting("it", notes))

    async def last_words(actor):
        await actor.context.ref.stop()
        return "goodbye"

    assert await ref.ask(last_words) == "goodbye"
    await ref.join()
    assert notes == ["it"]


async def test_on_stop_runs_once_and_its_errors_are_logged(system, caplog):
    """R51: the actor ends all the same."""

    class Broken(Doer):
        async def on_stop(self):
            self.log.append("stopping")
            raise ZeroDivisionError

    actor = Broken()
    ref = await system.spawn(actor)
    await ref.stop()
    await ref.stop()
    assert actor.log == ["stopping"]
    (record,) = [record for record in caplog.records if getattr(record, "event", "") == "on_stop.failed"]
    assert record.fields["actor"] == ref.path
    assert isinstance(record.exc_info[1], ZeroDivisionError)
    assert ref.statistics().state == "dead"


async def test_on_stop_has_a_time_limit(system, caplog):
    """R51: one that hangs keeps nobody."""

    class Endless(Doer):
        async def on_stop(self):
            await anyio.sleep_forever()

    ref = await system.spawn(Endless(), interrupt_timeout=0.02)
    await ref.stop()
    assert ref.statistics().state == "dead"
    assert [record.event for record in caplog.records] == ["on_stop.cut"]


@pytest.mark.parametrize("how", [{"drain": False}, {"timeout": 0.01}])
async def test_stop_cuts_an_on_start_that_hangs(system, how):
    """R51: there is nothing to drain in an actor that has not started; whoever spawns it is told."""
    hang = Hang()

    class Endless(Doer):
        async def on_start(self):
            await hang(self)

    async with anyio.create_task_group() as group:
        spawn = Call(group, system.spawn, Endless(), name="endless")
        await hang.began.wait()
        ref = system.find("endless")
        stop = Call(group, ref.stop, **how)
        with anyio.move_on_after(1):
            await stop.ended()
        by_itself = stop.over
        await ref.kill()
        with pytest.raises(ActorStopped):
            await spawn.result()
    assert by_itself
    assert system.find("endless") is None


# -- kill


async def test_kill_cuts_the_reply_without_handle_interrupt_and_on_stop(system):
    """R50: who waits is told."""
    notes = []
    actor, ref, gate, current, runs = await busy(system, Noting("it", notes), queued=2)
    ref.tell_nowait("told")
    await ref.kill()
    for run in (current, *runs):
        assert run.status == "stopped"
        with pytest.raises(ActorStopped):
            await run
    assert (actor.handled, notes) == ([], [])
    assert not gate.opened.is_set()
    assert [letter.message for letter in system.dead_letters] == ["told"]


async def test_an_order_to_stop_does_not_take_a_kill_back(system):
    """R37: the harsher one counts, whichever comes later."""
    notes, gate = [], Gate(shielded=True)
    actor = Noting("it", notes)
    ref = await system.spawn(actor)
    await ref.tell(gate)
    await gate.began.wait()
    async with anyio.create_task_group() as group:
        kill = Call(group, ref.kill)
        while ref.statistics().state != "ending":
            await anyio.lowlevel.checkpoint()
        stop = Call(group, ref.stop, drain=False)
        await anyio.lowlevel.checkpoint()
        gate.open()
        assert [await kill.ended(), await stop.ended()] == ["returned", "returned"]
    assert (actor.handled, notes) == ([], [])


async def test_kill_cuts_handle_interrupt_too(system):
    """R50."""
    hang = Hang()

    class Slow(Doer):
        async def handle_interrupt(self, message, interruption, /):
            await hang(self)

    _, ref, _, current, _ = await busy(system, Slow())
    assert ref.interrupt_nowait()
    await hang.began.wait()
    await ref.kill()
    assert hang.cut
    with pytest.raises(ActorStopped):
        await current


async def test_kill_cuts_on_stop_too(system):
    """R51."""
    hang = Hang()

    class Slow(Doer):
        async def on_stop(self):
            await hang(self)

    ref = await system.spawn(Slow())
    async with anyio.create_task_group() as group:
        stop = Call(group, ref.stop)
        await hang.began.wait()
        await ref.kill()
        assert await stop.ended() == "returned"
    assert hang.cut
    assert ref.statistics().state == "dead"


async def test_kill_ends_the_children_as_well(system):
    """R51: without their on_stop."""
    notes, hang = [], Hang()
    child = Noting("child", notes)
    ref = await system.spawn(Noting("parent", notes, [child]))
    below = system.find(f"{ref.name}/child")
    run = await below.request(hang)
    await hang.began.wait()
    await ref.kill()
    assert (run.status, below.statistics().state, notes) == ("stopped", "dead", [])
    assert child.handled == []


async def test_kill_cuts_the_children_at_once_even_while_the_parent_takes_its_time(system):
    """R51."""
    hang, gate = Hang(), Gate(shielded=True)
    ref = await system.spawn(Noting("parent", [], [Noting("child", [])]))
    run = await ref.request(gate)
    below = await system.find(f"{ref.name}/child").request(hang)
    await hang.began.wait()
    await gate.began.wait()
    async with anyio.create_task_group() as group:
        kill = Call(group, ref.kill)
        await turns(50)
        assert (below.status, kill.over) == ("stopped", False)
        gate.open()
        assert await kill.ended() == "returned"
    assert hang.cut
    assert run.settled


# -- children


async def test_children_stop_before_their_parents_in_reverse_start_order(system):
    """R51, promise 19."""
    notes = []
    grandchildren = [Noting(f"grandchild {number}", notes) for number in (1, 2)]
    children = [Noting("child 1", notes), Noting("child 2", notes, grandchildren), Noting("child 3", notes)]
    ref = await system.spawn(Noting("parent", notes, children))
    await ref.stop()
    assert notes == ["child 3", "grandchild 2", "grandchild 1", "child 2", "child 1", "parent"]
    assert system.roots == {}


async def test_a_parent_can_use_its_children_until_it_has_drained(system):
    """Promise 19: they end after its last message."""
    notes = []
    child = Noting("child", notes)
    ref = await system.spawn(Noting("parent", notes, [child]), name="parent")
    gate = Gate()
    below = system.find("parent/child")

    async def ask_below(actor):
        await gate(actor)
        return await below.ask("hello")

    run, later = await ref.request(ask_below), await ref.request(ask_below)
    await gate.began.wait()
    async with anyio.create_task_group() as group:
        stop = Call(group, ref.stop)
        await quiet()
        gate.open()
        assert [await run, await later] == ["hello", "hello"]
        await stop.ended()
    assert notes == ["child", "parent"]


async def test_a_child_that_is_busy_is_waited_for_when_its_parent_drains(system):
    """Promise 19: it drains like its parent."""
    notes = []
    child = Noting("child", notes)
    ref = await system.spawn(Noting("parent", notes, [child]), name="parent")
    gate = Gate("done")
    run = await system.find("parent/child").request(gate)
    await gate.began.wait()
    async with anyio.create_task_group() as group:
        stop = Call(group, ref.stop)
        await quiet()
        assert not stop.over
        gate.open()
        await stop.ended()
    assert await run == "done"
    assert notes == ["child", "parent"]


async def test_an_ending_actor_starts_no_children(system):
    """R51: not in on_stop either."""
    errors = []

    class Late(Doer):
        async def on_stop(self):
            try:
                await self.context.spawn(Doer())
            except ActorStopped as error:
                errors.append(error)

    ref = await system.spawn(Late())
    await ref.stop()
    assert len(errors) == 1


async def test_an_actor_knows_its_children_and_outlives_them(system):
    notes = []
    parent = Noting("parent", notes, [Noting("one", notes), Noting("two", notes)])
    ref = await system.spawn(parent, name="parent")
    one, two = parent.context.children
    assert [child.path for child in (one, two)] == ["system/parent/one", "system/parent/two"]
    assert ref.statistics().children == 2
    await one.stop()
    assert parent.context.children == (two,)
    assert await ref.ask("alive") == "alive"
    assert notes == ["one"]


# -- join and statistics


async def test_join_returns_when_the_actor_has_ended(system):
    _, ref, gate, _, _ = await busy(system)
    async with anyio.create_task_group() as group:
        joins = [Call(group, ref.join) for _ in range(3)]
        await quiet()
        joins[2].scope.cancel()
        stop = Call(group, ref.stop)
        await quiet()
        assert [join.over for join in joins] == [False, False, True]
        gate.open()
        assert [await join.ended() for join in joins[:2]] == ["returned", "returned"]
        assert await stop.ended() == "returned"
    await ref.join()
    assert ref.statistics().state == "dead"


async def test_joining_oneself_does_not_hang(system):
    """Promise 12: it would wait for the end of its own reply."""
    ref = await system.spawn(Doer())

    async def join_myself(actor):
        with anyio.move_on_after(1) as scope:
            try:
                await actor.context.ref.join()
            except Exception as error:  # noqa: BLE001 - any error is fine
                return type(error).__name__
        return scope.cancelled_caught

    assert await ref.ask(join_myself) is not True


async def test_statistics_tell_what_an_actor_does_and_has_done(system):
    actor, ref, gate, current, _ = await busy(system, queued=2)
    busy_now = ref.statistics()
    assert (busy_now.path, busy_now.state, busy_now.queued, busy_now.children) == (ref.path, "busy", 2, 0)
    assert busy_now.run_id is None
    assert busy_now.doing.startswith("reply, at ")
    assert "Gate.__call__" in busy_now.doing
    run_id = current.id
    assert ref.statistics().run_id == run_id
    gate.open()
    await ref.ask("more")

    async def fail(_actor):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ref.ask(fail)
    hang = Hang()
    await ref.tell(hang)
    await hang.began.wait()
    await ref.interrupt()
    idle = ref.statistics()
    assert (idle.state, idle.queued, idle.doing, idle.run_id) == ("idle", 0, "", None)
    assert (idle.completed, idle.interrupted, idle.failed) == (4, 1, 1)
    await ref.stop()
    assert ref.statistics().state == "dead"
    assert (ref.statistics().completed, actor.handled[0].reason) == (4, "")


async def test_statistics_know_no_state_that_they_do_not_document(system):
    """`starting`, `idle`, `busy`, `ending` or `dead`: in each moment of a life."""
    seen = set()
    gates = {name: Gate() for name in ("on_start", "reply", "on_stop")}

    class Slow(Doer):
        async def on_start(self):
            await gates["on_start"](self)

        async def on_stop(self):
            await gates["on_stop"](self)

    async with anyio.create_task_group() as group:
        Call(group, system.spawn, Slow(), name="slow")
        for name, gate in gates.items():
            await gate.began.wait()
            ref = system.find("slow")
            seen.add((name, ref.statistics().state))
            if name == "on_start":
                await quiet()
                Call(group, ref.ask, gates["reply"])
            if name == "reply":
                Call(group, ref.stop)
                await quiet()
                seen.add(("draining", ref.statistics().state))
            gate.open()
        await ref.join()
    assert seen == {
        ("on_start", "starting"),
        ("reply", "busy"),
        ("draining", "ending"),
        ("on_stop", "ending"),
    }
