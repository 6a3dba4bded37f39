"""A stage on which replies are interrupted, and what has to hold after each of them.

A message is a script: an async function of the actor, which the actor's reply awaits. What each row of the truth table is about
is what that script awaits when it is interrupted.
"""

import asyncio
import contextlib

import anyio
import anyio.lowlevel
import attrs
import pytest

from actors import Actor, ActorSystem
from tests.conftest import LOOPS

TURNS = 20
"""Turns of the event loop within which "at once" is; the way there and back takes about five."""

exists_on_asyncio_only = pytest.mark.parametrize(
    "anyio_backend", [loop for loop in LOOPS if loop.id != "trio"], indirect=True
)
"""For rows about native futures, tasks and cancellations, which trio does not have."""


class Scripted(Actor):
    """Does what the script says that it is sent; replies to an interrupt with the interruption."""

    def __init__(self):
        self.handled = []
        self.stops = 0
        self.run = None
        self.task = None
        self.waiting = anyio.Event()
        self.before_answering = anyio.lowlevel.checkpoint  # would raise inside the scope that was cancelled

    async def reply(self, script, /):
        return await script(self)

    async def handle_interrupt(self, script, interruption, /):
        self.handled.append(interruption)
        await self.before_answering()
        return interruption

    def about_to_wait(self):
        """The next await is the one that the test is about."""
        self.run = self.context.run
        self.task = asyncio.current_task() if on_asyncio() else None
        self.context.emit("half")
        self.waiting.set()

    async def on_stop(self):
        self.stops += 1


async def healthy(actor):
    """A reply that notices whatever an earlier one has left behind (R2, R5)."""
    for _ in range(3):
        await anyio.lowlevel.checkpoint()
    with anyio.move_on_after(0) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    if on_asyncio():
        await timeouts_work()
    return "healthy"


async def timeouts_work():
    """Nobody has left a native cancellation in this task: its count is at its baseline, a timeout is a TimeoutError (R5)."""
    task = asyncio.current_task()
    assert task.cancelling() == 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anyio.sleep_forever()
    assert task.cancelling() == 0


@attrs.define
class Stage:
    """A system with the actor that the test interrupts."""

    system: ActorSystem
    actor: Scripted
    ref: object

    async def begin(self, script, *, run_id=None):
        """Have the script run; return when it waits."""
        self.actor.waiting = anyio.Event()
        run = await self.ref.request(script, run_id=run_id)
        await self.actor.waiting.wait()
        await turns(5)  # what it awaits may begin with some checkpoints
        return run

    async def interrupt(self, *, then=None):
        """Interrupt, and wait for the receipt.

        Args:
            then: called as soon as it is certain that the reply has not ended in spite of several turns of the event loop.
                Without it the reply has to end at once.
        """
        if then is not None:
            assert self.ref.interrupt_nowait("stop", by="anna")
            run = self.actor.run
            await turns(10)
            assert run.status == "interrupting"
            assert self.actor.handled == []
            then()
            return await run.interrupt("stop", by="anna")
        passed = 0

        async def count():
            nonlocal passed
            while True:
                passed += 1
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            group.start_soon(count)
            receipt = await self.ref.interrupt("stop", by="anna")
            group.cancel_scope.cancel()
        assert passed <= TURNS
        return receipt

    async def ended(self, run, receipt, outcome, *, value=None, error=None, partial=("half",)):
        """All that the outcome of one row says, wherever it can be seen. Waits until the run has ended."""
        with contextlib.suppress(Exception):
            await run
        if receipt is not None:
            assert receipt.outcome == outcome
            assert bool(receipt) is (outcome == "interrupted")
            assert (receipt.run_id, receipt.reason, receipt.by) == (run.id, "stop", "anna")
            assert receipt.partial == partial
        assert run.status == outcome
        assert run.partial == partial
        caught = None
        if outcome == "interrupted":
            (interruption,) = self.actor.handled
            assert await run is interruption
            assert interruption.run_id == run.id
            assert interruption.partial == partial
            assert (interruption.reason, interruption.by, interruption.source) == ("stop", "anna", "caller")
        else:
            assert self.actor.handled == []
            if error is None:
                assert await run == value
            else:
                with pytest.raises(error) as caught:
                    await run
        await self.unharmed(**{outcome: 1})
        return caught and caught.value

    async def unharmed(self, *, interrupted=0, completed=0, failed=0):
        """The actor is idle, and nothing of an old interrupt reaches its next runs."""
        handled = list(self.actor.handled)
        idle = await self.ref.interrupt()
        assert (idle.outcome, idle.run_id, bool(idle)) == ("idle", None, False)
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(self.ref.ask, healthy)
            assert await self.ref.ask(healthy) == "healthy"
        statistics = self.ref.statistics()
        assert (statistics.interrupted, statistics.failed) == (interrupted, failed)
        assert statistics.completed == completed + 3
        assert (statistics.state, statistics.run_id) == ("idle", None)
        assert self.actor.handled == handled


@contextlib.asynccontextmanager
async def set_the_stage(new_system, **options):
    """An actor to interrupt; and a neighbour in the middle of a reply, to which nothing of all that must happen (P2)."""
    curtain = anyio.Event()

    async def untouched(actor):
        await curtain.wait()
        return "untouched"

    async with new_system() as system:
        actor = Scripted()
        ref = await system.spawn(actor, **options)
        neighbour = await (await system.spawn(Scripted())).request(untouched)
        yield Stage(system, actor, ref)
        curtain.set()
        assert await neighbour == "untouched"


async def turns(count):
    """Let the event loop turn so many times."""
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


def on_asyncio():
    """Whether this is asyncio, with whatever event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
