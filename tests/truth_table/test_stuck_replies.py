"""Replies that refuse to end. (P7, P11, R41, R47.)

The receipt says so when its grace is over, and where the reply hangs; the processor is free meanwhile; the asker waits on, and
gets what comes of it in the end, unless somebody stops the actor: then it gets `ReplyStuckError`, and whatever the old reply still
does concerns nobody.
"""

import asyncio
import contextlib
import time

import anyio
import anyio.lowlevel
import pytest

from actors import ActorSystem, ReplyStuckError
from tests.conftest import LOOPS
from tests.truth_table._replies import LIMIT, Scripted, healthy, stage, turns

GRACE = 0.05
WINDOW = 0.3
"""Seconds for which the processor is watched: one grace period of a second interrupt."""


class Refusing:
    """A reply that refuses to end until it is released."""

    ends_as = "interrupted"
    burns = False  # whether that costs processor time that nobody but the reply can save

    def __init__(self):
        self.released = anyio.Event()
        self.deliveries = 0

    async def __call__(self, actor):
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def on_stage(self):
        """A stage that can be left also when the test fails while the reply is stuck."""
        async with stage() as scene:
            try:
                yield scene
            finally:
                self.released.set()


class NativeTaskGroupWithSlowCleanup(Refusing):
    """Row `asyncio.TaskGroup`: caught; children cancelled; waits for slow children at 71-96 % CPU."""

    async def _slow(self):
        try:
            await anyio.sleep_forever()
        finally:
            await self.released.wait()

    async def __call__(self, actor):
        async with asyncio.TaskGroup() as group:
            group.create_task(self._slow())
            actor.about_to_wait()
            await anyio.sleep_forever()


class ShieldLoop(Refusing):
    """Row `while not t.done(): try: await shield(t) except CancelledError: pass`: completes, 97 % CPU."""

    ends_as = "completed"

    async def __call__(self, actor):
        task = asyncio.create_task(self.released.wait())
        actor.about_to_wait()
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                self.deliveries += 1
        return "its own end"


class SwallowLoop(Refusing):
    """P7: swallow loops livelock on trio too."""

    ends_as = "completed"

    async def __call__(self, actor):
        actor.about_to_wait()
        while not self.released.is_set():
            try:
                await self.released.wait()
            except anyio.get_cancelled_exc_class():
                self.deliveries += 1
        return "its own end"


class SlowCleanupBehindAShield(Refusing):
    """Row `CancelScope(shield=True)`: no spin, with or without us."""

    async def __call__(self, actor):
        try:
            actor.about_to_wait()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await self.released.wait()


class SwallowLoopInATaskGroup(Refusing):
    """P7: a task group of the reply's own cancels its children itself, again and again, and only the reply could stop that."""

    burns = True

    async def _swallow(self):
        while not self.released.is_set():
            try:
                await self.released.wait()
            except anyio.get_cancelled_exc_class():
                self.deliveries += 1

    async def __call__(self, actor):
        async with anyio.create_task_group() as group:
            group.start_soon(self._swallow)
            actor.about_to_wait()
            await anyio.sleep_forever()


ON_ALL_LOOPS = (SwallowLoop, SlowCleanupBehindAShield, SwallowLoopInATaskGroup)
ON_ASYNCIO = (NativeTaskGroupWithSlowCleanup, ShieldLoop)

every_kind = pytest.mark.parametrize(
    ("anyio_backend", "kind"),
    [
        pytest.param(*loop.values, kind, id=f"{kind.__name__}-{loop.id}")
        for loop in LOOPS
        for kind in (ON_ALL_LOOPS if loop.id == "trio" else ON_ALL_LOOPS + ON_ASYNCIO)
    ],
    indirect=["anyio_backend"],
)


@every_kind
async def test_it_is_reported_with_where_it_hangs_and_burns_nothing_until_it_ends_after_all(kind, reached):
    """P7, P11, R47: stuck after its grace; the processor is free; the asker waits on and gets what comes in the end."""
    script = kind()
    async with script.on_stage() as scene:
        run = await scene.begin(script)
        receipt = await scene.ref.interrupt("stop", by="anna", grace=GRACE)
        assert (receipt.outcome, bool(receipt), receipt.run_id, receipt.partial) == ("stuck", False, run.id, ("half",))
        assert receipt.elapsed >= GRACE
        assert __file__.rpartition("/")[2] in receipt.where
        assert "__call__" in receipt.where
        assert (run.status, scene.actor.handled) == ("interrupting", [])

        deliveries, used = script.deliveries, time.process_time()
        again = await scene.ref.interrupt("again", grace=WINDOW)
        used, deliveries = time.process_time() - used, script.deliveries - deliveries
        assert (again.outcome, again.reason) == ("stuck", "again")
        if not script.burns:
            assert used < WINDOW / 3
            assert deliveries <= 5

        script.released.set()
        await scene.ended(run, None, kind.ends_as, value="its own end")
        reached()


@every_kind
@pytest.mark.parametrize("end", ["stop", "stop at once", "kill"])
async def test_stopping_its_actor_cuts_it_off_and_what_it_does_afterwards_concerns_nobody(end, kind, reached):
    """P11, R50: the asker gets `ReplyStuckError` with where it hangs, the actor ends at once, the old reply has no effect."""
    script = kind()
    async with script.on_stage() as scene:
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
        assert "__call__" in caught.value.where
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


@pytest.mark.parametrize("ending", ["returns", "raises", "emits", "hears the cancellation"])
async def test_a_reply_that_comes_back_to_life_after_it_was_cut_off_changes_nothing(ending, reached):
    """P11, R44, R50: no second settlement, no stale chunk, no handler; an actor that has taken its name hears nothing of it."""
    notes = []

    class Zombie(SwallowLoop):
        async def __call__(self, actor):
            await super().__call__(actor)
            notes.append(ending)
            if ending == "raises":
                raise ValueError("a stale error")
            if ending == "emits":
                actor.context.emit("stale")
            if ending == "hears the cancellation":
                await anyio.lowlevel.checkpoint()
            return "a stale reply"

    script = Zombie()
    async with script.on_stage() as scene:
        run = await scene.begin(script)
        assert (await scene.ref.interrupt("stop", by="anna", grace=GRACE)).outcome == "stuck"
        await scene.ref.stop()
        successor = Scripted()
        ref = await scene.system.spawn(successor, name=scene.ref.name)
        current = await ref.request(successor_waits)
        await successor.waiting.wait()
        script.released.set()
        await turns(20)
        assert notes == [ending]
        assert (run.status, run.partial, scene.actor.handled) == ("failed", ("half",), [])
        with pytest.raises(ReplyStuckError):
            await run
        assert (current.status, current.partial) == ("running", ("half",))
        assert (await ref.interrupt()).outcome == "interrupted"
        assert await ref.ask(healthy) == "healthy"
        reached()


async def successor_waits(actor):
    actor.about_to_wait()
    await anyio.sleep_forever()


class SlowThenPatient(Refusing):
    """Absorbs its cancellation once, and then waits for something as any reply does."""

    def __init__(self):
        super().__init__()
        self.given_up = anyio.Event()
        self.is_patient = anyio.Event()

    async def __call__(self, actor):
        with anyio.CancelScope(shield=True):
            actor.about_to_wait()
            await self.released.wait()
        self.is_patient.set()
        await self.given_up.wait()


async def test_it_hears_of_its_cancellation_again_when_it_would_listen(reached):
    """P7, P11: the delivery that was stopped is opened again for one tick every second."""
    script = SlowThenPatient()
    async with script.on_stage() as scene:
        run = await scene.begin(script)
        assert (await scene.ref.interrupt("stop", by="anna", grace=GRACE)).outcome == "stuck"
        script.released.set()
        receipt = await scene.ref.interrupt("stop", by="anna")
        assert not script.given_up.is_set()
        await scene.ended(run, receipt, "interrupted")
        reached()


@pytest.mark.parametrize("left_by", ["its end", "an exception", "a cancellation"])
@pytest.mark.parametrize("cut_off", [False, True])
async def test_it_hears_of_the_end_of_its_system(cut_off, left_by, reached):
    """P7, P19: the shield that keeps it quiet is open for a later shutdown, also when its actor is gone: no task is left."""
    script = SlowThenPatient()
    actor = Scripted()
    with anyio.move_on_after(LIMIT), contextlib.suppress(LeaveError), anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(give_up_later, script)
            try:
                async with ActorSystem(drain_timeout=GRACE) as system:
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
            finally:
                had_to_give_up = script.given_up.is_set()
                group.cancel_scope.cancel()
    assert not had_to_give_up
    assert run.status in ({"failed"} if cut_off else {"stopped", "interrupted", "failed"})
    reached()


class LeaveError(Exception):
    pass


async def give_up_later(script):
    """Have the test fail rather than hang."""
    with anyio.CancelScope(shield=True):
        await anyio.sleep(3)
        script.given_up.set()
