"""What becomes of a reply that was stuck, after its actor or its system has gone on without it. (P7, P11, P19, R44, R50.)

These tests run on virtual time.
"""

import contextlib

import anyio
import anyio.lowlevel
import pytest

from actors import Actor, ReplyStuckError
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


@pytest.mark.parametrize("ending", ["returns", "raises", "hears the cancellation"])
async def test_its_end_does_not_end_what_its_actor_runs_meanwhile(ending, stage, reached):
    """P11, R50: an actor that drains goes on without it, and is in the next reply when the old one ends."""
    script = Zombie(ending)
    async with script.on_stage(stage) as scene:
        run = await scene.begin(script)
        behind = await scene.ref.request(wait)
        assert (await scene.ref.interrupt("stop", by="anna", grace=GRACE)).outcome == "stuck"
        scene.actor.waiting = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(scene.ref.stop)
            await scene.actor.waiting.wait()
            script.released.set()
            await turns(20)
            assert script.is_back
            assert (run.status, behind.status) == ("failed", "running")
            assert (await behind.interrupt()).outcome == "interrupted"
        assert (await behind) is scene.actor.handled[-1]
        assert len(scene.actor.handled) == 1
        reached()


class StubbornTeller(Actor):
    """Its reply is a generator that yields on, whatever happens."""

    def __init__(self, released):
        self.released = released
        self.notes = []

    async def reply(self, message, /):
        yield "half"
        while not self.released.is_set():
            try:
                await self.released.wait()
            except anyio.get_cancelled_exc_class():
                self.notes.append("swallowed")
        yield "stale"
        self.notes.append("over")

    def assemble(self, chunks, /):
        return list(chunks)


async def test_what_it_yields_after_it_was_cut_off_is_no_chunk_of_the_reply_any_more(new_system, reached):
    """R44: the same for a reply that is a generator: nobody reads a stale chunk."""
    released = anyio.Event()
    teller = StubbornTeller(released)
    async with new_system() as system:
        ref = await system.spawn(teller)
        run = await ref.request("a story")
        await turns(10)
        assert (await ref.interrupt(grace=GRACE)).outcome == "stuck"
        await ref.kill()
        released.set()
        await turns(20)
        assert teller.notes[-1] == "over"
        assert run.partial == ("half",)
        chunks = []
        with pytest.raises(ReplyStuckError):  # noqa: PT012 - raised after the last chunk
            async for chunk in run:
                chunks.append(chunk)  # noqa: PERF401 - the loop ends with an error
        assert (chunks, run.status) == (["half"], "failed")
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
