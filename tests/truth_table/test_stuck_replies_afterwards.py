"""What becomes of a reply that was stuck, after its actor or its system has gone on without it. (P7, P11, P19, R44, R50.)

These tests run on virtual time.
"""

import contextlib

import anyio
import anyio.lowlevel
import pytest

from actors import ReplyStuckError
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401
from tests.truth_table._refusing import GRACE, SlowThenPatient, SwallowLoop
from tests.truth_table._replies import Scripted, healthy, turns


class Zombie(SwallowLoop):
    """Comes back to life when it is released."""

    def __init__(self, ending):
        super().__init__()
        self.ending = ending
        self.is_back = False

    async def __call__(self, actor):
        await super().__call__(actor)
        self.is_back = True
        if self.ending == "raises":
            raise ValueError("a stale error")
        if self.ending == "emits":
            actor.context.emit("stale")
        if self.ending == "hears the cancellation":
            await anyio.lowlevel.checkpoint()
        return "a stale reply"


async def wait(actor):
    actor.about_to_wait()
    await anyio.sleep_forever()


@pytest.mark.parametrize("ending", ["returns", "raises", "emits", "hears the cancellation"])
async def test_a_reply_that_comes_back_to_life_after_it_was_cut_off_changes_nothing(ending, stage, reached):
    """P11, R44, R50: no second settlement, no stale chunk, no handler; an actor that has taken its name hears nothing of it."""
    script = Zombie(ending)
    async with script.on_stage(stage) as scene:
        run = await scene.begin(script)
        assert (await scene.ref.interrupt("stop", by="anna", grace=GRACE)).outcome == "stuck"
        await scene.ref.stop()
        successor = Scripted()
        ref = await scene.system.spawn(successor, name=scene.ref.name)
        current = await ref.request(wait)
        await successor.waiting.wait()
        script.released.set()
        await turns(20)
        assert script.is_back
        assert (run.status, run.partial, scene.actor.handled) == ("failed", ("half",), [])
        with pytest.raises(ReplyStuckError):
            await run
        assert (current.status, current.partial) == ("running", ("half",))
        assert (await ref.interrupt()).outcome == "interrupted"
        assert await ref.ask(healthy) == "healthy"
        reached()


class LeaveError(Exception):
    pass


@pytest.mark.parametrize("left_by", ["its end", "an exception", "a cancellation"])
@pytest.mark.parametrize("cut_off", [False, True])
async def test_it_hears_of_the_end_of_its_system(cut_off, left_by, new_system, reached):
    """P7, P19: the shield that keeps it quiet is open for a later shutdown, also when its actor is gone: no task is left."""
    script = SlowThenPatient()
    actor = Scripted()
    async with anyio.create_task_group() as group:
        group.start_soon(give_up_in_the_end, script)
        with contextlib.suppress(LeaveError), anyio.CancelScope() as scope:
            async with new_system(drain_timeout=GRACE) as system:
                ref = await system.spawn(actor)
                run = await ref.request(script)
                await actor.waiting.wait()
                assert (await ref.interrupt("stop", grace=GRACE)).outcome == "stuck"
                await turns(3)
                if cut_off:
                    await ref.kill()
                script.released.set()
                await script.is_patient.wait()
                if left_by == "an exception":
                    raise LeaveError
                if left_by == "a cancellation":
                    scope.cancel()
                    await anyio.sleep_forever()
        assert not script.given_up.is_set()
        assert run.status in ({"failed"} if cut_off else {"stopped", "interrupted", "failed"})
        group.cancel_scope.cancel()
        reached()


async def give_up_in_the_end(script):
    """Have the test fail rather than hang."""
    try:
        await anyio.sleep(100)
    finally:
        script.given_up.set()
