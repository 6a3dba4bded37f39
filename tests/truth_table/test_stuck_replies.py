"""Replies that refuse to end. (P7, P11, R41, R47.)

The receipt says so when its grace is over, and where the reply hangs; the processor is free meanwhile; the asker waits on, and
gets what comes of it in the end, unless somebody stops the actor: then it gets `ReplyStuckError`.
"""

import time

import anyio
import pytest

from actors import ReplyStuckError
from tests.truth_table._refusing import GRACE, SlowThenPatient, SwallowLoop, every_kind
from tests.truth_table._replies import Scripted, healthy, turns

WINDOW = 0.3
"""Seconds for which the processor is watched: one grace period of a second interrupt."""


@every_kind
async def test_it_is_reported_with_where_it_hangs_and_burns_nothing_until_it_ends_after_all(
    kind, stage, caplog, reached
):
    """P7, P11, R47: stuck after its grace; the processor is free; the asker waits on and gets what comes in the end."""
    script = kind()
    async with script.on_stage(stage) as scene:
        run = await scene.begin(script)
        receipt = await scene.ref.interrupt("stop", by="anna", grace=GRACE)
        assert (receipt.outcome, bool(receipt), receipt.run_id, receipt.partial) == ("stuck", False, run.id, ("half",))
        assert receipt.elapsed >= GRACE - 0.002  # uvloop counts whole milliseconds
        assert f"{kind.__name__}.__call__" in receipt.where
        assert (run.status, scene.actor.handled) == ("interrupting", [])

        deliveries, used = script.deliveries, time.process_time()
        again = await scene.ref.interrupt("again", grace=WINDOW)
        used, deliveries = time.process_time() - used, script.deliveries - deliveries
        assert (again.outcome, again.reason) == ("stuck", "again")
        if not kind.burns:
            assert used < WINDOW / 3
            assert deliveries <= 5
        assert caplog.text.count("step.stuck") == 1

        script.released.set()
        await scene.ended(run, None, kind.ends_as, value="its own end")
        reached()


@every_kind
@pytest.mark.parametrize("end", ["stop", "stop at once", "kill"])
async def test_stopping_its_actor_cuts_it_off_and_what_it_does_afterwards_concerns_nobody(end, kind, stage, reached):
    """P11, R50: the asker gets `ReplyStuckError` with where it hangs, the actor ends at once, the old reply has no effect."""
    script = kind()
    async with script.on_stage(stage) as scene:
        run = await scene.begin(script)
        assert (await scene.ref.interrupt("stop", by="anna", grace=GRACE)).outcome == "stuck"
        behind = await scene.ref.request(healthy)
        await turns(3)
        if end == "kill":
            await scene.ref.kill()
        else:
            await scene.ref.stop(drain=end == "stop")
        with pytest.raises(ReplyStuckError) as caught:
            await run
        assert f"{kind.__name__}.__call__" in caught.value.where
        assert caught.value.message is script
        assert (run.status, run.partial) == ("failed", ("half",))
        if end == "stop":
            assert await behind == "healthy"
        else:
            assert behind.status == "stopped"
        assert scene.ref.statistics().state == "dead"
        assert scene.actor.stops == (end != "kill")

        script.released.set()
        await turns(20)
        assert (run.status, run.partial, scene.actor.handled) == ("failed", ("half",), [])
        assert scene.actor.stops == (end != "kill")
        reached()


async def test_many_of_them_burn_no_more_than_one(stage, reached):
    """P7, R47: the same for twenty actors at once, and the receipts come when their grace is over."""
    scripts = [SwallowLoop() for _ in range(20)]
    async with stage() as scene:
        actors = [Scripted() for _ in scripts]
        refs = [await scene.system.spawn(actor) for actor in actors]
        runs = [await ref.request(script) for ref, script in zip(refs, scripts, strict=True)]
        for actor in actors:
            await actor.waiting.wait()
        receipts = []

        async def interrupt(run, grace):
            receipts.append((await run.interrupt("stop", grace=grace)).outcome)

        async with anyio.create_task_group() as group:
            for run in runs:
                group.start_soon(interrupt, run, GRACE)
        used = time.process_time()
        async with anyio.create_task_group() as group:
            for run in runs:
                group.start_soon(interrupt, run, WINDOW)
        used = time.process_time() - used
        for script in scripts:
            script.released.set()
        assert [await run for run in runs] == ["its own end"] * 20
        assert receipts == ["stuck"] * 40
        assert used < WINDOW / 3
        reached()


async def test_it_hears_of_its_cancellation_again_when_it_would_listen(stage, reached):
    """P7, P11: it has absorbed its cancellation once and been left in peace; it is cut at the next thing it waits for."""
    script = SlowThenPatient()
    async with script.on_stage(stage) as scene:
        run = await scene.begin(script)
        assert (await scene.ref.interrupt("stop", by="anna", grace=GRACE)).outcome == "stuck"
        script.released.set()
        receipt = await scene.ref.interrupt("stop", by="anna")
        assert script.is_patient.is_set()
        await scene.ended(run, receipt, "interrupted")
        reached()
