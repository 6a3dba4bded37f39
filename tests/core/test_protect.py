"""Promise 10, R45: `protect()` defers an interrupt to the end of the section."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import UsageError
from tests._support import Call, Doer, Gate, Hang, quiet, turns


class Section:
    """A message: a protected section, nested ``depth`` times, and an await behind it."""

    def __init__(self, depth: int = 1) -> None:
        self.depth = depth
        self.began, self.after = anyio.Event(), anyio.Event()
        self.leave = Gate()
        self.inside = 0

    async def __call__(self, actor):
        await self.nested(actor, self.depth)
        self.after.set()
        await anyio.sleep_forever()

    async def nested(self, actor, depth):
        async with actor.context.protect():
            if depth > 1:
                await self.nested(actor, depth - 1)
            else:
                self.began.set()
                await self.leave(actor)
            await turns(2)
            self.inside += 1


@pytest.mark.parametrize("depth", [1, 2, 4])
async def test_an_interrupt_takes_effect_at_the_end_of_the_outermost_section(system, depth):
    """R45: every line of the sections runs, none behind them does."""
    actor = Doer()
    ref = await system.spawn(actor)
    section = Section(depth)
    run = await ref.request(section)
    await section.began.wait()
    assert ref.interrupt_nowait("enough")
    await quiet()
    assert run.status == "interrupting"
    section.leave.open()
    assert (await run).reason == "enough"
    assert section.inside == depth
    assert not section.after.is_set()
    assert len(actor.handled) == 1


async def test_the_receipt_says_deferred_while_the_section_lasts(system):
    """R45: deferred, not refused, and not stuck."""
    ref = await system.spawn(Doer())
    section = Section()
    run = await ref.request(section)
    await section.began.wait()
    receipt = await ref.interrupt("enough", grace=0.01)
    assert (receipt.outcome, receipt.run_id) == ("deferred", run.id)
    assert not receipt
    section.leave.open()
    assert (await run.interrupt()).outcome == "interrupted"
    assert (await run).reason == "enough"


async def test_the_receipt_waits_for_the_end_of_the_section(system):
    """R41: within its grace."""
    ref = await system.spawn(Doer())
    section = Section()
    run = await ref.request(section)
    await section.began.wait()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.interrupt, "enough")
        await quiet()
        assert not call.over
        section.leave.open()
        assert (await call.result()).outcome == "interrupted"
    assert run.status == "interrupted"


async def test_a_section_without_an_interrupt_changes_nothing(system):
    ref = await system.spawn(Doer())

    async def reply(actor):
        async with actor.context.protect():
            await turns(2)
        with anyio.move_on_after(10) as scope:
            await anyio.lowlevel.checkpoint()
        return scope.cancel_called

    assert await ref.ask(reply) is False


async def test_each_section_protects_anew(system):
    """R45: an interrupt between two sections takes effect there."""
    actor = Doer()
    ref = await system.spawn(actor)
    between = Hang()

    async def reply(actor):
        async with actor.context.protect():
            actor.log.append("first")
        await between(actor)
        async with actor.context.protect():
            actor.log.append("second")

    run = await ref.request(reply)
    await between.began.wait()
    assert (await run.interrupt()).outcome == "interrupted"
    assert actor.log == ["first"]


async def test_an_error_in_the_section_reaches_the_asker_in_spite_of_the_interrupt(system):
    """Promise 6: a reply that raised something else has failed."""
    actor = Doer()
    ref = await system.spawn(actor)
    began, fail = anyio.Event(), anyio.Event()

    async def reply(actor):
        async with actor.context.protect():
            began.set()
            await fail.wait()
            raise ZeroDivisionError

    run = await ref.request(reply)
    await began.wait()
    assert ref.interrupt_nowait("enough")
    fail.set()
    with pytest.raises(ZeroDivisionError):
        await run
    assert actor.handled == []


async def test_what_the_section_asks_is_interrupted_only_when_it_ends(system):
    """R10, R45: until then it may even ask for more."""
    below_actor = Doer()
    above, below, other = [await system.spawn(actor) for actor in (Doer(), below_actor, Doer())]
    section, hang, kept = Section(), Hang(), []

    async def reply(actor):
        async with actor.context.protect():
            kept.append(await below.request(hang))
            await section.nested(actor, 1)
            kept.append(await other.ask("in time"))
        await anyio.sleep_forever()

    run = await above.request(reply)
    await section.began.wait()
    assert above.interrupt_nowait("enough")
    await quiet()
    assert kept[0].status == "running"
    section.leave.open()
    receipt = await run.interrupt()
    assert kept[1:] == ["in time"]
    assert [child.outcome for child in receipt.children] == ["interrupted"]
    assert [(i.source, i.reason) for i in below_actor.handled] == [("ancestor", "enough")]


async def test_a_scope_of_the_reply_is_not_deferred(system):
    """Promise 10: only an interrupt is; a timeout inside the section works."""
    ref = await system.spawn(Doer())

    async def reply(actor):
        async with actor.context.protect():
            with anyio.move_on_after(0.001) as scope:
                await anyio.sleep_forever()
        return scope.cancelled_caught

    assert await ref.ask(reply) is True


async def test_kill_cuts_a_protected_section(system):
    """Promise 10: cancellation from outside is not deferred."""
    actor = Doer()
    ref = await system.spawn(actor)
    section = Section()
    run = await ref.request(section)
    await section.began.wait()
    assert ref.interrupt_nowait("deferred")
    await ref.kill()
    assert run.status == "stopped"
    assert section.inside == 0
    assert actor.handled == []


async def test_the_end_of_the_system_cuts_a_protected_section(new_system):
    """Promise 5, promise 10."""
    actor, section = Doer(), Section()
    with anyio.CancelScope() as scope:
        async with new_system() as system:
            ref = await system.spawn(actor)
            await ref.request(section)
            await section.began.wait()
            scope.cancel()
    assert scope.cancelled_caught
    assert section.inside == 0


async def test_protect_outside_a_run_is_refused(system):
    """Promise 10: there is nothing to defer."""
    actor, other = Doer(), Doer()
    await system.spawn(actor)
    ref = await system.spawn(other)
    with pytest.raises(UsageError, match="outside a run"):
        actor.context.protect()

    async def of_another(_actor):
        actor.context.protect()

    with pytest.raises(UsageError, match="outside a run"):
        await ref.ask(of_another)
