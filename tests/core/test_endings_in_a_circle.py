"""Promise 12 for what is no reply: waiting for an end, or for a receipt, that waits for oneself, never hangs.

Either the wait returns at once, or somebody in the circle gets `AskCycleError`: which of them is not promised here.
"""

from __future__ import annotations

import math

import anyio
import pytest

from actors import AskCycleError
from tests._support import Call, Doer, Gate, Hang, quiet


async def ended_by_itself(group, refs, function, *arguments):
    """Whether a call ends although nobody helps; afterwards everything is killed, so that no test hangs."""
    call = Call(group, function, *arguments)
    with anyio.move_on_after(1):
        await call.ended()
    by_itself = call.over
    for ref in refs:
        await ref.kill()
    call.scope.cancel()
    await call.ended()
    return by_itself


def told(ref, message):
    """A message: ask, and say if that would be a circle."""

    async def ask(_actor):
        try:
            return await ref.ask(message)
        except AskCycleError:
            return "told"

    return ask


async def test_a_receipt_that_comes_to_wait_for_oneself_only_later(system):
    """The one who awaits the receipt is asked by the handle_interrupt that it waits for."""
    above = await system.spawn(Doer())

    class Asking(Doer):
        async def handle_interrupt(self, message, interruption, /):
            return await told(above, "hello")(self)

    below = await system.spawn(Asking())
    hang = Hang()

    async def interrupts(_actor):
        await below.request(hang)
        await hang.began.wait()
        receipt = await below.interrupt("enough", grace=math.inf)
        return receipt.outcome

    async with anyio.create_task_group() as group:
        assert await ended_by_itself(group, [below, above], above.ask, interrupts)


@pytest.mark.parametrize("end", ["stop", "join"])
async def test_waiting_for_the_end_of_an_actor_that_asks_back_only_later(system, end):
    """The one who waits for the end is asked by the reply that the end waits for."""
    above, below = await system.spawn(Doer()), await system.spawn(Doer())
    gate = Gate()

    async def asks_back(actor):
        await gate(actor)
        return await told(above, "hello")(actor)

    async def ends(_actor):
        run = await below.request(asks_back)
        await gate.began.wait()
        gate.open()
        if end == "join":
            below.tell_nowait("so that there is something to drain")
        try:
            await getattr(below, end)()
        except AskCycleError:
            return "told"
        return await run

    async with anyio.create_task_group() as group:
        if end == "join":
            Call(group, _stop_later, below, gate)
        assert await ended_by_itself(group, [below, above], above.ask, ends)


async def _stop_later(ref, gate):
    await gate.opened.wait()
    await quiet()
    await ref.stop()


@pytest.mark.parametrize("end", ["stop", "stop now", "kill", "join"])
async def test_a_child_that_ends_its_parent(system, end):
    """The parent's end waits for its children, and so for the reply that ordered it."""
    parent = await system.spawn(Doer())

    async def spawn(actor):
        return await actor.context.spawn(Doer())

    child = await parent.ask(spawn)

    async def end_parent(_actor):
        match end:
            case "stop":
                await parent.stop()
            case "stop now":
                await parent.stop(drain=False)
            case "kill":
                await parent.kill()
            case _:
                await parent.join()

    async def order():
        await child.tell(end_parent)
        if end == "join":
            await quiet()
            await parent.stop()
        await parent.join()

    async with anyio.create_task_group() as group:
        assert await ended_by_itself(group, [parent], order)
    assert parent.statistics().state == child.statistics().state == "dead"


@pytest.mark.parametrize("hook", ["on_start", "on_stop", "handle_interrupt"])
@pytest.mark.parametrize("end", ["stop", "join"])
async def test_an_actor_that_waits_for_its_own_end_in_a_hook(system, hook, end):
    """It is the actor's own step, so it would wait for itself."""

    class Impatient(Doer):
        async def on_start(self):
            if hook == "on_start":
                await getattr(self.context.ref, end)()

        async def on_stop(self):
            if hook == "on_stop":
                await getattr(self.context.ref, end)()

        async def handle_interrupt(self, message, interruption, /):
            await getattr(self.context.ref, end)()

    actor = Impatient()

    async def live():
        ref = await system.spawn(actor)
        if hook == "handle_interrupt":
            hang = Hang()
            await ref.tell(hang)
            await hang.began.wait()
            await ref.interrupt()
        await ref.stop()

    async with anyio.create_task_group() as group:
        call = Call(group, live)
        with anyio.move_on_after(1):
            await call.ended()
        by_itself = call.over
        if not by_itself:
            await system.find(actor.context.ref.path).kill()
            await call.ended()
    assert by_itself
