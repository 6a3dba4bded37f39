"""Promise 3, promise 8: a handle_interrupt that refuses to end long after its time."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import Actor, Interrupted
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401


class Stubborn(Actor[str, str, str]):
    """Its handle_interrupt absorbs every cancellation until it is let go, and then returns something."""

    def __init__(self) -> None:
        self.began, self.let_go = anyio.Event(), anyio.Event()

    async def reply(self, message, /):
        if message == "hello":
            return message
        self.context.emit("half")
        self.began.set()
        await anyio.sleep_forever()
        return None

    async def handle_interrupt(self, message, interruption, /):
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await anyio.lowlevel.checkpoint()
        return "much too late"


async def test_whoever_asked_is_told_once_and_what_the_handler_returns_in_the_end_changes_nothing(system):
    """R50: the first settlement stands; the actor stays busy until the handler has ended, and then goes on."""
    actor = Stubborn()
    ref = await system.spawn(actor, interrupt_timeout=1.0)
    run = await ref.request("wait")
    await actor.began.wait()
    receipt = await run.interrupt("enough", grace=60.0)
    assert (receipt.outcome, receipt.partial) == ("interrupted", ("half",))
    with pytest.raises(Interrupted) as caught:
        await run
    assert (caught.value.partial, caught.value.reason) == (("half",), "enough")
    assert ref.statistics().doing.startswith("handle_interrupt")
    next_run = await ref.request("hello")
    actor.let_go.set()
    assert await next_run == "hello"
    assert run.status == "interrupted"
    with pytest.raises(Interrupted):
        await run
