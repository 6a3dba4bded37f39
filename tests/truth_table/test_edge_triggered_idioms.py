"""Idioms of asyncio that count on being cancelled once, inside a reply that is interrupted. (R17, P3; truth table, first part.)

asyncio delivers a native cancellation once; a cancelled anyio scope delivers again at each turn of the event loop, until the
reply has left it. That is what ends these otherwise than their authors meant, and what `commit()` is for.
"""

import asyncio
import sys

import anyio
import anyio.lowlevel
import pytest

from tests.truth_table._replies import exists_on_asyncio_only, turns

pytestmark = exists_on_asyncio_only


async def test_gather_cancels_its_children_again_at_each_turn_so_that_their_cleanup_is_cut(stage, reached):
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


async def test_wait_for_leaves_the_cleanup_of_what_it_waits_for_behind(stage, reached):
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
    way, saved, stage, reached
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


async def test_a_loop_that_shields_a_task_until_it_is_done_hears_the_interrupt_at_each_turn_and_completes(
    stage, reached
):
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
