"""Promise 11: a reply that refuses to end is a failure like any other. Its actor goes on with a new instance, and it without."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import ActorStopped, Interrupted, ReplyStuckError, UsageError, events, one_for_all, one_for_one
from tests._support import Doer, Hang, Refusing, quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401
from tests.supervision._team import AT_ONCE, Maker, Member, dead, fail, number, restarted


@pytest.fixture
async def refusing():
    """A message whose reply refuses to end; let go after the test, also if that has failed."""
    message = Refusing()
    yield message
    message.let_go.set()
    await quiet()


async def stuck(ref, message, grace=2.0):
    """Its run, which has been interrupted and does not end."""
    run = await ref.request(message)
    await message.began.wait()
    receipt = await run.interrupt("enough", grace=grace)
    assert (receipt.outcome, bool(receipt)) == ("stuck", False)  # never a success while it runs (R29)
    assert "Refusing.__call__" in receipt.where
    return run


async def test_its_actor_is_restarted_and_its_asker_gets_an_error(system, refusing, settlements):
    """R47: the supervisor decides. on_stop is not called: a reply still runs in that instance."""
    maker = Maker(options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    run = await stuck(ref, refusing)
    later = await ref.request(number)
    with pytest.raises(ReplyStuckError) as caught:
        await run
    assert "Refusing.__call__" in caught.value.where
    assert await later == 2
    assert maker.log[1].startswith("it2 restarts: ReplyStuckError")
    refusing.let_go.set()
    await quiet()
    assert run.status == "failed"
    assert await ref.ask(number) == 2
    assert set(settlements.values()) == {1}


async def test_it_is_told_when_its_grace_is_over_and_not_before(system, refusing):
    ref = await Maker(options={"supervision": one_for_one(backoff=AT_ONCE)}).spawn(system)
    before = anyio.current_time()
    run = await stuck(ref, refusing, grace=7.0)
    with pytest.raises(ReplyStuckError):
        await run
    assert anyio.current_time() - before == pytest.approx(7, abs=0.2)


async def test_a_policy_that_resumes_lets_it_be(system, refusing):
    """As without supervision: its asker waits on."""
    maker = Maker(options={"supervision": one_for_one({ReplyStuckError: "resume"})})
    ref = await maker.spawn(system)
    run = await stuck(ref, refusing)
    await anyio.sleep(100)
    assert not run.settled
    refusing.let_go.set()
    assert await run == "at last"
    assert maker.made == 1


async def test_a_policy_that_stops_ends_the_actor_without_it(system, refusing):
    maker = Maker(options={"supervision": one_for_one("stop")})
    ref = await maker.spawn(system)
    with system.events(events.Stopped, events.Stuck) as told:
        run = await stuck(ref, refusing)
        await dead(ref)
        was_stuck, stopped = told.pending()
    assert (was_stuck.run_id, was_stuck.step) == (run.id, "reply")
    assert "Refusing.__call__" in was_stuck.where
    assert (stopped.reason, type(stopped.error)) == ("failed", ReplyStuckError)


async def test_a_policy_that_escalates_takes_it_up(system, refusing):
    child = Maker(name="child", options={"supervision": one_for_one("escalate")})
    parent = Maker(name="parent", children=[child], options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await parent.spawn(system)
    await stuck(system.find("parent/child"), refusing)
    await restarted(ref)
    assert await system.find("parent/child").ask(number) == 2


async def test_an_interrupt_that_it_does_not_refuse_is_no_failure(system):
    maker = Maker(options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    hang = Hang()
    run = await ref.request(hang)
    await hang.began.wait()
    assert await run.interrupt()
    await anyio.sleep(100)
    assert maker.made == 1


async def test_another_member_whose_reply_refuses_to_end_for_a_restart_is_cut_off_after_its_grace(system, refusing):
    policy = one_for_all(backoff=AT_ONCE)
    log = []
    a, b = [await Maker(log, name, {"supervision": policy}).spawn(system) for name in "ab"]
    run = await b.request(refusing)
    await refusing.began.wait()
    before = anyio.current_time()
    await a.tell(fail())
    await restarted(b)
    assert anyio.current_time() - before == pytest.approx(5, abs=0.2)
    with pytest.raises(ReplyStuckError):
        await run
    assert [await ref.ask(number) for ref in (a, b)] == [2, 2]


async def test_what_it_does_later_has_no_effect_on_the_actor(system):
    """Each way in which a reply acts on its actor is shut: chunks, children, watching, protection, and its own value."""
    go_on, tried = anyio.Event(), {}

    class Acts(Member):
        async def reply(self, message, /):
            if message != "refuse":
                return await super().reply(message)
            context = self.context
            context.emit("early")
            began.set()
            while not go_on.is_set():
                try:
                    await go_on.wait()
                except anyio.get_cancelled_exc_class():
                    with anyio.CancelScope(shield=True):
                        await anyio.lowlevel.checkpoint()
            self.state = "changed"
            with anyio.CancelScope(shield=True):
                for name, act in {
                    "emit": lambda: context.emit("late"),
                    "protect": context.protect,
                    "watch": lambda: context.watch(other),
                }.items():
                    tried[name] = await attempt(act)
                tried["spawn"] = await attempt(lambda: context.spawn(Doer(), name="late child"))
            tried["run"] = context.run
            tried["children"] = context.children
            tried["ref"] = self.context.ref
            return "its value"

    async def attempt(act):
        try:
            result = act()
            if hasattr(result, "__await__"):
                await result
        except Exception as error:  # noqa: BLE001 - looked at below
            return type(error)
        return "done"

    async def busy(actor):
        gate.set()
        await anyio.sleep(50)
        return getattr(actor, "state", "untouched"), actor.context.run.partial

    began, gate = anyio.Event(), anyio.Event()
    other = await system.spawn(Doer())
    ref = await Maker(kind=Acts, options={"supervision": one_for_one(backoff=AT_ONCE)}).spawn(system)
    old = await ref.request("refuse")
    await began.wait()
    await old.interrupt(grace=1.0)
    new = await ref.request(busy)
    await gate.wait()
    go_on.set()
    await anyio.sleep(10)
    assert tried == {
        "emit": UsageError,
        "protect": UsageError,
        "watch": ActorStopped,
        "spawn": ActorStopped,
        "run": None,
        "children": (),
        "ref": ref,
    }
    assert await new == ("untouched", ())
    assert (old.status, old.partial) == ("failed", ("early",))
    assert system.find("it/late child") is None
    await other.stop()
    assert await ref.ask(number) == 2


async def test_an_interrupt_of_the_new_instances_run_does_not_reach_it_and_the_other_way_round(system, refusing):
    """Promise 2, with two replies of one actor: one that is cut off and one that is current."""
    ref = await Maker(options={"supervision": one_for_one(backoff=AT_ONCE)}).spawn(system)
    old = await stuck(ref, refusing)
    await restarted(ref)
    hang = Hang()
    new = await ref.request(hang)
    await hang.began.wait()
    assert (await old.interrupt()).outcome == "finished"
    assert not new.settled
    heard = refusing.absorbed
    receipt = await ref.interrupt("now you")
    assert (receipt.run_id, receipt.outcome) == (new.id, "interrupted")
    assert refusing.absorbed <= heard + 1


async def test_a_handle_interrupt_that_refuses_to_end_is_a_failure_too(system, refusing):
    """Promise 3: its asker gets `Interrupted` all the same."""

    class Refuses(Member):
        async def handle_interrupt(self, message, interruption, /):
            return await refusing(self)

    maker = Maker(kind=Refuses, options={"supervision": one_for_one(backoff=AT_ONCE), "interrupt_timeout": 1.0})
    ref = await maker.spawn(system)
    hang = Hang()
    run = await ref.request(hang)
    await hang.began.wait()
    assert ref.interrupt_nowait("enough")
    with pytest.raises(Interrupted):
        await run
    assert await ref.ask(number) == 2


async def test_a_hook_between_runs_that_refuses_to_end_is_a_failure_too(system, refusing):
    class Refuses(Member):
        async def on_terminated(self, terminated, /):
            await refusing(self)

    other = await system.spawn(Doer())
    maker = Maker(kind=Refuses, options={"supervision": one_for_one(backoff=AT_ONCE), "interrupt_timeout": 1.0})
    ref = await maker.spawn(system)

    async def watch(actor):
        actor.context.watch(other)

    await ref.ask(watch)
    await other.stop()
    assert await ref.ask(number) == 2


async def test_a_system_with_a_reply_that_was_cut_off_is_not_left_before_it_has_ended(new_system, refusing, caplog):
    """Promise 19: no task is left, or the block is not left and says what hangs."""
    async with anyio.create_task_group() as group:

        async def let_go():
            await anyio.sleep(30)
            refusing.let_go.set()

        async with new_system() as system:
            ref = await Maker(options={"supervision": one_for_one(backoff=AT_ONCE)}).spawn(system)
            await stuck(ref, refusing)
            await restarted(ref)
            group.start_soon(let_go)
            before = anyio.current_time()
        assert anyio.current_time() - before == pytest.approx(30, abs=0.5)
    assert any(getattr(record, "event", None) == "system.waiting" for record in caplog.records)
