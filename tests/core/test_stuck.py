"""Promise 11, R47: a reply that refuses to end is reported, and no longer burns the processor."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import Interrupted, ReplyStuckError
from tests._support import Call, Doer, Hang, Refusing, Turns, quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401


@pytest.fixture
async def messages():
    """What refuses to end in a test is let go after it, also if the test has failed."""
    made: list[Refusing] = []
    yield made
    for message in made:
        message.let_go.set()


def said(caplog, event):
    return [record.fields for record in caplog.records if getattr(record, "event", None) == event]


@pytest.fixture
async def stubborn(system, messages):
    """An actor whose reply refuses to end, what it does, and its run."""
    ref = await system.spawn(Doer())
    message = Refusing()
    messages.append(message)
    run = await ref.request(message)
    await message.began.wait()
    yield ref, message, run
    message.let_go.set()
    await ref.stop()


async def test_the_receipt_says_stuck_when_the_grace_is_over_and_where_it_hangs(system, stubborn):
    """R41, R47."""
    _, message, run = stubborn
    began = anyio.current_time()
    receipt = await run.interrupt("enough", grace=3.0)
    assert anyio.current_time() - began == pytest.approx(3.0, abs=0.2)
    assert (receipt.outcome, receipt.elapsed) == ("stuck", pytest.approx(3.0, abs=0.2))
    assert not receipt
    assert "Refusing.__call__" in receipt.where
    assert run.status == "interrupting"
    message.let_go.set()
    assert await run == "at last"


async def test_it_is_logged_once_with_where_it_hangs(system, stubborn, caplog):
    """R43, R47."""
    ref, message, run = stubborn
    await run.interrupt("enough", grace=3.0)
    await anyio.sleep(20)
    (fields,) = said(caplog, "step.stuck")
    assert (fields["actor"], fields["run_id"], fields["reason"]) == (ref.path, run.id, "enough")
    assert "Refusing.__call__" in fields["where"]
    message.let_go.set()
    await run


async def test_a_reply_that_ends_within_its_grace_is_not_reported(system, stubborn, caplog):
    _, message, run = stubborn
    async with anyio.create_task_group() as group:
        call = Call(group, run.interrupt, "enough", grace=3.0)
        await anyio.sleep(2.9)
        message.let_go.set()
        assert (await call.result()).outcome == "completed"
    await anyio.sleep(20)
    assert said(caplog, "step.stuck") == []


async def test_it_no_longer_burns_the_processor(system, stubborn):
    """R47, P7: from some thousand turns of the event loop in a second to a few."""
    _, message, run = stubborn
    await run.interrupt("enough", grace=1.0)
    await quiet()
    absorbed = message.absorbed
    with Turns() as turns:
        await anyio.sleep(100)
    assert turns.count < 2000
    assert 90 <= message.absorbed - absorbed <= 220
    message.let_go.set()
    assert await run == "at last"


async def test_it_hears_of_its_cancellation_again_every_second(system):
    """P7: so one that has absorbed it by mistake ends in the end."""
    actor = Doer()
    ref = await system.spawn(actor)
    began = anyio.Event()

    async def stubborn_for_a_while(_actor):
        until = anyio.current_time() + 10
        began.set()
        while True:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                if anyio.current_time() >= until:
                    raise
                with anyio.CancelScope(shield=True):
                    await anyio.lowlevel.checkpoint()

    run = await ref.request(stubborn_for_a_while)
    await began.wait()
    started = anyio.current_time()
    assert (await run.interrupt("enough", grace=1.0)).outcome == "stuck"
    assert (await run).reason == "enough"
    assert 9 <= anyio.current_time() - started <= 12
    assert len(actor.handled) == 1


async def test_its_asker_waits_on(system, stubborn):
    """Promise 11: nobody gets an answer before the reply has ended (P8)."""
    _, message, run = stubborn
    await run.interrupt(grace=1.0)
    await anyio.sleep(1000)
    assert not run.settled
    assert (await run.interrupt(grace=1.0)).outcome == "stuck"
    message.let_go.set()
    assert await run == "at last"


async def test_a_second_interrupt_of_a_stuck_reply_waits_for_its_own_grace(system, stubborn):
    """R41."""
    _, message, run = stubborn
    assert (await run.interrupt(grace=1.0)).outcome == "stuck"
    before = anyio.current_time()
    assert (await run.interrupt(grace=7.0)).outcome == "stuck"
    assert anyio.current_time() - before == pytest.approx(7.0, abs=0.2)
    message.let_go.set()
    await run


async def test_other_actors_go_on(system, stubborn):
    """R47."""
    _, message, run = stubborn
    other = await system.spawn(Doer())
    for _ in range(5):
        assert (await run.interrupt(grace=1.0)).outcome == "stuck"
        assert await other.ask("hello") == "hello"
    message.let_go.set()
    await run


async def test_the_reply_of_a_long_finally_is_let_finish(system):
    """R47: it is its delivery that stops, not the reply."""
    actor = Doer()
    ref = await system.spawn(actor)
    began = anyio.Event()

    async def cleans_up(actor):
        try:
            began.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(60)
            actor.log.append("clean")

    run = await ref.request(cleans_up)
    await began.wait()
    before = anyio.current_time()
    assert (await run.interrupt("enough", grace=1.0)).outcome == "stuck"
    assert (await run).reason == "enough"
    assert anyio.current_time() - before == pytest.approx(60, abs=0.2)
    assert actor.log == ["clean"]


@pytest.mark.parametrize("end", ["stop", "drain", "kill"])
async def test_ending_the_actor_gives_its_asker_an_error_and_leaves_the_reply_to_itself(
    system, stubborn, settlements, end
):
    """Promise 11: `ReplyStuckError`, with where it hangs; the actor ends, and its name is free."""
    ref, message, run = stubborn
    queued = await ref.request("queued")
    assert (await run.interrupt("enough", grace=1.0)).outcome == "stuck"
    before = anyio.current_time()
    await (ref.kill() if end == "kill" else ref.stop(drain=end == "drain"))
    assert anyio.current_time() - before <= 6
    with pytest.raises(ReplyStuckError) as caught:
        await run
    assert (caught.value.ref, caught.value.run_id) == (ref, run.id)
    assert "Refusing.__call__" in caught.value.where
    assert ref.statistics().state == "dead"
    assert queued.status == ("completed" if end == "drain" else "stopped")
    again = await system.spawn(Doer(), name=ref.name)
    assert await again.ask("hello") == "hello"
    message.let_go.set()
    await quiet()
    assert run.status == "failed"
    assert set(settlements.values()) == {1}


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_reply_that_refuses_to_end_for_the_end_of_its_actor_is_left_to_itself(system, stubborn, end):
    """Promise 11: after the grace, also if nobody had interrupted it before."""
    ref, message, run = stubborn
    before = anyio.current_time()
    await (ref.kill() if end == "kill" else ref.stop(drain=False))
    assert anyio.current_time() - before == pytest.approx(5.0, abs=0.2)
    with pytest.raises(ReplyStuckError):
        await run
    message.let_go.set()
    await quiet()
    assert run.status == "failed"


@pytest.mark.parametrize("step", ["handle_interrupt", "on_stop", "on_start"])
async def test_another_step_that_refuses_to_end_does_not_burn_the_processor_either(
    new_system, caplog, settlements, step
):
    """Promise 3, R47: handle_interrupt and the hooks have a time limit, or are cut; one that absorbs that is reported."""
    stubborn = Refusing()

    class Refuses(Doer):
        async def on_start(self):
            await (stubborn(self) if step == "on_start" else anyio.lowlevel.checkpoint())

        async def on_stop(self):
            await (stubborn(self) if step == "on_stop" else anyio.lowlevel.checkpoint())

        async def handle_interrupt(self, message, interruption, /):
            return await stubborn(self)

    async def use(system):
        with anyio.move_on_after(2.0):
            ref = await system.spawn(Refuses(), interrupt_timeout=2.0)
            if step == "handle_interrupt":
                hang = Hang()
                await ref.tell(hang)
                await hang.began.wait()
                ref.interrupt_nowait()
            else:
                await ref.stop()

    async with new_system() as system, anyio.create_task_group() as group:
        group.start_soon(use, system)
        await stubborn.began.wait()
        await anyio.sleep(30)
        with Turns() as turns:
            await anyio.sleep(100)
        stubborn.let_go.set()
        await quiet()
        assert turns.count < 2000
        assert len(said(caplog, "step.stuck")) == 1
    assert set(settlements.values()) <= {1}


async def test_a_handle_interrupt_that_refuses_to_end_keeps_its_asker_no_longer(system, messages, settlements):
    """Promise 3: long after its time limit the asker gets `Interrupted`, once, and the actor is busy until it ends."""

    class Refuses(Doer):
        async def handle_interrupt(self, message, interruption, /):
            messages.append(Refusing())
            return await messages[0](self)

    ref = await system.spawn(Refuses(), interrupt_timeout=2.0)
    hang = Hang()
    run = await ref.request(hang)
    await hang.began.wait()
    assert ref.interrupt_nowait("enough")
    before = anyio.current_time()
    with pytest.raises(Interrupted):
        await run
    assert anyio.current_time() - before < 30
    assert ref.statistics().state == "busy"
    messages[0].let_go.set()
    assert await ref.ask("alive") == "alive"
    assert run.status == "interrupted"
    assert set(settlements.values()) == {1}


async def test_a_system_with_a_stuck_reply_is_not_left_and_says_so(new_system, caplog):
    """Promise 19: every few seconds, with what hangs and where."""
    message, left = Refusing(), []
    async with anyio.create_task_group() as group:

        async def use():
            async with new_system(drain_timeout=1.0) as system:
                ref = await system.spawn(Doer(), name="stubborn")
                ref.tell_nowait(message)
                await message.began.wait()
            left.append(system)

        group.start_soon(use)
        await anyio.sleep(60)
        early, reports = list(left), said(caplog, "system.waiting")
        message.let_go.set()
    assert (len(early), len(left)) == (0, 1)
    assert 10 <= len(reports) <= 20
    assert {report["actor"] for report in reports} == {"system/stubborn"}
    assert all("Refusing.__call__" in report["where"] for report in reports)


async def test_a_cancelled_system_with_a_stuck_reply_does_not_burn_the_processor(new_system, caplog):
    """R47, promise 19: the same when the end comes from outside."""
    message, left, scope = Refusing(), [], anyio.CancelScope()

    async def use():
        with scope:
            async with new_system(drain_timeout=1.0) as system:
                ref = await system.spawn(Doer(), name="stubborn")
                ref.tell_nowait(message)
                await anyio.sleep_forever()
        left.append(scope.cancelled_caught)

    async with anyio.create_task_group() as group:
        group.start_soon(use)
        await message.began.wait()
        scope.cancel()
        await anyio.sleep(60)
        early, reports = list(left), said(caplog, "system.waiting")
        with Turns() as turns:
            await anyio.sleep(100)
        message.let_go.set()
    assert (early, left) == ([], [True])
    assert turns.count < 2000
    assert {report["actor"] for report in reports} == {"system/stubborn"}


async def test_a_protected_section_holds_the_system_up_no_longer_than_it_lasts_and_it_says_so(new_system, caplog):
    """Promise 19: what keeps the block from being left is in the log, with its place, in whatever phase of leaving."""
    section, leave = anyio.Event(), anyio.Event()

    async def protected(actor):
        async with actor.context.protect():
            section.set()
            await leave.wait()

    async with anyio.create_task_group() as group:

        async def use():
            async with new_system(drain_timeout=0.01) as system:
                await (await system.spawn(Doer(), name="careful")).tell(protected)
                await section.wait()

        call = Call(group, use)
        await section.wait()
        await anyio.sleep(60)
        early, reports = call.over, said(caplog, "system.waiting")
        leave.set()
        await call.ended()
    assert not early
    assert 10 <= len(reports) <= 20
    assert {report["actor"] for report in reports} == {"system/careful"}
    assert all("protected" in report["where"] for report in reports)
