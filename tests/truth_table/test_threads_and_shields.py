"""Replies that an interrupt does not reach at once: threads and shields. (R1, R3, R12; truth table, first part.)"""

import asyncio
import threading
import time

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest

from tests.truth_table._replies import exists_on_asyncio_only, on_asyncio, turns


class Thread:
    """What a worker thread does: wait until the test lets it go."""

    def __init__(self):
        self.token = anyio.lowlevel.current_token()
        self.may_end = threading.Event()
        self.has_ended = threading.Event()

    def work(self, actor):
        # A thread that is cancelled before it has really begun never does, so it says itself when it has.
        anyio.from_thread.run_sync(actor.about_to_wait, token=self.token)
        assert self.may_end.wait(10)
        self.has_ended.set()
        return "from the thread"

    async def joined(self):
        """Let it end, and wait for that."""
        self.may_end.set()
        assert await anyio.to_thread.run_sync(self.has_ended.wait, 10)


async def test_a_thread_that_cannot_be_abandoned_runs_to_its_end_and_its_value_is_the_reply(stage, reached):
    """R3; row `to_thread.run_sync` (default): runs to its end, then its value is returned: completed."""
    thread = Thread()

    async def script(actor):
        return await anyio.to_thread.run_sync(thread.work, actor)

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt(then=thread.may_end.set)
        await scene.ended(run, receipt, "completed", value="from the thread")
        reached()


async def test_an_abandoned_thread_goes_on_and_on_trio_keeps_its_place_in_the_limiter_until_it_ends(stage, reached):
    """R12; row `to_thread.run_sync(abandon_on_cancel=True)`: caught at once; the limiter's token is freed at once on asyncio."""
    thread = Thread()
    limiter = anyio.CapacityLimiter(1)

    async def script(actor):
        return await anyio.to_thread.run_sync(thread.work, actor, abandon_on_cancel=True, limiter=limiter)

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        assert not thread.has_ended.is_set()
        assert limiter.borrowed_tokens == (0 if on_asyncio() else 1)
        await thread.joined()
        async with limiter:  # on trio this waits until the thread has handed it back
            reached()


@exists_on_asyncio_only
async def test_a_thread_of_asyncios_goes_on_without_the_reply(stage, reached):
    """R12; row `asyncio.to_thread`: caught at once, the thread goes on."""
    thread = Thread()

    async def script(actor):
        return await asyncio.to_thread(thread.work, actor)

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        assert not thread.has_ended.is_set()
        await thread.joined()
        reached()


async def test_a_thread_that_asks_whether_it_is_cancelled_ends_with_the_reply(stage, reached):
    """R1, R12; row thread polling `from_thread.check_cancelled()`: caught."""
    ended = threading.Event()

    def work(actor):
        anyio.from_thread.run_sync(actor.about_to_wait)
        try:
            while True:
                anyio.from_thread.check_cancelled()
                time.sleep(0.001)  # what a thread that polls does
        finally:
            ended.set()

    async def script(actor):
        await anyio.to_thread.run_sync(work, actor)

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await run.interrupt("stop", by="anna")
        assert ended.is_set()
        await scene.ended(run, receipt, "interrupted")
        reached()


@pytest.mark.parametrize("outcome", ["interrupted", "completed"])
async def test_a_shield_holds_the_interrupt_back_until_the_next_await_behind_it(outcome, stage, reached):
    """R1, R3; row `CancelScope(shield=True)` then another await / then return: caught / completed."""
    finish = anyio.Event()

    async def script(actor):
        with anyio.CancelScope(shield=True):
            actor.about_to_wait()
            await finish.wait()
            await turns(3)
        if outcome == "interrupted":
            await anyio.lowlevel.checkpoint()
        return "behind the shield"

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt(then=finish.set)
        await scene.ended(run, receipt, outcome, value="behind the shield")
        reached()


@pytest.mark.parametrize("outcome", ["interrupted", "completed"])
async def test_a_protected_section_does_the_same_but_an_interrupt_takes_effect_at_its_very_end(outcome, stage, reached):
    """R45, P10: beside the row on shields, what the framework has for it. The receipt says `deferred` at once, then joins."""
    finish = anyio.Event()

    async def script(actor):
        async with actor.context.protect():
            actor.about_to_wait()
            await finish.wait()
            if outcome == "completed":
                return "inside the section"
        return "behind the section"

    async with stage() as scene:
        run = await scene.begin(script)
        deferred = await run.interrupt("stop", by="anna", grace=0)
        assert (deferred.outcome, bool(deferred)) == ("deferred", False)
        receipt = await scene.interrupt(then=finish.set)
        await scene.ended(run, receipt, "interrupted")
        reached()
