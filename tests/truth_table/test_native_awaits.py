"""What a reply may be awaiting when it is interrupted: things of asyncio's own. (R1, P3; truth table, first part.)

asyncio delivers a native cancellation once; a cancelled anyio scope delivers again at each turn of the event loop, until the
reply has left it. That is what ends the edge-triggered idioms below otherwise than their authors meant.
"""

import asyncio
import sys

import anyio
import anyio.lowlevel
import pytest

from actors import ReplyCancelled
from tests.truth_table._replies import exists_on_asyncio_only, stage, timeouts_work, turns

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
async def test_a_reply_that_awaits_something_of_asyncios_is_interrupted_at_once(kind, reached):
    """R1; row native Future, `asyncio.Queue.get`, Event: caught."""
    async with stage() as scene:
        run = await scene.begin(kind)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        reached()


async def test_an_awaited_sub_task_is_cancelled_with_the_reply(reached):
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


async def test_an_interrupt_inside_asyncio_timeout_is_no_timeout_and_leaves_the_counts_balanced(reached):
    """R1, R5; row `asyncio.timeout()` block: caught, `cancelling()` back to 0."""
    task = None

    async def script(actor):
        nonlocal task
        task = asyncio.current_task()
        async with asyncio.timeout(60):
            actor.about_to_wait()
            await anyio.sleep_forever()

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        assert task.cancelling() == 0
        await scene.ended(run, receipt, "interrupted")
        await timeouts_work()
        reached()


async def test_an_asyncio_task_group_cancels_its_children_once_and_waits_for_them(reached):
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


async def test_gather_cancels_its_children_again_at_each_turn_so_that_their_cleanup_is_cut(reached):
    """P3; row `asyncio.gather`: caught at once, `finally: await ...` of its children is cut."""
    order = []

    async def child():
        try:
            await anyio.sleep_forever()
        finally:
            order.append("cleaning up")
            await asyncio.get_running_loop().create_future()
            order.append("cleaned up")

    async def script(actor):
        actor.about_to_wait()
        await asyncio.gather(child(), child())

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await turns(3)
        assert order == ["cleaning up", "cleaning up"]
        await scene.ended(run, receipt, "interrupted")
        reached()


async def test_wait_for_leaves_the_cleanup_of_what_it_waits_for_behind(reached):
    """P3; row `asyncio.wait_for`: caught at once; up to 3.11 in a task of its own that is orphaned, later cut like any await."""
    order = []
    may_clean, over = asyncio.Event(), asyncio.Event()

    async def inner():
        try:
            await anyio.sleep_forever()
        finally:
            order.append("cleaning up")
            try:
                await may_clean.wait()
                order.append("cleaned up")
            finally:
                over.set()

    async def script(actor):
        actor.about_to_wait()
        await asyncio.wait_for(inner(), 60)

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        orphaned = sys.version_info < (3, 12)
        assert order == ["cleaning up"]
        assert over.is_set() is not orphaned
        may_clean.set()
        await over.wait()
        assert order == (["cleaning up", "cleaned up"] if orphaned else ["cleaning up"])
        reached()


async def test_what_is_shielded_natively_goes_on_without_the_reply(reached):
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


async def save_and_wait_again(save):
    """Shield a write, and when cancelled wait for it before passing the cancellation on: the idiom of many a library."""
    writing = asyncio.ensure_future(save())
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await writing
        raise


async def plainly(actor, save):
    await save_and_wait_again(save)


async def behind_an_anyio_shield(actor, save):
    with anyio.CancelScope(shield=True):
        await save_and_wait_again(save)
    await anyio.lowlevel.checkpoint()


async def in_a_commit(actor, save):
    await actor.context.commit(save)


@pytest.mark.parametrize(
    ("way", "saved"),
    [(plainly, False), (behind_an_anyio_shield, True), (in_a_commit, True)],
)
async def test_a_write_that_is_shielded_natively_and_awaited_again_is_lost_except_behind_a_shield_or_in_a_commit(
    way, saved, reached
):
    """R17, P3, P10; row `shield(t)` then `except CancelledError: await t; raise`: t is cancelled by the second delivery."""
    disk = []
    ready = asyncio.Event()

    async def save():
        await ready.wait()
        disk.append("saved")

    async def script(actor):
        actor.about_to_wait()
        await way(actor, save)
        await anyio.sleep_forever()

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt(then=ready.set if saved else None)
        ready.set()
        await turns(5)
        assert disk == (["saved"] if saved else [])
        await scene.ended(run, receipt, "interrupted")
        reached()


async def test_a_loop_that_shields_a_task_until_it_is_done_hears_the_interrupt_at_each_turn_and_completes(reached):
    """R3, P7; row `while not t.done(): try: await shield(t) except CancelledError: pass`: completes, after many deliveries."""
    finish = asyncio.Event()
    deliveries = 0

    async def script(actor):
        nonlocal deliveries
        task = asyncio.create_task(finish.wait())
        actor.about_to_wait()
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                deliveries += 1
        return "finished"

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt(then=finish.set)
        assert deliveries >= 5
        await scene.ended(run, receipt, "completed", value="finished")
        reached()


async def test_a_native_task_that_the_reply_does_not_await_goes_on(reached):
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


async def test_an_item_handed_over_in_the_tick_of_a_native_cancellation_is_lost(reached):
    """P1; row memory stream item handed over, native cancel in the same tick: the item is in limbo, which is why the mailbox
    is no memory stream. With our scope's cancellation it is kept."""
    sending, receiving = anyio.create_memory_object_stream(1)
    task = None

    async def script(actor):
        nonlocal task
        task = asyncio.current_task()
        actor.about_to_wait()
        return await receiving.receive()

    async with stage() as scene, sending, receiving:
        run = await scene.begin(script)
        sending.send_nowait("item")
        task.cancel()
        await scene.ended(run, None, "failed", error=ReplyCancelled)
        with pytest.raises(anyio.WouldBlock):
            receiving.receive_nowait()
        reached()
