"""A system of its own in a worker thread that a reply has started: anyio copies the reply's context into it."""

from __future__ import annotations

import threading

import anyio
import anyio.lowlevel

from actors import Actor, ActorSystem


class Sleeper(Actor[str, str]):
    async def reply(self, message, /):
        await anyio.sleep_forever()
        return message

    async def handle_interrupt(self, message, interruption, /):
        return interruption.reason


class Host(Actor[str, str]):
    """Runs a system in a thread, and an event loop of its own in it."""

    def __init__(self, backend) -> None:
        self.backend, self.options = backend
        self.began, self.go_on, self.result = threading.Event(), threading.Event(), None

    async def _inner(self):
        async with ActorSystem("inner") as system:
            ref = await system.spawn(Sleeper())
            run = await ref.request("long")
            while run.status == "queued":
                await anyio.lowlevel.checkpoint()
            parent = run.parent
            self.began.set()
            await anyio.to_thread.run_sync(self.go_on.wait)
            receipt = await run.interrupt("its own interrupt")
            self.result = (parent, receipt.outcome, await run)

    async def reply(self, message, /):
        await anyio.to_thread.run_sync(
            lambda: anyio.run(self._inner, backend=self.backend, backend_options=self.options)
        )
        return message

    async def handle_interrupt(self, message, interruption, /):
        return "interrupted"


async def test_an_interrupt_does_not_reach_into_another_loop(system, anyio_backend):
    """Promise 2, promise 14: the run in the thread belongs to no run out here; it is interrupted by its own interrupt alone."""
    host = Host((anyio_backend[0], {}))
    ref = await system.spawn(host)
    run = await ref.request("out here")
    await anyio.to_thread.run_sync(host.began.wait)
    assert run.waits_for in (None, [])
    assert ref.interrupt_nowait("not for the inner one")
    host.go_on.set()
    assert await run == "out here"
    assert host.result == (None, "interrupted", "its own interrupt")
