"""Cancelled exceptions that come out of a reply although nobody has cancelled it, and what a reply leaves pending in its task.

On asyncio a child of an anyio task group that raises one takes all its siblings down, and the group ends without an exception
(P1): a whole system would be gone without a trace. trio does not let users make such exceptions. (R4, P18; truth table, second
and third part.)
"""

import asyncio

import anyio
import anyio.lowlevel
import pytest

from actors import ReplyCancelled
from tests.truth_table._replies import exists_on_asyncio_only, turns

pytestmark = exists_on_asyncio_only


async def await_a_cancelled_future(actor):
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    actor.about_to_wait()
    await future


async def await_a_cancelled_task(actor):
    task = asyncio.create_task(anyio.sleep_forever())
    asyncio.get_running_loop().call_soon(task.cancel)
    actor.about_to_wait()
    await task


async def raise_it_by_hand(actor):
    actor.about_to_wait()
    raise asyncio.CancelledError("mine")


async def raise_it_by_hand_later(actor):
    actor.about_to_wait()
    await anyio.lowlevel.checkpoint()
    raise asyncio.CancelledError("mine")


async def raise_a_group_by_hand(actor):
    actor.about_to_wait()
    raise BaseExceptionGroup("mine", [asyncio.CancelledError()])


async def cancel_the_own_task(actor):
    asyncio.current_task().cancel()
    actor.about_to_wait()
    await anyio.lowlevel.checkpoint()


STRAY = [
    await_a_cancelled_future,
    await_a_cancelled_task,
    raise_it_by_hand,
    raise_it_by_hand_later,
    raise_a_group_by_hand,
    cancel_the_own_task,
]


@pytest.mark.parametrize("script", STRAY)
async def test_it_is_an_error_of_the_reply_and_reaches_nobody_but_the_asker(script, stage, reached):
    """R4, P1; row awaits a cancelled future (nobody cancelled us): a bare CancelledError escapes, ReplyCancelled to the asker."""
    async with stage() as scene:
        run = await scene.begin(script)
        error = await scene.ended(run, None, "failed", error=ReplyCancelled)
        assert isinstance(error.__cause__, (asyncio.CancelledError, BaseExceptionGroup))
        assert (error.ref, error.message) == (scene.ref, script)
        reached()


@pytest.mark.parametrize("script", STRAY)
async def test_it_does_not_reach_an_actor_whose_message_waits_in_the_same_mailbox_or_the_same_tick(
    script, stage, reached
):
    """R4, P8, P18; the same rows: each of many requests settles once, as it should."""
    async with stage() as scene:
        others = [await scene.system.spawn(type(scene.actor)()) for _ in range(3)]
        broken = [await scene.ref.request(script), *[await ref.request(script) for ref in others]]
        sound = [await ref.request(three_turns) for ref in (scene.ref, *others)]
        for run in broken:
            with pytest.raises(ReplyCancelled):
                await run
        assert [await run for run in sound] == ["three turns"] * 4
        reached()


async def three_turns(actor):
    await turns(3)
    return "three turns"


@pytest.mark.parametrize("first", ["interrupt", "future"])
async def test_together_with_the_interrupt_it_is_the_interrupt(first, stage, reached):
    """P3; row awaits a cancelled future, in the tick of the interrupt, either order: a cancelled exception came out and our
    scope was cancelled: interrupted (decision 1)."""
    future = asyncio.get_running_loop().create_future()

    async def script(actor):
        actor.about_to_wait()
        await future

    async with stage() as scene:
        run = await scene.begin(script)
        if first == "future":
            future.cancel()
        scene.ref.interrupt_nowait("stop", by="anna")
        future.cancel()
        receipt = await run.interrupt("stop", by="anna")
        await scene.ended(run, receipt, "interrupted")
        reached()


async def leave_a_native_cancellation_pending(actor):
    await anyio.lowlevel.checkpoint()
    asyncio.current_task().cancel()
    return "replied"


async def leave_one_pending_without_suspending(actor):
    asyncio.current_task().cancel()
    return "replied"


async def leave_a_count_behind(actor):
    asyncio.current_task().cancel()
    try:
        await anyio.sleep_forever()
    except asyncio.CancelledError:
        return "replied"


async def leave_a_scope_open(actor):
    await anyio.lowlevel.checkpoint()
    anyio.CancelScope().__enter__()
    return "replied"


@pytest.mark.parametrize(
    "script",
    [
        leave_a_native_cancellation_pending,
        leave_one_pending_without_suspending,
        leave_a_count_behind,
        leave_a_scope_open,
    ],
)
async def test_what_a_reply_leaves_in_its_task_reaches_no_other_reply(script, stage, reached):
    """R5, P18; row reply leaves `current_task().cancel()` pending and returns: it has replied, and the next ones run as ever."""
    async with stage() as scene:
        assert await scene.ref.ask(script) == "replied"
        await scene.unharmed(completed=1)
        runs = [await scene.ref.request(script) for _ in range(3)]
        assert [await run for run in runs] == ["replied"] * 3
        assert scene.ref.statistics().failed == 0
        reached()
