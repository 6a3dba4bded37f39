"""Promise 2: ``interrupt`` touches the run it names and nothing else."""

from __future__ import annotations

import anyio
import pytest

from tests._support import Call, Doer, Gate, Hang


async def test_interrupting_an_idle_actor_says_so(system):
    """R2, R41: nothing is claimed that did not happen."""
    ref = await system.spawn(Doer())
    receipt = await ref.interrupt("stop", by="anna")
    assert (receipt.outcome, receipt.run_id, receipt.reason, receipt.by) == ("idle", None, "stop", "anna")
    assert not receipt
    assert ref.interrupt_nowait("stop") is False


async def test_an_interrupt_of_an_idle_actor_is_not_stored(system):
    """R2: the next reply never dies of an old stop."""
    actor = Doer()
    ref = await system.spawn(actor)
    for _ in range(3):
        await ref.interrupt()
        ref.interrupt_nowait()
    gate = Gate("whole")
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, gate)
        await gate.began.wait()
        gate.open()
        assert await call.result() == "whole"
    assert actor.handled == []


async def test_an_interrupt_without_a_run_id_means_the_current_run(system):
    """R24: and not one of those that wait behind it."""
    actor = Doer()
    ref = await system.spawn(actor)
    hang = Hang()
    first = await ref.request(hang)
    second = await ref.request("second")
    await hang.began.wait()
    receipt = await ref.interrupt()
    assert receipt.outcome == "interrupted"
    assert receipt.run_id == first.id
    assert await second == "second"
    assert [interruption.run_id for interruption in actor.handled] == [first.id]


async def test_an_interrupt_with_a_run_id_touches_that_run_alone(system):
    """R2: neither the current run, nor those queued around it, nor those of other actors."""
    actor, other = Doer(), Doer()
    ref, other_ref = await system.spawn(actor), await system.spawn(other)
    gate, other_gate = Gate("current"), Gate("other")
    current = await ref.request(gate, run_id="current")
    before = await ref.request("before", run_id="before")
    named = await ref.request("named", run_id="named")
    after = await ref.request("after", run_id="after")
    elsewhere = await other_ref.request(other_gate, run_id="elsewhere")
    await gate.began.wait()
    assert ref.interrupt_nowait(run_id="named") is True
    gate.open()
    other_gate.open()
    assert [await run for run in (current, before, after, elsewhere)] == ["current", "before", "after", "other"]
    assert (await named).run_id == "named"
    assert [interruption.run_id for interruption in actor.handled] == ["named"]
    assert other.handled == []


async def test_an_interrupt_of_a_run_that_has_ended_says_finished(system):
    """R2: a late one is not stored for the next run, not even for one of the same id."""
    actor = Doer()
    ref = await system.spawn(actor)
    run = await ref.request("hello", run_id="mine")
    assert await run == "hello"
    for receipt in (
        await run.interrupt("late"),
        await ref.interrupt("late", run_id="mine"),
        await system.interrupt("mine", "late"),
    ):
        assert (receipt.outcome, receipt.run_id, receipt.reason) == ("finished", "mine", "late")
    assert ref.interrupt_nowait(run_id="mine") is False
    assert await ref.ask("again", run_id="mine") == "again"
    assert actor.handled == []


@pytest.mark.parametrize("through", ["ref", "system"])
async def test_an_interrupt_of_a_run_that_never_was_says_finished(system, through):
    """R2, R24: an unknown id is never taken for the current run."""
    actor = Doer()
    ref = await system.spawn(actor)
    gate = Gate("whole")
    run = await ref.request(gate)
    await gate.began.wait()
    receipt = await (ref.interrupt(run_id="no such") if through == "ref" else system.interrupt("no such"))
    assert receipt.outcome == "finished"
    gate.open()
    assert await run == "whole"
    assert actor.handled == []


async def test_a_run_is_not_interrupted_through_another_actor(system):
    """R2: a ref reaches its own actor's runs, the system all of them."""
    ref, other = await system.spawn(Doer()), await system.spawn(Doer())
    hang = Hang()
    run = await ref.request(hang, run_id="mine")
    await hang.began.wait()
    assert (await other.interrupt(run_id="mine")).outcome == "finished"
    assert run.status == "running"
    assert (await system.interrupt("mine", "enough", by="anna")).outcome == "interrupted"
    assert (await run).by == "anna"


async def test_an_interrupt_that_comes_right_after_the_reply_leaves_the_next_one_alone(system):
    """R2: between two runs there is nothing to interrupt, and the second began only afterwards."""
    actor = Doer()
    ref = await system.spawn(actor)
    first = await ref.ask("first")
    assert ref.interrupt_nowait() is False
    assert [first, await ref.ask("second")] == ["first", "second"]
    assert actor.handled == []


async def test_an_actor_that_has_replied_is_idle_again(system):
    """R2, R24: an actor between two runs has no current run, and the next one begins as if nothing had been."""
    ref = await system.spawn(Doer())
    assert await ref.ask("hello") == "hello"
    receipt = await ref.interrupt("too late")
    assert (receipt.outcome, receipt.run_id) == ("idle", None)
    assert not ref.interrupt_nowait("too late")
    assert await ref.ask("again") == "again"
