"""The actor or its system is ended, by those who may, while a reply is interrupted: in the same tick, and after.

Draining and stopping leave an interrupted run its handler; killing, and leaving the block by an exception, do not. (R50, P5, P19;
truth table, third part.)
"""

from functools import partial

import anyio
import pytest

from actors import ActorStopped
from tests.truth_table._replies import Scripted, turns

END_FIRST = "the end, then the interrupt"
INTERRUPT_FIRST = "the interrupt, then the end, in one tick"
either_order = pytest.mark.parametrize("order", [END_FIRST, INTERRUPT_FIRST])


async def script(actor):
    actor.about_to_wait()
    await anyio.sleep_forever()


async def in_order(order, end, interrupt):
    """Order both; return when the end has been reached."""
    if order == INTERRUPT_FIRST:
        interrupt()
        await end()
        return
    ordered = anyio.Event()

    async def order_the_end():
        ordered.set()  # whoever waits for this goes on when the next line has suspended
        await end()

    async with anyio.create_task_group() as group:
        group.start_soon(order_the_end)
        await ordered.wait()
        interrupt()


@either_order
@pytest.mark.parametrize("drain", [False, True])
async def test_an_actor_that_is_stopped_still_handles_the_interrupt(order, drain, stage, reached):
    """R50, P3; shutdown by `stop()`: the run is interrupted once, by whoever came first, then the actor stops."""
    async with stage() as scene:
        run = await scene.begin(script)
        stop = partial(scene.ref.stop, drain=drain)
        await in_order(order, stop, lambda: scene.ref.interrupt_nowait("stop", by="anna"))
        (interruption,) = scene.actor.handled
        assert await run is interruption
        assert (run.status, run.partial, interruption.started) == ("interrupted", ("half",), True)
        stopped_first = order == END_FIRST and not drain
        assert interruption.reason == ("the actor is being stopped" if stopped_first else "stop")
        assert scene.actor.stops == 1
        assert scene.ref.statistics().state == "dead"
        assert (await run.interrupt()).outcome == "finished"
        reached()


@either_order
async def test_an_actor_that_is_killed_does_not_handle_the_interrupt(order, stage, reached):
    """R50; shutdown by `kill()`: the reply is cut without `handle_interrupt` and `on_stop`, whichever came first."""
    async with stage() as scene:
        run = await scene.begin(script)
        await in_order(order, scene.ref.kill, lambda: scene.ref.interrupt_nowait("stop", by="anna"))
        with pytest.raises(ActorStopped):
            await run
        assert (run.status, run.partial) == ("stopped", ("half",))
        assert scene.actor.handled == []
        assert scene.actor.stops == 0
        reached()


async def test_a_handler_that_is_killed_is_cut_where_it_is(stage, reached):
    """R50; shutdown by `kill()`, while the interrupt is handled: the asker is told that the actor has stopped."""
    handling = anyio.Event()

    async def hold():
        handling.set()
        await anyio.sleep_forever()

    async with stage() as scene:
        scene.actor.before_answering = hold
        run = await scene.begin(script)
        assert scene.ref.interrupt_nowait("stop", by="anna")
        await handling.wait()
        await scene.ref.kill()
        with pytest.raises(ActorStopped):
            await run
        assert (run.status, len(scene.actor.handled), scene.actor.stops) == ("stopped", 1, 0)
        reached()


class BlockError(Exception):
    pass


@pytest.mark.parametrize("interrupted", [False, True])
async def test_leaving_the_block_by_an_exception_cuts_the_reply_and_the_interrupt_is_not_handled(
    interrupted, new_system, reached
):
    """P5, P19; shutdown by an exception in the system's block, in the tick of the interrupt; the exception comes out as it is."""
    actor = Scripted()
    with pytest.raises(BlockError):  # noqa: PT012 - the block is the system's
        async with new_system() as system:
            ref = await system.spawn(actor)
            run = await ref.request(script)
            await actor.waiting.wait()
            if interrupted:
                assert ref.interrupt_nowait("stop", by="anna")
            raise BlockError
    with pytest.raises(ActorStopped):
        await run
    assert (run.status, run.partial, actor.handled, actor.stops) == ("stopped", ("half",), [], 1)
    reached()


@pytest.mark.parametrize("interrupted", [False, True])
async def test_leaving_the_block_as_one_should_leaves_the_interrupt_its_handler(interrupted, new_system, reached):
    """P19; shutdown at the end of the system's block, in the tick of the interrupt; else the end of the drain time is one."""
    actor = Scripted()
    async with new_system(drain_timeout=10 if interrupted else 0) as system:
        ref = await system.spawn(actor)
        run = await ref.request(script)
        await actor.waiting.wait()
        if interrupted:
            assert ref.interrupt_nowait("stop", by="anna")
    (interruption,) = actor.handled
    assert await run is interruption
    assert interruption.reason == ("stop" if interrupted else "the system is closing")
    assert (run.status, run.partial, actor.stops) == ("interrupted", ("half",), 1)
    await turns(3)
    reached()
