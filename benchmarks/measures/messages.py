"""One actor, one after the other: tells and asks."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import anyio

from benchmarks._bodies import Counts, Echo, Waits
from benchmarks._measure import Figures, Measure

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


async def _asks(stage: Stage, count: int, body: type) -> float:
    ref = await stage.spawn(stage.make(body))
    ask = ref.ask
    for number in range(count // 10):
        await ask(number)
    begin = perf_counter()
    for number in range(count):
        await ask(number)
    return (perf_counter() - begin) / count


MEASURES = (
    Measure("tell", 20_000, tell, {"tell": "tell"}),
    Measure("ask", 3_000, ask, {"ask": "ask, the reply does not suspend"}),
    Measure("ask-suspending", 2_000, ask_suspending, {"ask-suspending": "ask, the reply suspends once"}),
)
