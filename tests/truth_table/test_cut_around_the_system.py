"""What hosts the system is cut from outside while a reply is interrupted: before, in the same tick, and after.

It ends the system. Nothing of it is converted into an interrupt: `handle_interrupt` does not run, or is cut where it is (P5). The
run ends as *stopped*, `on_stop` still runs. (R1, R50, R51, P9; truth table, third part.)
"""

import anyio
import pytest

from actors import ActorStopped
from tests.truth_table._layers import AT_ONCE, CUT_EARLIER, WHILE_HANDLING, Cut, every_layer, every_order, in_order
from tests.truth_table._replies import Scripted, turns


async def script(actor):
    actor.about_to_wait()
    await anyio.sleep_forever()


class Host:
    """A system that some layer hosts, so that it can be cut."""

    def __init__(self, new_system):
        self.new_system = new_system
        self.actor = Scripted()
        self.ref = None
        self.handling = anyio.Event()
        self.actor.before_answering = self._hold
        self.cut = Cut()
        self.left_in_order = False

    async def _hold(self):
        self.handling.set()
        await anyio.sleep_forever()

    async def with_a_sleeping_block(self):
        async with self.new_system() as system:
            self.ref = await system.spawn(self.actor)
            await self.ref.request(script)
            await anyio.sleep_forever()
        self.left_in_order = True

    async def with_a_block_that_asks(self):
        async with self.new_system() as system:
            self.ref = await system.spawn(self.actor)
            await self.ref.ask(script)
        self.left_in_order = True

    def interrupt(self):
        self.ref.interrupt_nowait("stop", by="anna")


@every_layer
@every_order
@pytest.mark.parametrize("block", [Host.with_a_sleeping_block, Host.with_a_block_that_asks])
async def test_the_system_ends_and_the_interrupt_is_not_handled_any_more(block, layer, order, new_system, reached):
    """R1, P5, P9; rows outer cancel / native `task.cancel()`, here of what hosts the system, before / same tick (either order)
    as the interrupt: not caught, propagates, `handle_interrupt` must not run; the cut later: the next await raises."""
    host = Host(new_system)
    async with anyio.create_task_group() as group:
        group.start_soon(layer, lambda: block(host), host.cut)
        await host.actor.waiting.wait()
        await turns(5)
        await in_order(order, layer, cut=host.cut, interrupt=host.interrupt, handling=host.handling)
    assert host.cut.unwound
    assert not host.left_in_order
    run = host.actor.run
    if order == WHILE_HANDLING:
        assert len(host.actor.handled) == 1
    elif layer in AT_ONCE or order == CUT_EARLIER:
        assert host.actor.handled == []
    else:  # the interrupt was a turn earlier after all
        assert len(host.actor.handled) <= 1
    with pytest.raises(ActorStopped):
        await run
    assert (run.status, run.partial) == ("stopped", ("half",))
    assert host.actor.stops == 1
    reached()


@every_layer
async def test_a_queued_message_gets_no_first_step_any_more(layer, new_system, reached):
    """P5, P17; section 1 (anyio#1069): a task that was started runs to its first checkpoint even if its group is cancelled
    already; a queued message must not."""
    steps = []

    async def step(actor):
        steps.append("begun")

    host = Host(new_system)
    queued = []
    async with anyio.create_task_group() as group:
        group.start_soon(layer, host.with_a_sleeping_block, host.cut)
        await host.actor.waiting.wait()
        await turns(5)
        queued.append(await host.ref.request(step))
        other = await host.actor.context.system.spawn(Scripted())
        if layer in AT_ONCE:
            host.cut()
            queued.append(await other.request(step))
        else:
            host.cut()
    assert host.cut.unwound
    assert host.cut.count in {None, 1}  # (with an interrupt in the same tick anyio 4.16 takes one too many back)
    for run in queued:
        with pytest.raises(ActorStopped):
            await run
        assert run.status == "stopped"
    assert steps == []
    reached()


@every_layer
async def test_a_reply_that_never_suspends_is_not_run_either_when_its_system_is_being_cancelled(
    layer, new_system, reached
):
    """P5: a flood of messages that never suspend does not outlive the cancellation of its system."""
    count = 0

    async def again(actor):
        nonlocal count
        count += 1
        actor.context.ref.tell_nowait(again)

    host = Host(new_system)
    async with anyio.create_task_group() as group:
        group.start_soon(layer, host.with_a_sleeping_block, host.cut)
        await host.actor.waiting.wait()
        flooded = await host.actor.context.system.spawn(Scripted())
        flooded.tell_nowait(again)
        await turns(5)
        host.cut()
    assert host.cut.unwound
    counted = count
    assert counted > 0
    await turns(5)
    assert count == counted
    reached()
