"""Many interrupts at once."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks._bodies import Hangs
from benchmarks._measure import Figure, Figures, Measure

if TYPE_CHECKING:
    from benchmarks._stage import Stage


async def storm(stage: Stage, count: int, *, name: str) -> Figures:
    """``count`` replies hang; interrupt them all, and wait for all the answers."""
    begun: list[None] = []
    refs = [await stage.spawn(stage.make(Hangs, began=partial(begun.append, None))) for _ in range(count)]
    replies = [await ref.request(number) for number, ref in enumerate(refs)]
    while len(begun) < count:
        await stage.native.suspend()
    await stage.native.suspend()
    begin = perf_counter()
    for ref in refs:
        ref.interrupt_nowait()
    for reply in replies:
        await reply
    return {name: (perf_counter() - begin) / count}


def measure(count: int, name: str, *, quick: bool) -> Measure:
    """A storm of that size."""
    return Measure(
        name,
        count,
        partial(storm, name=name),
        (Figure(name, f"{count:,} interrupts at once, for each"),),
        floors=("cancels", "scopes"),
        quick=quick,
        rare=not quick,
    )


MEASURES = (measure(1_000, "storm-1k", quick=True), measure(10_000, "storm-10k", quick=False))
