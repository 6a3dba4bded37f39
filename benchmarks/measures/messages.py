"""One actor, one message after the other."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import anyio

from benchmarks._bodies import Counts, Echo, Streams, Waits
from benchmarks._measure import Figure, Figures, Measure
from benchmarks.stages._ours import MANAGERS

if TYPE_CHECKING:
    from benchmarks._stage import Stage


async def tell(stage: Stage, count: int) -> Figures:
    """From the first tell to the end of the last reply."""
    done = anyio.Event()
    ref = await stage.spawn(stage.make(Counts, done=done.set))
    await stage.native.suspend()
    tell = ref.tell_nowait
    begin = perf_counter()
    for number in reversed(range(count)):
        tell(number)
    await done.wait()
    return {"tell": (perf_counter() - begin) / count}


async def ask(stage: Stage, count: int) -> Figures:
    """The next ask begins when the reply to the one before is there."""
    return {"ask": await _asks(stage, count, Echo)}


async def ask_suspending(stage: Stage, count: int) -> Figures:
    """The same with a reply that suspends once."""
    return {"ask-suspending": await _asks(stage, count, Waits)}


async def ask_managers(stage: Stage, count: int) -> Figures:
    """Ask actors that have a cancellation manager, with which each run is registered before its first step."""
    return {"ask-managers": await _asks(stage, count, Echo)}


async def ask_variables(stage: Stage, count: int) -> Figures:
    """Ask with ten context variables set, which reach the reply."""
    return {"ask-variables": await _asks(stage, count, Echo)}


async def _asks(stage: Stage, count: int, body: type) -> float:
    ref = await stage.spawn(stage.make(body))
    ask = ref.ask
    for number in range(count // 10):
        await ask(number)
    begin = perf_counter()
    for number in range(count):
        await ask(number)
    return (perf_counter() - begin) / count


async def stream(stage: Stage, count: int) -> Figures:
    """Read a reply of so many chunks as they come."""
    ref = await stage.spawn(stage.make(Streams))
    for chunks in (count // 10, count):
        begin = perf_counter()
        async with ref.stream(chunks) as run:
            async for _chunk in run:
                pass
    return {"stream": (perf_counter() - begin) / count}


MEASURES = (
    Measure("tell", 20_000, tell, (Figure("tell", "tell"),), floors=("tells",)),
    Measure("ask", 3_000, ask, (Figure("ask", "ask, the reply does not suspend"),)),
    Measure("ask-suspending", 2_000, ask_suspending, (Figure("ask-suspending", "ask, the reply suspends once"),)),
    Measure(
        "ask-managers",
        2_000,
        ask_managers,
        (Figure("ask-managers", "ask, with a cancellation manager"),),
        floors=(),
        ours=("bargein", *(ours.name for ours in MANAGERS)),
        quick=False,
    ),
    Measure(
        "ask-variables",
        2_000,
        ask_variables,
        (Figure("ask-variables", "ask, with ten context variables"),),
        floors=(),
        ours=("bargein", "10 variables"),
        quick=False,
    ),
    Measure("stream", 3_000, stream, (Figure("stream", "a chunk of a stream"),), floors=("streams",)),
)
