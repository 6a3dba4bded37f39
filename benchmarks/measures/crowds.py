"""Many actors, or many who ask: fan-out, concurrent askers, a ring, a chain."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import anyio

from benchmarks._bodies import Asks, Echo, Passes, Waits
from benchmarks._measure import Figure, Figures, Measure

if TYPE_CHECKING:
    from benchmarks._stage import Ref, Stage

FAN_OUTS = 3
ASKERS = 1_000
RING = 100
CHAIN = 50


async def fan_out(stage: Stage, count: int) -> Figures:
    """Ask each of ``count`` actors, whose replies suspend once, and wait for all of them."""
    refs = [await stage.spawn(stage.make(Waits)) for _ in range(count)]
    for _ in range(2):  # the first time starts what is kept afterwards
        begin = perf_counter()
        for _ in range(FAN_OUTS):
            for reply in [await ref.request(0) for ref in refs]:
                await reply
    return {"fan-out": (perf_counter() - begin) / (FAN_OUTS * count)}


async def askers(stage: Stage, count: int) -> Figures:
    """A thousand tasks ask one actor, each again as soon as it has its reply."""
    ref = await stage.spawn(stage.make(Echo))
    start = anyio.Event()
    each = max(1, count // ASKERS)
    ends: list[float] = []

    async def asks() -> None:
        await start.wait()
        for number in range(each):
            await ref.ask(number)
        ends.append(perf_counter())

    async with anyio.create_task_group() as group:
        for _ in range(min(count, ASKERS)):
            group.start_soon(asks)
        await stage.native.suspend()
        await stage.native.suspend()
        begin = perf_counter()
        start.set()
    return {"askers": (ends[-1] - begin) / (each * len(ends))}


async def ring(stage: Stage, count: int) -> Figures:
    """A token goes around in a ring of a hundred actors, told by each one to the next."""
    done = anyio.Event()
    refs = await ring_of(stage, RING, Passes, done=done.set)
    begin = perf_counter()
    refs[0].tell_nowait(count - 1)
    await done.wait()
    return {"ring": (perf_counter() - begin) / count}


async def ring_of(stage: Stage, size: int, body: type, **attributes: object) -> list[Ref]:
    """So many actors, each of which has the next one as ``next``."""
    actors = [stage.make(body, **attributes) for _ in range(size)]
    refs = [await stage.spawn(actor) for actor in actors]
    for actor, following in zip(actors, [*refs[1:], refs[0]], strict=True):
        actor.next = following
    await stage.native.suspend()
    return refs


async def chain(stage: Stage, count: int) -> Figures:
    """An actor asks an actor that asks an actor: fifty deep, and the reply comes all the way back."""
    first = await chain_of(stage, CHAIN)
    times = max(1, count // CHAIN)
    await first.ask(0)
    begin = perf_counter()
    for number in range(times):
        await first.ask(number)
    return {"chain": (perf_counter() - begin) / (times * CHAIN)}


async def chain_of(stage: Stage, depth: int) -> Ref:
    """The first of so many actors that ask one another."""
    ref: Ref | None = None
    for _ in range(depth):
        ref = await stage.spawn(stage.make(Asks, next=ref))
    assert ref is not None
    return ref


MEASURES = (
    Measure("fan-out", 1_000, fan_out, (Figure("fan-out", "fan-out to 1,000 that suspend, for each"),)),
    Measure("askers", 5_000, askers, (Figure("askers", "1,000 ask one, for each ask"),), quick=False),
    Measure("ring", 5_000, ring, (Figure("ring", "a token in a ring, for each step"),), floors=("tells",), quick=False),
    Measure("chain", 2_000, chain, (Figure("chain", "asks 50 deep, for each"),), quick=False),
)
