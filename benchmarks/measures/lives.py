"""Actors that come and go."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks._bodies import Echo
from benchmarks._measure import Figure, Figures, Measure

if TYPE_CHECKING:
    from benchmarks._stage import Stage


async def spawn(stage: Stage, count: int) -> Figures:
    """Start so many, then stop one after the other."""
    actors = [stage.make(Echo) for _ in range(count)]
    await stage.spawn(stage.make(Echo))
    begin = perf_counter()
    refs = [await stage.spawn(actor) for actor in actors]
    await stage.native.suspend()
    started = perf_counter()
    for ref in refs:
        await ref.stop()
    return {"spawn": (started - begin) / count, "stop": (perf_counter() - started) / count}


MEASURES = (
    Measure("spawn", 1_000, spawn, (Figure("spawn", "spawn"), Figure("stop", "stop of an idle actor")), quick=False),
)
