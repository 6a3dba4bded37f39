"""The asker is cut from outside while what it asked for is interrupted: before, in the same tick, and after.

Cancellation from outside always wins and is never converted (P5): the asker unwinds at once, whatever becomes of the run. The run
is interrupted exactly once, since its asker is gone (P7), and what its handler makes of that is dropped. (R1, R5; truth table,
third part.)
"""

import anyio

from tests.truth_table._layers import CUT_EARLIER, Cut, every_layer, every_order, in_order
from tests.truth_table._replies import turns


async def script(actor):
    actor.about_to_wait()
    await anyio.sleep_forever()


@every_layer
@every_order
async def test_the_asker_unwinds_at_once_and_the_run_is_interrupted_once(layer, order, stage, reached):
    """R1, P5, P7; rows outer cancel / native `task.cancel()` of the asker / `asyncio.timeout` around `ask`, before, in the same
    tick as, and after the interrupt: the asker gets its own cancellation, `cancelling()` as its layer wants it."""
    handling, may_answer, answers = anyio.Event(), anyio.Event(), []

    async def hold():
        handling.set()
        await may_answer.wait()

    async with stage() as scene:
        scene.actor.before_answering = hold

        async def ask():
            answers.append(await scene.ref.ask(script))

        cut = Cut()
        async with anyio.create_task_group() as group:
            group.start_soon(layer, ask, cut)
            await scene.actor.waiting.wait()
            await turns(5)
            await in_order(
                order,
                layer,
                cut=cut,
                interrupt=lambda: scene.ref.interrupt_nowait("stop", by="anna"),
                handling=handling,
            )
        # The layer has come back although the interrupt is still being handled.
        assert cut.unwound
        assert cut.count in {None, 1}
        assert answers == []
        run = scene.actor.run
        await handling.wait()
        assert run.status == "interrupting"
        may_answer.set()
        receipt = await run.interrupt("stop", by="anna")
        assert (receipt.outcome, run.status, receipt.partial) == ("interrupted", "interrupted", ("half",))
        (interruption,) = scene.actor.handled
        assert interruption.partial == ("half",)
        assert interruption.source in {"caller", "asker_gone" if order == CUT_EARLIER else "caller"}
        assert answers == []
        await scene.unharmed(interrupted=1)
        reached()


@every_layer
async def test_without_any_interrupt_the_run_is_interrupted_because_its_asker_is_gone(layer, stage, reached):
    """P5, P7: the same rows without an interrupt by anybody."""
    answers = []
    async with stage() as scene:

        async def ask():
            answers.append(await scene.ref.ask(script))

        cut = Cut()
        async with anyio.create_task_group() as group:
            group.start_soon(layer, ask, cut)
            await scene.actor.waiting.wait()
            await turns(5)
            cut()
        assert cut.unwound
        run = scene.actor.run
        interruption = await run
        assert scene.actor.handled == [interruption]
        assert run.status == "interrupted"
        assert (interruption.source, interruption.partial, interruption.started) == ("asker_gone", ("half",), True)
        assert answers == []
        await scene.unharmed(interrupted=1)
        reached()


@every_layer
async def test_a_reply_that_comes_in_the_tick_of_the_cut_is_dropped_or_delivered_but_not_both(layer, stage, reached):
    """P5, P8: a reply that finishes in the tick in which its asker is cut: the run has completed all the same."""
    finish = anyio.Event()
    answers = []

    async def finishing(actor):
        actor.about_to_wait()
        await finish.wait()
        return "finished"

    async with stage() as scene:

        async def ask():
            answers.append(await scene.ref.ask(finishing))
            await anyio.sleep_forever()

        cut = Cut()
        async with anyio.create_task_group() as group:
            group.start_soon(layer, ask, cut)
            await scene.actor.waiting.wait()
            await turns(5)
            finish.set()
            cut()
        assert cut.unwound
        run = scene.actor.run
        await run.interrupt()
        assert run.status in {"completed", "interrupted"}
        assert answers in ([], ["finished"])
        assert run.status == "completed" or answers == []
        assert len(scene.actor.handled) == (run.status == "interrupted")
        await scene.unharmed(**{run.status: 1})
        reached()
