"""What happens to a run while its registration is under way: its reply has not begun, so it never does."""

from __future__ import annotations

import anyio
import pytest

from actors import ActorStopped, AskTimeout, ReplyCancelled
from tests._support import Call, Doer, Hang, quiet
from tests.managers._doubles import NATIVE, Held

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def slow():
    """A manager that keeps each run waiting for its registration until it is let go."""
    held = Held("enroll")
    yield held
    assert held.server.runs.get_active_runs() == {}


@pytest.fixture
def slow_to_answer():
    """A manager whose store has registered the run, while the answer is still on its way."""
    held = Held(".enroll")
    yield held
    assert held.server.runs.get_active_runs() == {}


async def registering(system, group, manager, **options):
    """An actor, and the ask whose run is being registered; its reply would hang."""
    actor, hang = Doer(), Hang()
    ref = await system.spawn(actor, cancellation=manager)
    call = Call(group, ref.ask, hang, run_id="run", **options)
    await manager.arrived.wait()
    return actor, ref, call, hang


async def test_the_reply_begins_when_the_run_is_registered(system, slow):
    """Design, section 4: registered just before its first step, not beside it."""
    async with anyio.create_task_group() as group:
        _, ref, call, hang = await registering(system, group, slow)
        await quiet()
        assert not hang.began.is_set()
        assert system.runs.get("run").status == "queued"
        slow.let_go()
        await hang.began.wait()
        assert slow.server.runs.get_active_runs() == {"run": False}
        assert (await ref.interrupt()).outcome == "interrupted"
        assert (await call.result()).started is True


async def test_an_interrupt_is_answered_with_started_false(system, slow):
    """Promise 4: at the next turn boundary, which is when the manager has answered; the receipt waits for it."""
    async with anyio.create_task_group() as group:
        actor, ref, call, hang = await registering(system, group, slow)
        interrupting = Call(group, ref.interrupt, "no need", by="anna", message="sorry")
        await quiet()
        assert system.runs.get("run").status == "interrupting"
        assert not interrupting.over
        slow.let_go()
        receipt, interruption = await interrupting.result(), await call.result()
    assert (receipt.outcome, receipt.run_id) == ("interrupted", "run")
    assert (interruption.started, interruption.source, interruption.partial) == (False, "caller", ())
    assert (interruption.reason, interruption.by, interruption.message) == ("no need", "anna", "sorry")
    assert len(actor.handled) == 1
    assert not hang.began.is_set()


async def test_its_receipt_says_deferred_as_long_as_the_manager_takes(system, slow):
    """R29: never a success before the reply has ended, or will never begin."""
    async with anyio.create_task_group() as group:
        actor, ref, call, _ = await registering(system, group, slow)
        receipt = await ref.interrupt("no need", grace=0.01)
        assert (receipt.outcome, bool(receipt), actor.handled) == ("deferred", False, [])
        slow.let_go()
        assert (await call.result()).started is False


@pytest.mark.parametrize("held", ["slow", "slow_to_answer"])
async def test_a_cancel_through_the_manager_meanwhile_is_answered_with_started_false(system, held, request):
    """Promise 4: whether it comes before the store has registered the run or between that and its answer."""
    manager = request.getfixturevalue(held)
    async with anyio.create_task_group() as group:
        actor, _, call, hang = await registering(system, group, manager)
        known = manager.server.runs.cancel_run("run", reason="too dear", by="anna")
        assert known is (held == "slow_to_answer")
        manager.server.push("run")
        await quiet()
        manager.let_go()
        interruption = await call.result()
    assert (interruption.started, hang.began.is_set()) == (False, False)
    assert (interruption.source, interruption.reason, interruption.by) == ("manager", "too dear", "anna")
    assert len(actor.handled) == 1


async def test_an_asker_who_leaves_meanwhile_is_withdrawn_without_a_word(system, slow):
    """Promise 4, promise 7: nothing has begun and nobody waits, so there is nothing to handle."""
    async with anyio.create_task_group() as group:
        actor, ref, call, hang = await registering(system, group, slow)
        call.scope.cancel()
        assert await call.ended() == "cancelled"
        slow.let_go()
    assert await ref.ask("next") == "next"
    assert (actor.handled, hang.began.is_set(), list(system.dead_letters)) == ([], False, [])
    assert ref.statistics().interrupted == 0
    assert slow.server.runs.request_cancel_sync("run").outcome == "finished"


async def test_an_ask_whose_time_is_up_meanwhile_is_withdrawn_without_a_word(system, slow):
    """Promise 7: the time for registering counts."""
    async with anyio.create_task_group() as group:
        actor, ref, call, hang = await registering(system, group, slow, timeout=0.3)
        assert await call.ended() == "raised"
        slow.let_go()
    assert isinstance(call.value, AskTimeout)
    assert "registered" in call.value.doing
    assert await ref.ask("next") == "next"
    assert (actor.handled, hang.began.is_set()) == ([], False)


async def test_an_asker_who_leaves_a_run_that_was_cancelled_early_is_withdrawn_all_the_same(system, slow):
    """Promise 4: the cancel was waiting in the store, but whoever it is for is gone."""
    slow.server.runs.cancel_run("run", reason="early")
    async with anyio.create_task_group() as group:
        actor, ref, call, _ = await registering(system, group, slow)
        call.scope.cancel()
        slow.let_go()
    assert await ref.ask("next") == "next"
    assert await ref.ask("again", run_id="run") == "again"
    assert actor.handled == []


async def test_an_asker_who_leaves_after_an_interrupt_still_has_it_handled(system, slow):
    """semantics.md, 4: as for a queued run, the interrupt came first, so the run is handled; its value is dropped."""
    async with anyio.create_task_group() as group:
        actor, ref, call, _ = await registering(system, group, slow)
        interrupting = Call(group, ref.interrupt, "no need")
        await quiet()
        call.scope.cancel()
        assert await call.ended() == "cancelled"
        slow.let_go()
        receipt = await interrupting.result()
    assert receipt.outcome == "interrupted"
    assert [(i.source, i.reason, i.started) for i in actor.handled] == [("caller", "no need", False)]


async def test_a_detached_ask_whose_asker_is_gone_begins_when_it_is_registered(system, slow):
    """Promise 7: `detach=True` lets it run on."""
    async with anyio.create_task_group() as group:
        actor, ref, call, hang = await registering(system, group, slow, detach=True)
        call.scope.cancel()
        assert await call.ended() == "cancelled"
        slow.let_go()
        await hang.began.wait()
        assert (await ref.interrupt()).outcome == "interrupted"
    assert [interruption.started for interruption in actor.handled] == [True]


async def test_a_detached_ask_whose_asker_is_gone_can_still_be_interrupted(system, slow):
    """Promise 4: nobody withdraws it, so an interrupt is handled."""
    async with anyio.create_task_group() as group:
        actor, ref, call, _ = await registering(system, group, slow, detach=True)
        call.scope.cancel()
        assert await call.ended() == "cancelled"
        interrupting = Call(group, ref.interrupt, "no need")
        await quiet()
        slow.let_go()
        assert (await interrupting.result()).outcome == "interrupted"
    assert [interruption.started for interruption in actor.handled] == [False]


@pytest.mark.parametrize("asks", [True, False])
async def test_a_child_that_is_still_being_registered_is_interrupted_with_its_parent(system, slow, asks):
    """R10: also children that register a moment later. One that was asked for is withdrawn, one requested is answered."""
    below, hang = Doer(), Hang()
    child = await system.spawn(below, cancellation=slow)
    parent = await system.spawn(Doer())

    async def reply(_actor):
        if asks:
            await child.ask(hang, run_id="child")
        await child.request(hang, run_id="child")
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        call = Call(group, parent.ask, reply)
        await slow.arrived.wait()
        assert parent.interrupt_nowait("all of it", by="anna")
        assert (await call.result()).source == "caller"
        slow.let_go()
    assert await child.ask("next") == "next"
    assert not hang.began.is_set()
    handled = [(i.source, i.reason, i.by, i.started) for i in below.handled]
    assert handled == ([] if asks else [("ancestor", "all of it", "anna", False)])


async def test_stopping_the_actor_answers_it_without_beginning(system, slow):
    """R50: as an interrupt would, for that is what a stop is for the current run."""
    async with anyio.create_task_group() as group:
        _, ref, call, hang = await registering(system, group, slow)
        stopping = Call(group, ref.stop, drain=False)
        await quiet()
        slow.let_go()
        await stopping.result()
        assert ((await call.result()).started, hang.began.is_set()) == (False, False)


@pytest.mark.parametrize("interrupted", [False, True])
async def test_killing_the_actor_neither_begins_nor_handles_it(system, slow, interrupted):
    """Section 2 of the design, `kill`: the asker is told that the actor has stopped."""
    with anyio.fail_after(1):
        async with anyio.create_task_group() as group:
            actor, ref, call, hang = await registering(system, group, slow)
            if interrupted:
                assert ref.interrupt_nowait("no need")
            killing = Call(group, ref.kill)
            await quiet()
            slow.let_go()
            await killing.result()
            assert await call.ended() == "raised"
    assert isinstance(call.value, ActorStopped)
    assert (actor.handled, hang.began.is_set()) == ([], False)


@pytest.mark.parametrize("interrupted", [False, True])
async def test_a_cancellation_around_the_system_ends_it_without_beginning_or_handling(new_system, slow, interrupted):
    """Promise 5: cancellation from outside always wins."""
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            async with new_system() as system:
                actor, ref, call, hang = await registering(system, group, slow)
                if interrupted:
                    assert ref.interrupt_nowait("no need")
                scope.cancel()
                group.start_soon(_let_go, slow)
        assert scope.cancelled_caught
        assert await call.ended() == "raised"
    assert isinstance(call.value, ActorStopped)
    assert (actor.handled, hang.began.is_set()) == ([], False)


async def _let_go(manager):
    await quiet()
    manager.let_go()


@pytest.mark.parametrize("anyio_backend", NATIVE)
async def test_a_native_cancel_meanwhile_is_a_cancelled_reply_and_the_actor_goes_on(system, slow):
    """Promise 5: it never leaves that worker; the asker gets `ReplyCancelled`, and no other actor notices."""
    async with anyio.create_task_group() as group:
        _, ref, call, hang = await registering(system, group, slow)
        for worker in list(system.executor._workers):
            if worker.coroutine is not None:
                worker._task.cancel()
        slow.let_go()
        assert await call.ended() == "raised"
    assert await ref.ask("next") == "next"
    assert not hang.began.is_set()
    assert isinstance(call.value, ReplyCancelled)
