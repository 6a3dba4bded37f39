"""Interrupts in the very tick in which a run begins or ends, before and after it, and from inside it. (R2, R3; truth table,
second part.)"""

import asyncio

import anyio
import anyio.lowlevel
import pytest

from actors import InMemoryCancellationManager
from tests.truth_table._replies import exists_on_asyncio_only, healthy, turns


@pytest.mark.parametrize(("first", "outcome"), [("end", "completed"), ("interrupt", "interrupted")])
async def test_what_comes_first_in_the_tick_in_which_a_reply_finishes_counts(first, outcome, stage, reached):
    """R3; row finishing in the tick of the interrupt: event set first: completed, and no value is lost; interrupt first:
    caught."""
    finish = anyio.Event()

    async def script(actor):
        actor.about_to_wait()
        await finish.wait()
        return "finished"

    async with stage() as scene:
        run = await scene.begin(script)
        if first == "end":
            finish.set()
        assert scene.ref.interrupt_nowait("stop", by="anna")
        finish.set()
        receipt = await run.interrupt("stop", by="anna")
        await scene.ended(run, receipt, outcome, value="finished")
        reached()


@exists_on_asyncio_only
@pytest.mark.parametrize(("first", "outcome"), [("end", "completed"), ("interrupt", "interrupted")])
async def test_the_same_for_a_native_future(first, outcome, stage, reached):
    """R3; row finishing in the tick of the interrupt, for a future that a client library resolves."""
    future = asyncio.get_running_loop().create_future()

    async def script(actor):
        actor.about_to_wait()
        return await future

    async with stage() as scene:
        run = await scene.begin(script)
        if first == "end":
            future.set_result("finished")
        assert scene.ref.interrupt_nowait("stop", by="anna")
        if first == "interrupt":
            assert future.cancelled()
        receipt = await run.interrupt("stop", by="anna")
        await scene.ended(run, receipt, outcome, value="finished")
        reached()


async def test_an_interrupt_before_the_first_step_never_lets_the_reply_take_it(stage, reached):
    """P4; row interrupt before first step: it never starts; tried at each turn of the event loop from the request on."""
    async with stage() as scene:
        started_at_interrupt = []
        for count in range(8):
            steps = []

            async def script(actor, steps=steps):
                steps.append("first")
                await anyio.sleep_forever()

            run = await scene.ref.request(script)
            await turns(count)
            had_started = bool(steps)
            receipt = await run.interrupt("stop", by="anna")
            assert receipt.outcome == "interrupted"
            assert bool(steps) is had_started
            assert scene.actor.handled[-1].started is had_started
            assert len(scene.actor.handled) == count + 1
            assert (await run) is scene.actor.handled[-1]
            started_at_interrupt.append(had_started)
        assert started_at_interrupt[0] is False
        assert started_at_interrupt[-1] is True
        await scene.unharmed(interrupted=8)
        reached()


async def test_a_reply_without_awaits_completes_or_never_starts(stage, reached):
    """R3, P4; row interrupt before first step, for a reply that never suspends: there is nothing in between."""
    async with stage() as scene:
        outcomes = []
        for count in range(8):
            steps = []

            async def script(actor, steps=steps):
                steps.append("only")
                return "replied"

            run = await scene.ref.request(script)
            await turns(count)
            had_started = bool(steps)
            receipt = await run.interrupt("stop", by="anna")
            reply = await run
            assert receipt.outcome == ("finished" if had_started else "interrupted")
            assert bool(steps) is had_started
            assert (reply == "replied") is had_started
            outcomes.append(receipt.outcome)
        assert outcomes[0] == "interrupted"
        assert outcomes[-1] == "finished"
        assert len(scene.actor.handled) == outcomes.count("interrupted")
        assert not any(interruption.started for interruption in scene.actor.handled)
        reached()


async def never(actor):
    raise AssertionError("a run that was interrupted before it began has begun")


async def test_a_queued_run_that_is_interrupted_is_answered_before_other_messages_and_never_starts(stage, reached):
    """R40, P4, P2: the same one turn earlier; the run before it and the one behind it are left alone."""
    finish = anyio.Event()

    async def script(actor):
        actor.about_to_wait()
        await finish.wait()
        return "finished"

    order = []

    async def behind_it(actor):
        order.append("the next message")

    async def answering():
        order.append("the interrupt")

    async with stage() as scene:
        scene.actor.before_answering = answering
        running = await scene.begin(script)
        behind = await scene.ref.request(behind_it)
        queued = await scene.ref.request(never)
        receipt = await queued.interrupt("stop", by="anna", grace=0)
        assert (receipt.outcome, bool(receipt), queued.status) == ("deferred", False, "interrupting")
        await turns(5)
        assert (running.status, behind.status, scene.actor.handled) == ("running", "queued", [])
        finish.set()
        receipt = await queued.interrupt("stop", by="anna")
        assert (receipt.outcome, receipt.partial) == ("interrupted", ())
        (interruption,) = scene.actor.handled
        assert (await queued) is interruption
        assert (interruption.started, interruption.source) == (False, "caller")
        assert (await running, await behind) == ("finished", None)
        assert order == ["the interrupt", "the next message"]
        await scene.unharmed(completed=2, interrupted=1)
        reached()


async def test_a_run_id_that_is_cancelled_before_its_run_exists_never_starts(stage, reached):
    """P4, R22: the same through a cancellation manager: `handle_interrupt` answers, with `started=False`."""

    manager = InMemoryCancellationManager()
    async with manager, stage(cancellation=manager) as scene:
        await manager.acancel_run("run-1", reason="stop", by="anna")
        run = await scene.ref.request(never, run_id="run-1")
        reply = await run
        (interruption,) = scene.actor.handled
        assert reply is interruption
        assert (interruption.started, interruption.source, interruption.reason) == (False, "manager", "stop")
        assert run.status == "interrupted"
        await scene.unharmed(interrupted=1)
        assert await manager.aget_active_runs() == {}
        reached()


async def test_an_interrupt_that_comes_too_late_is_not_stored(stage, reached):
    """R2, P2; row scope.cancel() after exit: no-op, nothing pending for the next reply."""

    async def script(actor):
        actor.about_to_wait()
        return "replied"

    async with stage() as scene:
        run = await scene.ref.request(script)
        assert await run == "replied"
        for receipt in (await run.interrupt("late"), await scene.ref.interrupt("late", run_id=run.id)):
            assert (receipt.outcome, receipt.run_id, bool(receipt)) == ("finished", run.id, False)
        assert not scene.ref.interrupt_nowait("late")
        assert not scene.ref.interrupt_nowait("late", run_id=run.id)
        await scene.ended(run, None, "completed", value="replied")
        reached()


async def test_an_interrupt_of_a_run_that_is_over_does_not_reach_the_one_that_runs_now(stage, reached):
    """R2; row scope.cancel() after exit, with the next reply already under way."""
    finish = anyio.Event()

    async def script(actor):
        actor.about_to_wait()
        await finish.wait()
        return "finished"

    async with stage() as scene:
        over = await scene.ref.request(healthy)
        await over
        run = await scene.begin(script)
        assert (await over.interrupt("late")).outcome == "finished"
        assert (await scene.ref.interrupt("late", run_id=over.id)).outcome == "finished"
        await turns(3)
        assert run.status == "running"
        finish.set()
        assert await run == "finished"
        await scene.unharmed(completed=2)
        reached()


async def interrupt_it(actor):
    receipt = await actor.context.ref.interrupt("stop", by="anna")
    assert (receipt.outcome, bool(receipt)) == ("deferred", False)


async def interrupt_it_through_its_run(actor):
    receipt = await actor.context.run.interrupt("stop", by="anna")
    assert (receipt.outcome, bool(receipt)) == ("deferred", False)


async def interrupt_it_without_waiting(actor):
    assert actor.context.ref.interrupt_nowait("stop", by="anna")


WAYS = [interrupt_it, interrupt_it_through_its_run, interrupt_it_without_waiting]


@pytest.mark.parametrize("suspend_before", [False, True])
@pytest.mark.parametrize("outcome", ["interrupted", "completed"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_reply_that_interrupts_itself_goes_on_to_its_next_await(way, outcome, suspend_before, stage, reached):
    """R3, P12; row self-interrupt, then await / return: caught / completed. Awaiting one's own interrupt returns at once."""

    async def script(actor):
        if suspend_before:
            await anyio.lowlevel.checkpoint()
        actor.about_to_wait()
        await way(actor)
        if outcome == "interrupted":
            await anyio.lowlevel.checkpoint()
            raise AssertionError("an interrupted reply went on after an await")
        return "replied"

    async with stage() as scene:
        run = await scene.begin(script)
        await scene.ended(run, None, outcome, value="replied")
        reached()


@pytest.mark.parametrize("way", WAYS)
async def test_a_child_task_of_a_reply_can_interrupt_it(way, stage, reached):
    """R1, P12; row interrupt from a child task of the reply: caught."""

    async def script(actor):
        async with anyio.create_task_group() as group:
            actor.about_to_wait()
            group.start_soon(way, actor)
            await anyio.sleep_forever()

    async with stage() as scene:
        run = await scene.begin(script)
        await scene.ended(run, None, "interrupted")
        reached()
