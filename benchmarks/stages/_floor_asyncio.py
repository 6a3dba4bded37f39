"""The floor on asyncio and uvloop: an actor by hand, with nothing that an actor framework needs.

A task, a deque, one parked future, and a future for each reply. No isolation, no fairness, no supervision, no context of the
asker, no shields that hold: an interrupt is a bare ``task.cancel()``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from benchmarks._bodies import Maker
from benchmarks._loops import native
from benchmarks._stage import Staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks._loops import Native


class FloorActor:
    """An actor and its own ref. ``reply`` comes from a body."""

    reply: Any

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.queue: deque[Any] = deque()
        self.parked: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None
        self.stopping = False

    def tell_nowait(self, message: Any) -> None:
        self.queue.append((message, None))
        if self.parked is not None:
            self.parked.set_result(None)
            self.parked = None

    async def ask(self, message: Any) -> Any:
        return await self._send(message)

    async def request(self, message: Any) -> asyncio.Future[Any]:
        return self._send(message)

    def interrupt_nowait(self) -> None:
        assert self.task is not None
        self.task.cancel()

    async def stop(self) -> None:
        assert self.task is not None
        self.stopping = True
        self.task.cancel()
        await asyncio.wait([self.task])

    async def run(self) -> None:
        """The task."""
        queue = self.queue
        while True:
            while queue:
                message, future = queue.popleft()
                try:
                    value = await self.reply(message)
                except asyncio.CancelledError:
                    if self.stopping:
                        raise
                    value = message
                if future is not None:
                    future.set_result(value)
            self.parked = self.loop.create_future()
            await self.parked

    def _send(self, message: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.loop.create_future()
        self.queue.append((message, future))
        if self.parked is not None:
            self.parked.set_result(None)
            self.parked = None
        return future


class TellFloorActor(FloorActor):
    """The same for tells alone: a deque of bare messages, and one parked future."""

    def tell_nowait(self, message: Any) -> None:
        self.queue.append(message)
        if self.parked is not None:
            self.parked.set_result(None)
            self.parked = None

    async def run(self) -> None:
        queue = self.queue
        while True:
            while queue:
                await self.reply(queue.popleft())
            self.parked = self.loop.create_future()
            await self.parked


class ScopedFloorActor(FloorActor):
    """The same with a bare anyio scope around each reply: what an interrupt that respects shields costs at least."""

    scope: anyio.CancelScope

    def interrupt_nowait(self) -> None:
        self.scope.cancel()

    async def run(self) -> None:
        queue = self.queue
        while True:
            while queue:
                message, future = queue.popleft()
                value = message
                with anyio.CancelScope() as self.scope:
                    value = await self.reply(message)
                if future is not None:
                    future.set_result(value)
            self.parked = self.loop.create_future()
            await self.parked


class Chunks:
    """A reply that comes in chunks: a deque, and a parked future."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: deque[Any] = deque()
        self.parked: asyncio.Future[None] | None = None
        self.over = False

    def put(self, chunk: Any) -> None:
        self.waiting.append(chunk)
        self.wake()

    def end(self) -> None:
        self.over = True
        self.wake()

    def wake(self) -> None:
        if self.parked is not None:
            self.parked.set_result(None)
            self.parked = None

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> Any:
        while not self.waiting:
            if self.over:
                raise StopAsyncIteration
            self.parked = self.loop.create_future()
            await self.parked
        return self.waiting.popleft()


class StreamFloorActor(FloorActor):
    """The same for replies that come in chunks."""

    @asynccontextmanager
    async def stream(self, message: Any) -> AsyncIterator[Chunks]:
        chunks = Chunks(self.loop)
        self.queue.append((message, chunks))
        if self.parked is not None:
            self.parked.set_result(None)
            self.parked = None
        yield chunks

    async def run(self) -> None:
        queue = self.queue
        while True:
            while queue:
                message, chunks = queue.popleft()
                async for chunk in self.reply(message):
                    chunks.put(chunk)
                chunks.end()
            self.parked = self.loop.create_future()
            await self.parked


@attrs.define
class FloorStage:
    """Starts them and, in the end, cancels them."""

    native: Native
    make: Maker
    started: list[FloorActor] = attrs.field(factory=list)

    async def spawn(self, actor: FloorActor) -> FloorActor:
        actor.task = asyncio.create_task(actor.run())
        self.started.append(actor)
        return actor


@attrs.frozen
class Floor(Staged):
    """A subject: the floor."""

    name: str
    kind: type[FloorActor]

    @asynccontextmanager
    async def open(self, loop: str) -> AsyncIterator[FloorStage]:
        stage = FloorStage(native(loop), Maker(self.kind, native(loop)))
        try:
            yield stage
        finally:
            for actor in stage.started:
                actor.stopping = True
                if actor.task is not None:
                    actor.task.cancel()
            await asyncio.gather(*(a.task for a in stage.started if a.task is not None), return_exceptions=True)


FLOORS = {
    "plain": Floor("floor", FloorActor),
    "tells": Floor("floor", TellFloorActor),
    "streams": Floor("floor", StreamFloorActor),
    "cancels": Floor("floor", FloorActor),
    "scopes": Floor("scope", ScopedFloorActor),
}
"""By the kind of work."""
