"""What travels with a message and with an interrupt, and what must not. (P13, R16, R43; truth table, third part.)"""

from contextvars import ContextVar

import anyio
import anyio.lowlevel
import pytest

trace = ContextVar("trace", default="none")


async def test_the_askers_context_variables_reach_the_reply_and_its_handler_and_what_these_set_reaches_nobody(
    stage, reached
):
    """P13; row contextvars: isolated, the asker's visible; `handle_interrupt` runs in the context of its reply."""
    seen = []

    async def script(actor):
        seen.append(("reply", trace.get()))
        trace.set("set by the reply")
        actor.about_to_wait()
        await anyio.sleep_forever()

    async def answering():
        seen.append(("handler", trace.get()))
        trace.set("set by the handler")

    async def next_one(actor):
        await anyio.lowlevel.checkpoint()
        return trace.get()

    async with stage() as scene:
        scene.actor.before_answering = answering
        trace.set("the asker's")
        await scene.begin(script)
        trace.set("the interrupter's")
        receipt = await scene.interrupt()
        assert seen == [("reply", "the asker's"), ("handler", "set by the reply")]
        assert trace.get() == "the interrupter's"
        assert await scene.ref.ask(next_one) == "the interrupter's"
        trace.set("none")
        assert await scene.ref.ask(next_one) == "none"
        assert receipt.outcome == "interrupted"
        reached()


@pytest.mark.parametrize("suspends", [False, True])
async def test_what_a_reply_sets_does_not_leak_into_the_next_one(suspends, stage, reached):
    """P13; row contextvars, inline: would leak to the next reply; also for a reply that does not suspend."""

    async def setting(actor):
        if suspends:
            await anyio.lowlevel.checkpoint()
        before = trace.get()
        trace.set("leaked")
        if suspends:
            await anyio.lowlevel.checkpoint()
        return before, trace.get()

    async with stage() as scene:
        for _ in range(3):
            assert await scene.ref.ask(setting) == ("none", "leaked")
        runs = [await scene.ref.request(setting) for _ in range(3)]
        assert [await run for run in runs] == [("none", "leaked")] * 3
        assert trace.get() == "none"
        reached()


async def test_the_reason_of_an_interrupt_reaches_who_should_know_it_and_is_not_in_the_cancelled_exception(
    stage, reached
):
    """R43; row `CancelScope.cancel(reason=)`: not readable back from the scope, and its text ends up in logs. So the reason has a
    field of its own."""
    texts = []

    async def script(actor):
        actor.about_to_wait()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class() as error:
            texts.append(f"{error} {error!r} {error.args}")
            raise

    async with stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.ref.interrupt("a private reason", by="anna", message={"say": "this instead"})
        (interruption,) = scene.actor.handled
        assert (receipt.reason, receipt.by) == ("a private reason", "anna")
        assert (interruption.reason, interruption.by) == ("a private reason", "anna")
        assert interruption.message == {"say": "this instead"}
        assert len(texts) == 1
        assert "private" not in texts[0]
        assert await run is interruption
        reached()
