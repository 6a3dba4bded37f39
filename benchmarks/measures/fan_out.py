"""One asks many at the same time."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks._bodies import Waits
from benchmarks._measure import Figures, Measure

if TYPE_CHECKING:
    from benchmarks._stage import Stage

ROUNDS = 3


async def fan_out(stage: Stage, count: int) -> Figures:
    """Ask each of ``count`` actors, whose replies suspend once, and wait for all of them."""
    refs = [await stage.spawn(stage.make(Waits)) for _ in range(count)]
    for _ in range(2):  # the first time starts what is kept afterwards
        begin = perf_counter()
        for _ in range(ROUNDS):
            for reply in [await ref.request(0) for ref in refs]:
                await reply
    return {"fan-out": (perf_counter() - begin) / (ROUNDS * count)}


MEASURES = (Measure("fan-out", 1_000, fan_out, {"fan-out": "fan-out to 1,000, each suspends, for each"}),)
