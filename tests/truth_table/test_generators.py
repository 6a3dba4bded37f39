"""Async generators, inside a reply and as a reply. (R1, R32, P4; truth table, first part.)"""

import contextlib
import gc

import anyio
import anyio.lowlevel
import pytest

from actors import Actor
from tests.truth_table._replies import Scripted, on_asyncio, turns


class Source:
    """An async generator that notes how it ends."""

    def __init__(self):
        self.notes = []
        self.closed = anyio.Event()

    async def chunks(self, *, first="chunk", then=anyio.sleep_forever):
        try:
            if first is not None:
                yield first
            await then()
        except GeneratorExit:
            self.notes.append("closed")
            raise
        except BaseException:
            self.notes.append("cancelled")
            raise
        finally:
            self.closed.set()
            try:
                await anyio.lowlevel.checkpoint()
                self.notes.append("awaited")
            except BaseException:
                self.notes.append("cut")
                raise
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.lowlevel.checkpoint()
                    self.notes.append("awaited behind a shield")


async def test_a_generator_that_is_suspended_in_its_own_await_gets_the_cancellation(stage, reached):
    """R1; row async generator, suspended in `__anext__`: the generator gets the cancel, caught; its `finally` needs a shield."""
    source = Source()

    async def script(actor):
        actor.about_to_wait()
        async for _ in source.chunks():
            pass

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        assert source.notes == ["cancelled", "cut", "awaited behind a shield"]
        await scene.ended(run, receipt, "interrupted")
        reached()


async def test_a_generator_abandoned_in_the_loop_body_is_closed_by_the_garbage_collector_only(stage, reached):
    """P4; row async generator, cancelled in the loop body: `finally` runs with GeneratorExit; on trio with a warning, and cut."""
    source = Source()

    async def script(actor):
        async for _ in source.chunks():
            actor.about_to_wait()
            await anyio.sleep_forever()

    async with stage() as scene:
        run = await scene.begin(script)
        expected_warning = contextlib.nullcontext() if on_asyncio() else pytest.warns(ResourceWarning, match="aclosing")
        with expected_warning:
            receipt = await scene.interrupt()
            await scene.ended(run, receipt, "interrupted")
            gc.collect()
            await source.closed.wait()
            await turns(5)
        awaited = "awaited" if on_asyncio() else "cut"
        assert source.notes == ["closed", awaited, "awaited behind a shield"]
        reached()


async def test_a_generator_inside_aclosing_is_closed_before_the_interrupt_is_handled(stage, reached):
    """P4; row `aclosing(gen)`: closed at once; awaits in its `finally` are cancelled unless shielded."""
    source = Source()
    seen_by_the_handler = []

    async def look():
        seen_by_the_handler.extend(source.notes)

    async def script(actor):
        async with contextlib.aclosing(source.chunks()) as chunks:
            async for _ in chunks:
                actor.about_to_wait()
                await anyio.sleep_forever()

    async with stage() as scene:
        scene.actor.before_answering = look
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        assert seen_by_the_handler == ["closed", "cut", "awaited behind a shield"]
        await scene.ended(run, receipt, "interrupted")
        reached()


class Storyteller(Actor):
    """Its reply is a generator."""

    def __init__(self, source, **options):
        self.source = source
        self.options = options
        self.handled = []

    async def reply(self, message, /):
        async with contextlib.aclosing(self.source.chunks(**self.options)) as chunks:
            async for chunk in chunks:
                yield chunk

    def assemble(self, chunks, /):
        return list(chunks)

    async def handle_interrupt(self, message, interruption, /):
        self.handled.append(list(self.source.notes))
        return interruption


@pytest.mark.parametrize(("first", "partial"), [("once", ("once",)), (None, ())])
async def test_a_reply_that_is_a_generator_is_closed_before_the_interrupt_is_handled(
    first, partial, new_system, reached
):
    """R1, R16, P3; row async generator, for the framework's own: what was yielded is the partial reply."""
    source = Source()
    async with new_system() as system:
        teller = Storyteller(source, first=first)
        ref = await system.spawn(teller)
        run = await ref.request("a story")
        await turns(10)
        assert (run.status, run.partial) == ("running", partial)
        receipt = await ref.interrupt("enough")
        assert (receipt.outcome, receipt.partial) == ("interrupted", partial)
        assert teller.handled == [["cancelled", "cut", "awaited behind a shield"]]
        assert (await run).partial == partial
        assert [chunk async for chunk in run] == list(partial)
        source.notes.clear()
        teller.options = {"first": "the end", "then": anyio.lowlevel.checkpoint}
        assert await ref.ask("another story") == ["the end"]
        assert source.notes == ["awaited", "awaited behind a shield"]
        assert (await ref.interrupt()).outcome == "idle"
        assert len(teller.handled) == 1
        reached()


async def test_a_generator_with_a_scope_open_that_a_reply_abandons_costs_that_reply_alone(stage, reached):
    """P4, P18: the abandoned generator's scope can no more be left in order; the reply is interrupted, nobody else notices."""

    async def with_a_scope():
        with anyio.CancelScope():
            yield "chunk"

    kept = with_a_scope()

    async def script(actor):
        async for _ in kept:
            actor.about_to_wait()
            await anyio.sleep_forever()

    async with stage() as scene:
        other = await scene.system.spawn(Scripted())
        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        assert await other.ask(lambda actor: anyio.lowlevel.checkpoint()) is None
        with contextlib.suppress(RuntimeError):  # its scope belongs to a task that is no more
            await kept.aclose()
        reached()
