"""What actors weigh. Each sample is taken in a process of its own: what the system gave to it, not what Python counts."""

from __future__ import annotations

import gc
import os
import subprocess
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks._bodies import Echo, Hangs, Waits
from benchmarks._measure import Figure, Figures, Measure

if TYPE_CHECKING:
    from benchmarks._stage import Stage

STATM = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], check=True, capture_output=True, text=True)  # noqa: S603, S607
    return int(told.stdout) * 1024


async def idle(stage: Stage, count: int) -> Figures:
    """Actors that have done nothing yet, and the same when each has replied once, with a reply that suspended."""
    warm = await stage.spawn(stage.make(Waits))
    await warm.ask(0)
    actors = [None] * count  # the list itself is not theirs
    before = resident()
    for number in range(count):
        actors[number] = await stage.spawn(stage.make(Waits))
    await stage.native.suspend()
    new = resident()
    for ref in actors:
        await ref.ask(0)
    used = resident()
    return {"bytes-new": (new - before) / count, "bytes-used": (used - before) / count}


async def suspended(stage: Stage, count: int) -> Figures:
    """What a reply adds to its actor while it is suspended; whoever asked waits in no task of its own."""
    begun: list[None] = []
    refs = [await stage.spawn(stage.make(Hangs, began=lambda: begun.append(None))) for _ in range(count)]
    await stage.native.suspend()
    replies = [None] * count
    before = resident()
    for number, ref in enumerate(refs):
        replies[number] = await ref.request(0)
    while len(begun) < count:
        await stage.native.suspend()
    await stage.native.suspend()
    return {"bytes-suspended": (resident() - before) / count}


async def million(stage: Stage, count: int) -> Figures:
    """A million idle actors: how long it takes to start them, and what they weigh together."""
    actors = [None] * count
    before = resident()
    begin = perf_counter()
    for number in range(count):
        actors[number] = await stage.spawn(stage.make(Echo))
    took = perf_counter() - begin
    return {"million-time": took, "million-bytes": resident() - before}


MEASURES = (
    Measure(
        "bytes-idle",
        20_000,
        idle,
        (Figure("bytes-new", "an idle actor, new", "B"), Figure("bytes-used", "an idle actor that has replied", "B")),
        alone=True,
        rare=True,
    ),
    Measure(
        "bytes-suspended",
        2_000,
        suspended,
        (Figure("bytes-suspended", "a suspended reply", "B"),),
        floors=("cancels",),
        alone=True,
        rare=True,
    ),
    Measure(
        "million",
        1_000_000,
        million,
        (
            Figure("million-time", "a million idle actors, time to start them"),
            Figure("million-bytes", "a million idle actors, memory", "B"),
        ),
        floors=(),
        loops=("asyncio",),
        quick=False,
        alone=True,
        rare=True,
    ),
)
