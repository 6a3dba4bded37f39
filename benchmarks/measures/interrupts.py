"""From the interrupt of a reply to whoever asked having its answer."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import anyio

from benchmarks._bodies import Circulates, Hangs
from benchmarks._figures import percentile
from benchmarks._measure import Figure, Figures, Measure
from benchmarks.measures.crowds import ring_of

if TYPE_CHECKING:
    from benchmarks._stage import Ref, Stage


RING = 1_000
TOKENS = 100


class Interrupting:
    """Asks an actor that hangs, and interrupts it: one task asks, another one interrupts.

    Args:
        actor: the actor, made of ``Hangs``, and not started yet.
    """

    def __init__(self, actor: object) -> None:
        self.actor = actor
        self.began = anyio.Event()
        self.ref: Ref | None = None
        self.took: list[float] = []
        self._sent = 0.0

    async def run(self, stage: Stage, count: int, *, between: float | None = None) -> list[float]:
        """Do it so many times, and give how long each took, in seconds."""
        self.actor.began = lambda: self.began.set()  # noqa: PLW0108 - it is renewed # type: ignore[attr-defined]
        self.ref = await stage.spawn(self.actor)
        async with anyio.create_task_group() as group:
            group.start_soon(self._ask, count)
            for _ in range(count):
                await self.began.wait()
                self.began = anyio.Event()
                await (stage.native.suspend() if between is None else anyio.sleep(between))
                self._sent = perf_counter()
                self.ref.interrupt_nowait()
        return self.took

    async def _ask(self, count: int) -> None:
        assert self.ref is not None
        for number in range(count):
            await self.ref.ask(number)
            self.took.append(perf_counter() - self._sent)


async def interrupt(stage: Stage, count: int) -> Figures:
    """One after the other, with nothing else going on."""
    took = await Interrupting(stage.make(Hangs)).run(stage, count)
    return {"interrupt-p50": percentile(took, 50), "interrupt-p99": percentile(took, 99)}


async def interrupt_load(stage: Stage, count: int) -> Figures:
    """The same while a hundred tokens circle in a ring of a thousand actors; one interrupt every millisecond."""
    ring = await ring_of(stage, RING, Circulates)
    for ref in ring[:: RING // TOKENS]:
        ref.tell_nowait(0)
    took = await Interrupting(stage.make(Hangs)).run(stage, count, between=0.001)
    return {"load-p50": percentile(took, 50), "load-p99": percentile(took, 99)}


MEASURES = (
    Measure(
        "interrupt",
        500,
        interrupt,
        (
            Figure("interrupt-p50", "interrupt, half of them within"),
            Figure("interrupt-p99", "interrupt, 99 of 100 within"),
        ),
        floors=("cancels", "scopes"),
    ),
    Measure(
        "load",
        200,
        interrupt_load,
        (
            Figure("load-p50", "interrupt while 100 tokens circle in 1,000 actors, half of them within"),
            Figure("load-p99", "interrupt while 100 tokens circle in 1,000 actors, 99 of 100 within"),
        ),
        floors=("cancels", "scopes"),
        quick=False,
    ),
)
