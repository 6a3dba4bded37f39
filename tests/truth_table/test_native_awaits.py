"""What a reply may be awaiting when it is interrupted: things of asyncio's own. (R1, P3; truth table, first part.)"""

import asyncio

import anyio
import anyio.lowlevel
import pytest

from actors import ReplyCancelled
from tests.truth_table._replies import exists_on_asyncio_only, timeouts_work

pytestmark = exists_on_asyncio_only


async def future(actor):
    actor.about_to_wait()
    await asyncio.get_running_loop().create_future()


async def empty_queue(actor):
    actor.about_to_wait()
    await asyncio.Queue().get()


async def full_queue(actor):
    queue = asyncio.Queue(1)
    queue.put_nowait("item")
    actor.about_to_wait()
    await queue.put("item")


async def event(actor):
    actor.about_to_wait()
    await asyncio.Event().wait()


async def condition(actor):
    changed = asyncio.Condition()
    async with changed:
        actor.about_to_wait()
        await changed.wait()


async def native_sleep(actor):
    actor.about_to_wait()
    await asyncio.sleep(60)


@pytest.mark.parametrize("kind", [future, empty_queue, full_queue, event, condition, native_sleep])
async def test_a_reply_that_awaits_something_of_asyncios_is_interrupted_at_once(kind, stage, reached):
    """R1, R5; row native Future, `asyncio.Queue.get`, Event: caught; afterwards `cancelling()` is back at its entry value."""
    async with stage() as scene:
        run = await scene.begin(kind)
        receipt = await scene.interrupt()
        assert scene.actor.task.cancelling() == 0
        await scene.ended(run, receipt, "interrupted")
        reached()


async def test_an_awaited_sub_task_is_cancelled_with_the_reply(stage, reached):
    """R1, R10; row sub-Task: caught, the awaited task is cancelled too."""
    below = []

    async def script(actor):
        below.append(asyncio.create_task(anyio.sleep_forever()))
        actor.about_to_wait()
        await below[0]

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        assert below[0].cancelled()
        await scene.ended(run, receipt, "interrupted")
        reached()


async def test_an_interrupt_inside_asyncio_timeout_is_no_timeout_and_leaves_the_counts_balanced(stage, reached):
    """R1, R5; row `asyncio.timeout()` block: caught, `cancelling()` back to 0."""

    async def script(actor):
        async with asyncio.timeout(60):
            actor.about_to_wait()
            await anyio.sleep_forever()

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        assert scene.actor.task.cancelling() == 0
        await scene.ended(run, receipt, "interrupted")
        await timeouts_work()
        reached()


async def test_an_asyncio_task_group_cancels_its_children_once_and_waits_for_them(stage, reached):
    """R1, R41; row `asyncio.TaskGroup`: caught, children cancelled, waits for slow children. (What it burns: P7, elsewhere.)"""
    cleaned = asyncio.Event()
    order = []

    async def slow_child():
        try:
            await anyio.sleep_forever()
        finally:
            order.append("child cancelled")
            await cleaned.wait()
            order.append("child cleaned up")

    async def script(actor):
        async with asyncio.TaskGroup() as group:
            group.create_task(slow_child())
            actor.about_to_wait()
            await anyio.sleep_forever()

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt(then=cleaned.set)
        assert order == ["child cancelled", "child cleaned up"]
        await scene.ended(run, receipt, "interrupted")
        reached()


async def test_what_is_shielded_natively_goes_on_without_the_reply(stage, reached):
    """R1; row `asyncio.shield(x)`: caught at once, x goes on."""
    finish = asyncio.Event()
    shielded = asyncio.create_task(finish.wait())

    async def script(actor):
        actor.about_to_wait()
        await asyncio.shield(shielded)

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        assert not shielded.done()
        finish.set()
        assert await shielded is True
        reached()


async def test_a_native_task_that_the_reply_does_not_await_goes_on(stage, reached):
    """R14; row `create_task()` not awaited: caught, the native task is in no scope and goes on."""
    finish = asyncio.Event()
    started = []

    async def script(actor):
        started.append(asyncio.create_task(finish.wait()))
        actor.about_to_wait()
        await anyio.sleep_forever()

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        assert not started[0].done()
        finish.set()
        assert await started[0] is True
        reached()


async def test_what_such_a_task_emits_while_the_interrupt_is_handled_is_no_chunk_of_the_reply_any_more(stage, reached):
    """R44; row `create_task()` not awaited: it goes on, in the context of the run, but the reply has ended."""
    may_emit = asyncio.Event()
    started = []

    async def emit_later(actor):
        await may_emit.wait()
        actor.context.emit("stale")

    async def script(actor):
        started.append(asyncio.create_task(emit_later(actor)))
        actor.about_to_wait()
        await anyio.sleep_forever()

    async def answering():
        may_emit.set()
        await started[0]

    async with stage() as scene:
        scene.actor.before_answering = answering
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        assert started[0].done()
        await scene.ended(run, receipt, "interrupted", partial=("half",))
        reached()


async def test_an_item_handed_over_in_the_tick_of_a_native_cancellation_is_lost(stage, reached):
    """P1; row memory stream item handed over, native cancel in the same tick: the item is in limbo, which is why the mailbox
    is no memory stream. With our scope's cancellation it is kept."""
    sending, receiving = anyio.create_memory_object_stream(1)

    async def script(actor):
        actor.about_to_wait()
        return await receiving.receive()

    async with stage() as scene, sending, receiving:
        run = await scene.begin(script)
        sending.send_nowait("item")
        scene.actor.task.cancel()
        await scene.ended(run, None, "failed", error=ReplyCancelled)
        with pytest.raises(anyio.WouldBlock):
            receiving.receive_nowait()
        reached()
