"""Promise 7: whoever asked is gone, so nobody needs the reply: it is withdrawn or interrupted, unless it is detached."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from actors import AskTimeout, Mailbox
from tests._support import Call, Doer, Gate, Hang, ask_until_too_late, expire, quiet


async def test_a_queued_message_whose_asker_is_gone_is_withdrawn(system):
    """Promise 4: without a word, so not even handle_interrupt hears of it."""
    actor = Doer()
    ref = await system.spawn(actor)
    gate, never = Gate(), Hang()
    async with anyio.create_task_group() as group:
        first = Call(group, ref.ask, gate)
        await gate.began.wait()
        call = Call(group, ref.ask, never)
        await quiet()
        assert ref.statistics().queued == 1
        call.scope.cancel()
        assert await call.ended() == "cancelled"
        assert ref.statistics().queued == 0
        gate.open()
        assert await first.result() == "opened"
    assert await ref.ask("last") == "last"
    assert not never.began.is_set()
    assert actor.handled == []
    assert list(system.dead_letters) == []


async def test_a_running_reply_whose_asker_is_gone_is_interrupted(system):
    """R1, R10: source `asker_gone`; the asker does not wait for it."""
    actor = Doer()
    ref = await system.spawn(actor)
    hang = Hang()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, hang)
        await hang.began.wait()
        call.scope.cancel()
        assert await call.ended() == "cancelled"
    assert await ref.ask("next") == "next"
    assert hang.cut
    assert [interruption.source for interruption in actor.handled] == ["asker_gone"]
    assert ref.statistics().interrupted == 1


async def test_the_asker_leaves_at_once_even_if_the_reply_takes_its_time_to_end(system):
    """Promise 5: cancelling an ask waits for nothing."""
    actor = Doer()
    ref = await system.spawn(actor)
    gate = Gate(shielded=True)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, gate)
        await gate.began.wait()
        call.scope.cancel()
        assert await call.ended() == "cancelled"
        assert ref.statistics().state == "busy"
        gate.open()
    assert await ref.ask("next") == "next"


async def test_a_native_cancel_of_the_asker_interrupts_the_reply(system, anyio_backend):
    """R1, R5: and unwinds the asker at once, as itself."""
    if anyio_backend[0] != "asyncio":
        pytest.skip("trio has no native cancel")
    actor = Doer()
    ref = await system.spawn(actor)
    hang = Hang()
    task = asyncio.create_task(ref.ask(hang))
    await hang.began.wait()
    task.cancel("my own words")
    with pytest.raises(asyncio.CancelledError, match="my own words"):
        await task
    assert await ref.ask("next") == "next"
    assert [interruption.source for interruption in actor.handled] == ["asker_gone"]


async def test_a_timeout_around_the_ask_is_a_timeout_and_interrupts_the_reply(system):
    """R1, R5: `fail_after` and `asyncio.timeout` work as around anything else."""
    actor = Doer()
    ref = await system.spawn(actor)
    hang = Hang()
    async with anyio.create_task_group() as group:
        with pytest.raises(TimeoutError), anyio.fail_after(60) as scope:  # noqa: PT012 - what raises is the block
            group.start_soon(expire, scope, hang.began)
            await ref.ask(hang)
    assert await ref.ask("next") == "next"
    assert [interruption.source for interruption in actor.handled] == ["asker_gone"]


async def test_the_asks_own_timeout_interrupts_the_reply_with_source_deadline(system):
    """R55."""
    actor = Doer()
    ref = await system.spawn(actor)
    hang = await ask_until_too_late(ref)
    assert await ref.ask("next") == "next"
    assert hang.cut
    assert [interruption.source for interruption in actor.handled] == ["deadline"]


async def test_the_asks_own_timeout_withdraws_a_queued_message(system):
    """Promise 7: the time in the mailbox counts."""
    actor = Doer()
    ref = await system.spawn(actor)
    gate, never = Gate(), Hang()
    run = await ref.request(gate)
    with pytest.raises(AskTimeout):
        await ref.ask(never, timeout=0.001)
    assert ref.statistics().queued == 0
    gate.open()
    assert [await run, await ref.ask("last")] == ["opened", "last"]
    assert not never.began.is_set()
    assert actor.handled == []


async def test_the_result_is_dropped(system):
    """Promise 7: neither a failure nor a value of handle_interrupt bothers anybody."""

    class Broken(Doer):
        async def handle_interrupt(self, message, interruption, /):
            self.handled.append(interruption)
            raise ZeroDivisionError

    actor = Broken()
    ref = await system.spawn(actor)
    hang = Hang()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, hang)
        await hang.began.wait()
        call.scope.cancel()
    assert await ref.ask("next") == "next"
    assert len(actor.handled) == 1
    assert list(system.dead_letters) == []


async def test_a_detached_ask_runs_on_without_its_asker(system):
    """Promise 7: running or still queued."""
    actor = Doer()
    ref = await system.spawn(actor)
    gate, queued = Gate(), Gate()
    async with anyio.create_task_group() as group:
        running = Call(group, ref.ask, gate, detach=True)
        await gate.began.wait()
        waiting = Call(group, ref.ask, queued, detach=True, timeout=30)
        await quiet()
        running.scope.cancel()
        waiting.scope.cancel()
        assert [await running.ended(), await waiting.ended()] == ["cancelled", "cancelled"]
    gate.open()
    await queued.began.wait()
    queued.open()
    assert await ref.ask("last") == "last"
    assert ref.statistics().completed == 3
    assert actor.handled == []


async def test_a_detached_ask_that_times_out_runs_on(system):
    """Promise 7."""
    actor = Doer()
    ref = await system.spawn(actor)
    gate = Gate()
    with pytest.raises(AskTimeout):
        await ref.ask(gate, detach=True, timeout=0.005)
    gate.open()
    assert await ref.ask("last") == "last"
    assert (ref.statistics().completed, actor.handled) == (2, [])


async def test_cancelling_somebodys_wait_for_a_run_leaves_the_run_alone(system):
    """`await run` is not an ask: others may wait for it too."""
    actor = Doer()
    ref = await system.spawn(actor)
    gate = Gate()
    run = await ref.request(gate)
    await gate.began.wait()

    async def wait():
        return await run

    async with anyio.create_task_group() as group:
        one, other = Call(group, wait), Call(group, wait)
        await quiet()
        one.scope.cancel()
        assert await one.ended() == "cancelled"
        await quiet()
        assert run.status == "running"
        gate.open()
        assert await other.result() == "opened"
    assert actor.handled == []


async def test_the_second_interrupt_by_a_leaving_asker_changes_nothing(system):
    """Promise 3: it joins the first, which keeps its words."""
    actor = Doer()
    ref = await system.spawn(actor)
    hang = Hang()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, hang)
        await hang.began.wait()
        assert ref.interrupt_nowait("first")
        call.scope.cancel()
        await call.ended()
    assert await ref.ask("next") == "next"
    assert [(interruption.source, interruption.reason) for interruption in actor.handled] == [("caller", "first")]


async def test_an_asker_that_leaves_a_full_mailbox_has_sent_nothing(system):
    """Promise 7: its message waited for room, and is gone with it."""
    actor = Doer()
    ref = await system.spawn(actor, mailbox=Mailbox(capacity=1))
    gate, never = Gate(), Hang()
    run = await ref.request(gate)
    await gate.began.wait()
    queued = await ref.request("queued")
    async with anyio.create_task_group() as group:
        blocked = Call(group, ref.ask, never, run_id="blocked")
        timed = Call(group, ref.ask, never, timeout=0.001)
        await quiet()
        blocked.scope.cancel()
        assert [await blocked.ended(), await timed.ended()] == ["cancelled", "raised"]
    assert system.runs.get("blocked") is None
    gate.open()
    assert [await run, await queued, await ref.ask("last")] == ["opened", "queued", "last"]
    assert not never.began.is_set()
    assert actor.handled == []
