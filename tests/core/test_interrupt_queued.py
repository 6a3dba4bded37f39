"""Promise 4: a run that is interrupted while it is queued is answered by ``handle_interrupt``, before other messages."""

from __future__ import annotations

import anyio
import pytest

from actors import Interrupted, Mailbox
from tests._support import Call, Doer, Gate, Hang, Mute, quiet


class Ordered(Doer):
    """Notes what it does, in order."""

    async def reply(self, message, /):
        self.log.append(message if isinstance(message, str) else "gate")
        return await super().reply(message)

    async def handle_interrupt(self, message, interruption, /):
        self.log.append(("interrupted", interruption.run_id))
        return await super().handle_interrupt(message, interruption)


async def busy(system, actor, **options):
    """An actor whose current run waits at a gate."""
    ref = await system.spawn(actor, **options)
    gate = Gate()
    current = await ref.request(gate, run_id="current")
    await gate.began.wait()
    return ref, gate, current


async def test_a_queued_run_is_answered_without_having_begun(system):
    """R40: at the next turn boundary, before what was queued before it."""
    actor = Ordered()
    ref, gate, current = await busy(system, actor)
    before = await ref.request("before")
    named = await ref.request("named", run_id="named")
    async with anyio.create_task_group() as group:
        call = Call(group, ref.interrupt, "no need", by="anna", message="sorry", run_id="named")
        await quiet()
        assert named.status == "interrupting"
        assert ref.statistics().queued == 1
        assert not call.over
        gate.open()
        receipt = await call.result()
    assert (receipt.outcome, receipt.run_id, receipt.partial) == ("interrupted", "named", ())
    interruption = await named
    assert (interruption.started, interruption.source, interruption.partial) == (False, "caller", ())
    assert (interruption.reason, interruption.by, interruption.message) == ("no need", "anna", "sorry")
    assert [await current, await before] == ["opened", "before"]
    assert actor.log == ["gate", ("interrupted", "named"), "before"]


async def test_the_receipt_of_a_queued_run_says_deferred_while_the_turn_before_it_lasts(system):
    """R29: never a success before handle_interrupt has ended."""
    actor = Ordered()
    ref, gate, _ = await busy(system, actor)
    named = await ref.request("named", run_id="named")
    receipt = await named.interrupt(grace=0.001)
    assert receipt.outcome == "deferred"
    assert not receipt
    assert ref.interrupt_nowait(run_id="named")
    gate.open()
    assert (await named).started is False
    assert len(actor.handled) == 1


async def test_several_queued_runs_are_answered_in_the_order_of_their_interrupts(system):
    """R40."""
    actor = Ordered()
    ref, gate, _ = await busy(system, actor)
    runs = {name: await ref.request(name, run_id=name) for name in "abcd"}
    for name in "cab":
        assert ref.interrupt_nowait(run_id=name)
        assert ref.interrupt_nowait(run_id=name)
    gate.open()
    assert await runs["d"] == "d"
    assert actor.log == ["gate", *(("interrupted", name) for name in "cab"), "d"]
    assert [(await runs[name]).started for name in "abc"] == [False] * 3


async def test_the_current_run_is_left_alone(system):
    """R2."""
    actor = Ordered()
    ref, gate, current = await busy(system, actor)
    queued = await ref.request("queued")
    assert (await queued.interrupt(grace=0)).outcome == "deferred"
    await quiet()
    assert current.status == "running"
    gate.open()
    assert await current == "opened"
    assert (await queued).started is False


async def test_an_interrupt_of_the_current_run_goes_before_that_of_a_queued_one(system):
    """R40: the turn is one, with its handle_interrupt."""
    actor = Ordered()
    ref, _, current = await busy(system, actor)
    queued = await ref.request("queued", run_id="queued")
    assert ref.interrupt_nowait(run_id="queued")
    assert ref.interrupt_nowait(run_id="current")
    assert [(await current).started, (await queued).started] == [True, False]
    assert actor.log == ["gate", ("interrupted", "current"), ("interrupted", "queued")]


async def test_a_base_handle_interrupt_gives_interrupted_for_a_queued_run_too(system):
    """R16."""
    ref, gate, _ = await busy(system, Mute())
    queued = await ref.request("queued")
    assert ref.interrupt_nowait("no need", run_id=queued.id)
    gate.open()
    with pytest.raises(Interrupted) as caught:
        await queued
    assert (caught.value.reason, caught.value.partial) == ("no need", ())


async def test_a_message_that_waits_for_room_can_be_interrupted_by_its_run_id(system):
    """R40, promise 9: its asker is answered, and the sender behind it comes up."""
    actor = Ordered()
    ref, gate, _ = await busy(system, actor, mailbox=Mailbox(capacity=1))
    queued = await ref.request("queued")
    async with anyio.create_task_group() as group:
        blocked = Call(group, ref.ask, "blocked", run_id="blocked")
        await quiet()
        behind = Call(group, ref.ask, "behind")
        await quiet()
        assert ref.interrupt_nowait("no need", run_id="blocked")
        await quiet()
        gate.open()
        assert (await blocked.result()).started is False
        assert await behind.result() == "behind"
    assert await queued == "queued"
    assert actor.log == ["gate", ("interrupted", "blocked"), "queued", "behind"]


async def test_a_queued_ask_that_is_interrupted_by_its_run_id_is_answered(system):
    """R40: unlike one whose asker is gone."""
    actor = Ordered()
    ref, gate, _ = await busy(system, actor)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, "queued", run_id="queued")
        await quiet()
        assert (await system.interrupt("queued", "no need", grace=0)).outcome == "deferred"
        gate.open()
        assert (await call.result()).reason == "no need"
    assert actor.log == ["gate", ("interrupted", "queued")]


async def test_an_asker_who_leaves_a_queued_run_that_was_interrupted_still_has_it_handled(system):
    """semantics.md, 4: the interrupt came first, so the run is handled; its value is dropped."""
    actor = Ordered()
    ref, gate, _ = await busy(system, actor)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, "queued", run_id="queued")
        await quiet()
        assert ref.interrupt_nowait("no need", run_id="queued")
        call.scope.cancel()
        assert await call.ended() == "cancelled"
    gate.open()
    assert await ref.ask("last") == "last"
    assert actor.log == ["gate", ("interrupted", "queued"), "last"]


async def test_an_interrupt_right_after_the_request_never_lets_the_reply_begin(system):
    """semantics.md, 1: not even its first steps, although nothing was in its way."""
    actor = Ordered()
    ref = await system.spawn(actor)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, hang := Hang(), run_id="quick")
        while system.runs.get("quick") is None:
            await anyio.lowlevel.checkpoint()
        receipt = await ref.interrupt(run_id="quick")
        interruption = await call.result()
    assert receipt.outcome == "interrupted"
    assert interruption.started is hang.began.is_set()
    assert len(actor.handled) == 1
