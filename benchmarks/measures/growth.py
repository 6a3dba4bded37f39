"""How time and memory grow. Each is for one actor, one message, one level or one run, so that a flat line is the best there is.

Each point is taken in a process of its own. Memory is what Python has given out (``tracemalloc``), which is exact for few things
too; it slows everything down, so that time is never taken beside it.
"""

from __future__ import annotations

import gc
import tracemalloc
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

import anyio
import attrs

from benchmarks._bodies import Asks, Counts, Echo, Hangs
from benchmarks._measure import Figure, Figures, Measure
from benchmarks.measures.crowds import chain_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks._stage import Ref, Stage

ASKED = 2_000


async def actors_spawn(stage: Stage, size: int) -> Figures:
    """Start so many, then ask some of them, spread over all."""
    actors = [stage.make(Echo) for _ in range(size)]
    begin = perf_counter()
    refs = [await stage.spawn(actor) for actor in actors]
    await stage.native.suspend()
    started = perf_counter()
    for number in range(ASKED):
        await refs[number * 7919 % size].ask(0)
    return {"actors-spawn": (started - begin) / size, "actors-ask": (perf_counter() - started) / ASKED}


async def actors_bytes(stage: Stage, size: int) -> Figures:
    """So many idle actors."""
    refs: list[Ref | None] = [None] * size
    with Weighing() as weighing:
        for number in range(size):
            refs[number] = await stage.spawn(stage.make(Echo))
    return {"actors-bytes": weighing.bytes / size}


async def backlog_time(stage: Stage, size: int) -> Figures:
    """So many tells are waiting before the first one is answered."""
    done = anyio.Event()
    ref = await stage.spawn(stage.make(Counts, done=done.set))
    await stage.native.suspend()
    begin = perf_counter()
    for number in reversed(range(size)):
        ref.tell_nowait(number)
    await done.wait()
    return {"backlog-time": (perf_counter() - begin) / size}


async def backlog_bytes(stage: Stage, size: int) -> Figures:
    """What a waiting message weighs, beside what it says."""
    ref = await stage.spawn(stage.make(Counts, done=lambda: None))
    await stage.native.suspend()
    with Weighing() as weighing:
        for _ in range(size):
            ref.tell_nowait(1)
    return {"backlog-bytes": weighing.bytes / size}


async def depth_ask(stage: Stage, size: int) -> Figures:
    """Asks so many deep, for each level."""
    first = await chain_of(stage, size)
    times = max(3, ASKED // size)
    await first.ask(0)
    begin = perf_counter()
    for _ in range(times):
        await first.ask(0)
    return {"depth-ask": (perf_counter() - begin) / (times * size)}


async def depth_interrupt(stage: Stage, size: int) -> Figures:
    """The first of so many that wait for one another is interrupted, until the receipt says that all below have ended."""
    took = 0.0
    times = max(3, ASKED // size // 4)
    for _ in range(times):
        began = anyio.Event()
        ref: Any = await stage.spawn(stage.make(Hangs, began=began.set))
        for _ in range(size - 1):
            ref = await stage.spawn(stage.make(Interrupted, next=ref))
        reply = await ref.request(0)
        await began.wait()
        await stage.native.suspend()
        begin = perf_counter()
        await ref.interrupt()
        await reply
        took += perf_counter() - begin
    return {"depth-interrupt": took / (times * size)}


class Interrupted(Asks):
    """Asks on, and replies to an interrupt with the message."""

    async def handle_interrupt(self, message: object, _interruption: object, /) -> object:
        """What came."""
        return message


async def runs_time(stage: Stage, size: int) -> Figures:
    """So many replies are suspended at the same time, from the first request to the last reply."""
    gate = anyio.Event()
    refs = [await stage.spawn(stage.make(Gated, gate=gate)) for _ in range(size)]
    begin = perf_counter()
    replies = [await ref.request(0) for ref in refs]
    await stage.native.suspend()
    gate.set()
    for reply in replies:
        await reply
    return {"runs-time": (perf_counter() - begin) / size}


class Gated(Echo):
    """Waits for a gate before it replies."""

    gate: anyio.Event

    async def reply(self, message: object, /) -> object:
        """What came."""
        await self.gate.wait()
        return message


async def runs_bytes(stage: Stage, size: int) -> Figures:
    """What a suspended reply weighs."""
    begun: list[None] = []
    refs = [await stage.spawn(stage.make(Hangs, began=lambda: begun.append(None))) for _ in range(size)]
    await stage.native.suspend()
    replies = []
    with Weighing() as weighing:
        replies += [await ref.request(0) for ref in refs]
        while len(begun) < size:
            await stage.native.suspend()
    return {"runs-bytes": weighing.bytes / size}


class Weighing:
    """What has been allocated in the block and is still there."""

    bytes = 0

    def __enter__(self) -> Self:
        gc.collect()
        tracemalloc.start()
        return self

    def __exit__(self, *_: object) -> None:
        gc.collect()
        self.bytes = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()


@attrs.frozen
class Curve:
    """Something that is measured at several sizes.

    Args:
        measure: what is done; its count is the size.
        axis: what grows.
        sizes: how far.
    """

    measure: Measure
    axis: str
    sizes: tuple[int, ...]


def curve(
    axis: str, largest: int, work: Callable[[Stage, int], Awaitable[Figures]], *figures: Figure, smallest: int = 100
) -> Curve:
    """A curve in steps of ten; the floor is beside it where it does the same."""
    name = f"growth-{work.__name__.replace('_', '-')}"
    floors = () if "interrupt" in name else ("plain",)
    sizes = tuple(smallest * 10**step for step in range(10) if smallest * 10**step <= largest)
    return Curve(Measure(name, 0, work, figures, floors=floors, loops=("asyncio",), alone=True), axis, sizes)


CURVES = (
    curve(
        "actors", 10**6, actors_spawn, Figure("actors-spawn", "start an actor"), Figure("actors-ask", "ask one of them")
    ),
    curve("actors", 10**6, actors_bytes, Figure("actors-bytes", "an idle actor", "B")),
    curve("messages in one mailbox", 10**6, backlog_time, Figure("backlog-time", "tell and answer a message")),
    curve("messages in one mailbox", 10**6, backlog_bytes, Figure("backlog-bytes", "a waiting message", "B")),
    curve("depth of the asks", 10**3, depth_ask, Figure("depth-ask", "ask, for each level"), smallest=1),
    curve(
        "depth of the asks", 10**3, depth_interrupt, Figure("depth-interrupt", "interrupt, for each level"), smallest=1
    ),
    curve("suspended replies", 10**5, runs_time, Figure("runs-time", "request and answer")),
    curve("suspended replies", 10**5, runs_bytes, Figure("runs-bytes", "a suspended reply", "B")),
)
