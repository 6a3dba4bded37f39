"""The floor on trio: an actor by hand, on the lowest level that trio offers.

A task, a deque, ``wait_task_rescheduled`` and ``reschedule``. trio has no native cancellation of a task; a bare cancel scope
around each reply is the least that an interrupt takes.
"""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from benchmarks._bodies import Maker
from benchmarks._loops import native
from benchmarks._stage import Staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from benchmarks._loops import Native


def _abort(_raise_cancel: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.SUCCEEDED


class Reply:
    """What a future is on asyncio, for one waiting task."""

    __slots__ = ("settled", "task", "value")

    def __init__(self) -> None:
        self.settled = False
        self.task: trio.lowlevel.Task | None = None
        self.value: Any = None

    def set_result(self, value: Any) -> None:
        self.value = value
        self.settled = True
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)

    def __await__(self) -> Generator[Any, Any, Any]:
        if not self.settled:
            self.task = trio.lowlevel.current_task()
            yield from trio.lowlevel.wait_task_rescheduled(_abort).__await__()  # noqa: ASYNC105 - it is
        return self.value


class FloorActor:
    """An actor and its own ref. ``reply`` comes from a body."""

    reply: Any

    def __init__(self) -> None:
        self.queue: deque[Any] = deque()
        self.parked: trio.lowlevel.Task | None = None
        self.life = trio.CancelScope()
        self.over = trio.Event()

    def tell_nowait(self, message: Any) -> None:
        self._put(message, None)

    async def ask(self, message: Any) -> Any:
        reply = Reply()
        self._put(message, reply)
        return await reply

    async def request(self, message: Any) -> Reply:
        reply = Reply()
        self._put(message, reply)
        return reply

    def interrupt_nowait(self) -> None:
        raise NotImplementedError("nothing below a scope can be cancelled on trio")

    async def stop(self) -> None:
        self.life.cancel()
        await self.over.wait()

    async def run(self) -> None:
        """The task."""
        with self.life:
            await self.serve()
        self.over.set()

    async def serve(self) -> None:
        queue = self.queue
        while True:
            while queue:
                message, reply = queue.popleft()
                value = await self.reply(message)
                if reply is not None:
                    reply.set_result(value)
            await self._park()

    async def _park(self) -> None:
        self.parked = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self.parked = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _put(self, message: Any, reply: Any) -> None:
        self.queue.append((message, reply))
        if self.parked is not None:
            trio.lowlevel.reschedule(self.parked)
            self.parked = None


class TellFloorActor(FloorActor):
    """The same for tells alone: a deque of bare messages."""

    def tell_nowait(self, message: Any) -> None:
        self.queue.append(message)
        if self.parked is not None:
            trio.lowlevel.reschedule(self.parked)
            self.parked = None

    async def serve(self) -> None:
        queue = self.queue
        while True:
            while queue:
                await self.reply(queue.popleft())
            await self._park()


class ScopedFloorActor(FloorActor):
    """The same with a bare scope around each reply."""

    scope: trio.CancelScope

    def interrupt_nowait(self) -> None:
        self.scope.cancel()

    async def serve(self) -> None:
        queue = self.queue
        while True:
            while queue:
                message, reply = queue.popleft()
                value = message
                with trio.CancelScope() as self.scope:
                    value = await self.reply(message)
                if reply is not None:
                    reply.set_result(value)
            await self._park()


class Chunks:
    """A reply that comes in chunks: a deque, and a task that waits to be rescheduled."""

    def __init__(self) -> None:
        self.waiting: deque[Any] = deque()
        self.parked: trio.lowlevel.Task | None = None
        self.over = False

    def put(self, chunk: Any) -> None:
        self.waiting.append(chunk)
        self.wake()

    def end(self) -> None:
        self.over = True
        self.wake()

    def wake(self) -> None:
        if self.parked is not None:
            trio.lowlevel.reschedule(self.parked)
            self.parked = None

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> Any:
        while not self.waiting:
            if self.over:
                raise StopAsyncIteration
            self.parked = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(_abort)
        return self.waiting.popleft()


class StreamFloorActor(FloorActor):
    """The same for replies that come in chunks."""

    @asynccontextmanager
    async def stream(self, message: Any) -> AsyncIterator[Chunks]:
        chunks = Chunks()
        self._put(message, chunks)
        yield chunks

    async def serve(self) -> None:
        queue = self.queue
        while True:
            while queue:
                message, chunks = queue.popleft()
                async for chunk in self.reply(message):
                    chunks.put(chunk)
                chunks.end()
            await self._park()


@attrs.define
class FloorStage:
    """Starts them and, in the end, cancels them."""

    native: Native
    make: Maker
    nursery: trio.Nursery

    async def spawn(self, actor: FloorActor) -> FloorActor:
        self.nursery.start_soon(actor.run)
        return actor


@attrs.frozen
class Floor(Staged):
    """A subject: the floor."""

    name: str
    kind: type[FloorActor]

    @asynccontextmanager
    async def open(self, loop: str) -> AsyncIterator[FloorStage]:
        async with trio.open_nursery() as nursery:
            yield FloorStage(native(loop), Maker(self.kind, native(loop)), nursery)
            nursery.cancel_scope.cancel()


FLOORS = {
    "plain": Floor("floor", FloorActor),
    "tells": Floor("floor", TellFloorActor),
    "streams": Floor("floor", StreamFloorActor),
    "scopes": Floor("scope", ScopedFloorActor),
}
"""By the kind of work; nothing below a scope can be cancelled here."""
