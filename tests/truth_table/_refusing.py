"""Scripts that refuse to end when they are interrupted, until they are released."""

import asyncio
import contextlib

import anyio
import anyio.lowlevel
import pytest

from tests.conftest import LOOPS

GRACE = 0.05
"""Seconds after which they are stuck."""


class Refusing:
    """The base of them."""

    ends_as = "interrupted"
    burns = False  # whether that costs processor time that nobody but the reply can save

    def __init__(self):
        self.released = anyio.Event()
        self.deliveries = 0

    async def __call__(self, actor):
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def on_stage(self, stage):
        """A stage that can be left also when the test fails while the reply is stuck."""
        async with stage() as scene:
            try:
                yield scene
            finally:
                self.released.set()

    async def _swallow_all(self):
        while not self.released.is_set():
            try:
                await self.released.wait()
            except anyio.get_cancelled_exc_class():
                self.deliveries += 1


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
        return "went on behind the group"


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
        await self._swallow_all()
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


class TaskGroupWithSlowCleanup(Refusing):
    """Row nested TaskGroup: caught, children first; here with a child that takes its time, and something behind the group."""

    async def _slow(self):
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await self.released.wait()

    async def __call__(self, actor):
        async with anyio.create_task_group() as group:
            group.start_soon(self._slow)
            await anyio.lowlevel.checkpoint()
            actor.about_to_wait()
            await anyio.sleep_forever()
        return "went on behind the group"


class SwallowLoopInATaskGroup(Refusing):
    """P7: a task group of the reply's own cancels its children itself, again and again, and only the reply could stop that."""

    burns = True

    async def __call__(self, actor):
        async with anyio.create_task_group() as group:
            group.start_soon(self._swallow_all)
            actor.about_to_wait()
            await anyio.sleep_forever()
        return "went on behind the group"


class SlowThenPatient(Refusing):
    """Absorbs its cancellation once, and then waits for something as any reply does."""

    def __init__(self):
        super().__init__()
        self.is_patient = anyio.Event()
        self.given_up = anyio.Event()  # what it waits for

    async def __call__(self, actor):
        with anyio.CancelScope(shield=True):
            actor.about_to_wait()
            await self.released.wait()
        self.is_patient.set()
        await self.given_up.wait()


ON_ALL_LOOPS = (SwallowLoop, SlowCleanupBehindAShield, TaskGroupWithSlowCleanup, SwallowLoopInATaskGroup)
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
"""All kinds on all loops, the native ones on asyncio only."""
