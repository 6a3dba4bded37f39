"""Replies that do not simply unwind when they are interrupted. (R1, R3, P6; truth table, second part.)

Swallowing the cancellation and returning is a reply; raising something else is a failure of the reply; everything that is
nothing but a cancellation is an interrupt.
"""

import asyncio
import contextlib

import anyio
import anyio.lowlevel
import pytest

from tests.truth_table._replies import exists_on_asyncio_only


async def swallow_and_return(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        return "a reply all the same"


async def return_in_finally(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    finally:
        return "a reply all the same"  # noqa: B012 - the row is about just that


async def swallow_and_finish_behind_a_shield(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
        return "a reply all the same"


@pytest.mark.parametrize("script", [swallow_and_return, return_in_finally, swallow_and_finish_behind_a_shield])
async def test_a_reply_that_swallows_its_cancellation_and_returns_has_replied(script, stage, reached):
    """R3; row swallows and returns / returns in `finally` / shielded then returns: completed, the value is delivered."""
    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "completed", value="a reply all the same")
        reached()


async def test_a_reply_that_swallows_its_cancellation_hears_it_again_at_each_await_that_suspends(stage, reached):
    """R1; row swallows the cancel, awaits again: raised again at the next await that really suspends (4 of 4 times)."""
    heard = 0

    async def script(actor):
        nonlocal heard
        actor.about_to_wait()
        for _ in range(4):
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                heard += 1
        await anyio.sleep_forever()

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        assert heard == 4
        await scene.ended(run, receipt, "interrupted")
        reached()


@exists_on_asyncio_only
async def test_an_await_that_does_not_suspend_passes_in_spite_of_the_interrupt(stage, reached):
    """R1; row swallows the cancel, awaits again: a ready `asyncio.Queue.get()` does not suspend and passes."""
    queue = asyncio.Queue()
    queue.put_nowait("item")
    got = []

    async def script(actor):
        try:
            actor.about_to_wait()
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            got.append(await queue.get())
        got.append(await queue.get())

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        assert got == ["item"]
        await scene.ended(run, receipt, "interrupted")
        reached()


async def an_error_in_finally(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    finally:
        raise ValueError("while being cancelled")


async def an_error_of_a_child(actor):
    async with anyio.create_task_group() as group:
        group.start_soon(an_error_in_finally, actor)
        await anyio.sleep_forever()


async def a_group_of_both(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class() as cancelled:
        raise BaseExceptionGroup("both", [cancelled, ValueError("while being cancelled")]) from None


@pytest.mark.parametrize(
    ("script", "error"),
    [(an_error_in_finally, ValueError), (an_error_of_a_child, ExceptionGroup), (a_group_of_both, ExceptionGroup)],
)
async def test_a_reply_that_raises_something_else_while_being_interrupted_has_failed(script, error, stage, reached):
    """P6; rows ValueError in `finally`, and group of Cancelled + ValueError: the error goes to the asker, whatever the scope
    caught."""
    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        raised = await scene.ended(run, receipt, "failed", error=error)
        if error is not ValueError:
            (raised,) = raised.subgroup(ValueError).exceptions
        assert str(raised) == "while being cancelled"
        reached()


@exists_on_asyncio_only
async def test_an_error_in_a_group_with_a_cancellation_that_anyio_does_not_know_is_not_lost(stage, reached):
    """P6; row group of Cancelled + ValueError, the Cancelled a new one: the scope lets the group pass, and it is no interrupt."""

    async def script(actor):
        try:
            actor.about_to_wait()
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            pass
        raise BaseExceptionGroup("both", [asyncio.CancelledError(), ValueError("while being cancelled")])

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        raised = await scene.ended(run, receipt, "failed", error=Exception)
        group = raised if isinstance(raised, ExceptionGroup) else raised.__cause__
        assert group.subgroup(ValueError) is not None
        reached()


async def a_group_of_cancellations_only(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class() as cancelled:
        raise BaseExceptionGroup("only", [cancelled]) from None


async def test_a_reply_that_raises_a_group_of_nothing_but_cancellations_is_interrupted(stage, reached):
    """R1; row group of Cancelled only: caught."""
    async with stage() as scene:
        run = await scene.begin(a_group_of_cancellations_only)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        reached()


async def a_new_one_inside_except(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    except asyncio.CancelledError:
        raise asyncio.CancelledError  # noqa: B904 - as asyncpg does


async def a_new_one_inside_except_from_none(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    except asyncio.CancelledError:
        raise asyncio.CancelledError("mine") from None


async def a_new_one_after_the_except(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    except asyncio.CancelledError:
        pass
    raise asyncio.CancelledError


async def a_group_of_new_ones(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    except asyncio.CancelledError:
        pass
    raise BaseExceptionGroup("new", [asyncio.CancelledError()])


async def a_count_that_a_third_party_took_back(actor):
    try:
        actor.about_to_wait()
        await anyio.sleep_forever()
    except asyncio.CancelledError:
        asyncio.current_task().uncancel()
    await anyio.sleep_forever()


async def a_native_cancellation_that_was_swallowed_earlier(actor):
    asyncio.current_task().cancel()
    with contextlib.suppress(asyncio.CancelledError):  # and no uncancel()
        await anyio.sleep_forever()
    actor.about_to_wait()
    await anyio.sleep_forever()


@exists_on_asyncio_only
@pytest.mark.parametrize(
    "script",
    [
        a_new_one_inside_except,
        a_new_one_inside_except_from_none,
        a_new_one_after_the_except,
        a_group_of_new_ones,
        a_count_that_a_third_party_took_back,
        a_native_cancellation_that_was_swallowed_earlier,
    ],
)
async def test_a_cancellation_that_anyio_may_not_know_again_is_the_interrupt_all_the_same(script, stage, reached):
    """P2; rows new CancelledError inside the `except` (asyncpg) / after the `except`, third party calls `uncancel()`, native
    cancel swallowed earlier without `uncancel()`: by our scope's count some escape it, and are interrupted (decision 1)."""
    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        reached()
