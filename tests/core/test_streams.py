"""R16, R33, R34, R44: the chunks of a reply as they come, and what becomes of it when its reader leaves."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import ActorStopped, Interrupted, MessageWithdrawn
from tests._support import Call, Doer, Gate, Hang, Teller, quiet, turns


async def read(run):
    return [chunk async for chunk in run]


async def test_chunks_come_in_order_and_the_reply_is_assembled_of_them(system):
    ref = await system.spawn(Teller())
    async with ref.stream(["Once", "upon", "a", "time"]) as run:
        assert await read(run) == ["Once", "upon", "a", "time"]
        assert await run == "Once upon a time"
    assert run.partial == ("Once", "upon", "a", "time")
    assert run.status == "completed"
    assert await ref.ask([]) == ""


async def test_each_chunk_comes_as_soon_as_it_is_there(system):
    """Not when the reply has ended."""
    ref = await system.spawn(Teller())
    gates = [Gate(), Gate()]
    seen = []

    async def follow(run):
        async for chunk in run:
            seen.append(chunk)  # noqa: PERF401 - one after the other is the point

    async with anyio.create_task_group() as group:
        run = await ref.request(["Once", gates[0], "upon", gates[1], "a time"])
        Call(group, follow, run)
        for gate, so_far in zip(gates, (["Once"], ["Once", "upon"]), strict=True):
            await gate.began.wait()
            await quiet()
            assert seen == so_far == list(run.partial)
            gate.open()
    assert seen == ["Once", "upon", "a time"]


async def test_a_coroutine_emits_its_chunks(system):
    """And its reply is what it returns."""
    ref = await system.spawn(Doer())

    async def speak(actor):
        for word in ("Once", "upon"):
            actor.context.emit(word)
            await turns(1)
        async with anyio.create_task_group() as group:
            group.start_soon(from_a_task, actor)
        return "whole"

    async def from_a_task(actor):
        actor.context.emit("a time")

    run = await ref.request(speak)
    assert await read(run) == ["Once", "upon", "a time"]
    assert await run == "whole"


async def test_several_readers_each_get_everything_at_their_own_pace(system):
    """R34: also one that begins when all is over, and one that gives up."""
    ref = await system.spawn(Teller())
    gate = Gate()
    words = [str(number) for number in range(20)]
    run = await ref.request([*words[:10], gate, *words[10:]])

    async def slowly():
        seen = []
        async for chunk in run:
            await turns(3)
            seen.append(chunk)
        return seen

    async with anyio.create_task_group() as group:
        readers = [Call(group, read, run), Call(group, slowly), Call(group, read, run)]
        await gate.began.wait()
        await quiet()
        readers[2].scope.cancel()
        assert await readers[2].ended() == "cancelled"
        gate.open()
        assert [await reader.result() for reader in readers[:2]] == [words, words]
    assert await read(run) == words


async def test_a_reader_that_is_slow_holds_nothing_up(system):
    """R34: the reply ends without it, and so does its interrupt."""
    ref = await system.spawn(Teller())
    run = await ref.request(["Once", "upon", "a", "time"])
    reader = aiter(run)
    assert await anext(reader) == "Once"
    assert await run == "Once upon a time"
    assert await ref.ask(["next"]) == "next"
    assert [chunk async for chunk in reader] == ["upon", "a", "time"]


async def test_a_stream_of_an_interrupted_run_ends_quietly(system):
    """R35, R16: and the partial reply is kept."""

    class Story(Teller):
        async def handle_interrupt(self, message, interruption, /):
            return " ".join(interruption.partial) + " ..."

    ref = await system.spawn(Story())
    hang = Hang()
    async with ref.stream(["Once", "upon", hang, "never"]) as run:
        seen = []
        async for chunk in run:
            seen.append(chunk)
            if chunk == "upon":
                await hang.began.wait()
                assert (await run.interrupt("enough")).partial == ("Once", "upon")
        assert seen == ["Once", "upon"]
        assert await run == "Once upon ..."


async def test_a_stream_of_a_run_that_is_interrupted_without_a_reply_ends_quietly_too(system):
    """R35: only awaiting the run raises."""
    ref = await system.spawn(Teller())
    hang = Hang()
    run = await ref.request(["Once", hang])
    await hang.began.wait()
    assert ref.interrupt_nowait("enough")
    assert await read(run) == ["Once"]
    with pytest.raises(Interrupted) as caught:
        await run
    assert caught.value.partial == ("Once",)


async def test_a_failure_is_raised_after_the_last_chunk(system):
    """R35: every reader hears of it."""
    ref = await system.spawn(Teller())

    async def fail(_actor):
        await turns(1)
        raise ZeroDivisionError

    run = await ref.request(["Once", "upon", fail])
    for _ in range(2):
        seen = []
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - what raises is the block
            async for chunk in run:
                seen.append(chunk)  # noqa: PERF401 - what came before the error counts
        assert seen == ["Once", "upon"]
    assert run.status == "failed"


async def test_a_failure_in_assemble_is_a_failure_of_the_reply(system):
    class Bad(Teller):
        def assemble(self, chunks, /):
            raise ZeroDivisionError

    ref = await system.spawn(Bad())
    run = await ref.request(["Once"])
    with pytest.raises(ZeroDivisionError):
        await run
    assert run.partial == ("Once",)


async def test_leaving_the_block_early_interrupts_the_reply(system):
    """R33: source `disconnected`; the block is left when the reply has ended."""

    class Story(Doer):
        async def reply(self, message, /):
            try:
                for number in range(1_000_000):
                    yield number
                    await turns(1)
            finally:
                self.log.append("closed")

        def assemble(self, chunks, /):
            return len(chunks)

    actor = Story()
    ref = await system.spawn(actor)
    async with ref.stream(None) as run:
        async for number in run:
            if number == 3:
                break
    assert run.status == "interrupted"
    assert actor.log == ["closed"]
    assert [(i.source, i.started) for i in actor.handled] == [("disconnected", True)]
    assert actor.handled[0].partial[:4] == (0, 1, 2, 3)


async def test_leaving_the_block_by_an_error_interrupts_the_reply_and_raises_the_error(system):
    """R33: without waiting for it."""
    actor = Doer()
    ref = await system.spawn(actor)
    hang = Hang()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - what raises is the block
        async with ref.stream(hang) as run:
            await hang.began.wait()
            raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        async with ref.stream("queued or not"):
            raise ZeroDivisionError
    assert await ref.ask("next") == "next"
    assert run.status == "interrupted"
    assert actor.handled[0].source == "disconnected"


async def test_leaving_the_block_by_a_cancellation_interrupts_the_reply(system):
    """R33, promise 5: and the cancellation goes on."""
    actor = Doer()
    ref = await system.spawn(actor)
    hang = Hang()

    async def follow():
        async with ref.stream(hang) as run:
            await read(run)

    async with anyio.create_task_group() as group:
        call = Call(group, follow)
        await hang.began.wait()
        call.scope.cancel()
        assert await call.ended() == "cancelled"
    assert await ref.ask("next") == "next"
    assert [i.source for i in actor.handled] == ["disconnected"]


async def test_leaving_the_block_while_the_message_is_queued_withdraws_it(system):
    """Promise 4."""
    actor = Doer()
    ref = await system.spawn(actor)
    gate, never = Gate(), Hang()
    current = await ref.request(gate)
    await gate.began.wait()
    async with ref.stream(never) as run:
        assert run.status == "queued"
    assert ref.statistics().queued == 0
    assert run.status == "stopped"
    with pytest.raises(MessageWithdrawn):
        await run
    gate.open()
    assert await current == "opened"
    assert await ref.ask("next") == "next"
    assert (never.began.is_set(), actor.handled) == (False, [])


async def test_leaving_the_block_when_the_run_has_ended_does_nothing(system):
    actor = Doer()
    ref = await system.spawn(actor)
    async with ref.stream("hello") as run:
        assert await run == "hello"
    assert run.status == "completed"
    assert actor.handled == []


async def test_a_stream_in_a_reply_is_interrupted_with_it(system):
    """R10, R33: the first reason goes down."""
    above, below = Doer(), Doer()
    top, bottom = await system.spawn(above), await system.spawn(below)
    hang = Hang()

    async def relay(actor):
        async with bottom.stream(hang) as run:
            async for chunk in run:
                actor.context.emit(chunk)

    run = await top.request(relay)
    await hang.began.wait()
    receipt = await run.interrupt("enough")
    assert [child.outcome for child in receipt.children] == ["interrupted"]
    assert [(i.source, i.reason) for i in below.handled] == [("ancestor", "enough")]


async def test_no_chunk_comes_after_the_reply_has_ended(system):
    """R44: neither into its own run nor into the next one; not from a task that it has left behind either."""
    ref = await system.spawn(Doer())
    late = Gate()
    kept = []

    async def emit_late(actor):
        await late(actor)
        try:
            actor.context.emit("stale")
        except Exception as error:  # noqa: BLE001 - refusing is fine
            kept.append(error)

    async with anyio.create_task_group() as group:

        async def leaves_a_task(actor):
            group.start_soon(emit_late, actor)
            actor.context.emit("fresh")
            return "done"

        run = await ref.request(leaves_a_task)
        assert await run == "done"
        await late.began.wait()
        gate = Gate()
        following = await ref.request(gate)
        await gate.began.wait()
        late.open()
        await quiet()
        gate.open()
        assert await following == "opened"
    assert (run.partial, following.partial) == (("fresh",), ())


async def test_what_handle_interrupt_emits_is_no_part_of_the_reply(system):
    """R44: after an interrupt no chunk of it is delivered."""

    class Chatty(Teller):
        async def handle_interrupt(self, message, interruption, /):
            self.context.emit("stale")
            await turns(1)
            return "stopped"

    ref = await system.spawn(Chatty())
    hang = Hang()
    run = await ref.request(["Once", hang])
    await hang.began.wait()
    assert ref.interrupt_nowait()
    assert await read(run) == ["Once"]
    assert (await run, run.partial) == ("stopped", ("Once",))


async def test_a_generator_that_is_interrupted_is_closed_in_its_turn(system):
    """R32, truth table: its `finally` runs before handle_interrupt does."""
    order = []

    class Careful(Teller):
        async def reply(self, message, /):
            try:
                async for word in super().reply(message):
                    yield word
            finally:
                order.append("closed")

        async def handle_interrupt(self, message, interruption, /):
            order.append("handled")
            return "stopped"

    ref = await system.spawn(Careful())
    hang = Hang()
    run = await ref.request(["Once", hang])
    await hang.began.wait()
    assert (await run.interrupt()).outcome == "interrupted"
    assert order[-1] == "handled"
    assert "closed" in order
    assert await run == "stopped"


async def test_reading_a_run_whose_actor_ends_says_so_after_the_last_chunk(system):
    """R50."""
    ref = await system.spawn(Teller())
    hang = Hang()
    run = await ref.request(["Once", hang])
    await hang.began.wait()
    async with anyio.create_task_group() as group:
        reader = Call(group, read, run)
        await quiet()
        await ref.kill()
        with pytest.raises(ActorStopped):
            await reader.result()
    assert run.partial == ("Once",)


async def test_emit_outside_a_run_is_an_error(system):
    actor = Doer()
    await system.spawn(actor)
    with pytest.raises(Exception, match="in no run"):
        actor.context.emit("nowhere")
