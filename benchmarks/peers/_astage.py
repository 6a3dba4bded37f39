"""astage: a task, a queue, a handler by the type of the message."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any

from astage import Actor, handler

from benchmarks.measures.memory import resident
from benchmarks.peers._peer import Peer, on_asyncio

if TYPE_CHECKING:
    from benchmarks._measure import Figures


def with_types(method: Any) -> Any:
    """It looks up handlers by the type of the message itself, not by the type's name."""
    method.__annotations__ = {"message": int, "return": int}
    return method


class Echo(Actor):  # type: ignore[type-arg]
    """Replies with what came, and says when that is a zero."""

    def __init__(self) -> None:
        super().__init__()
        self.done = asyncio.Event()

    async def echo(self, message: int) -> int:
        if not message:
            self.done.set()
        return message

    echo = handler(with_types(echo))


class Waits(Actor):  # type: ignore[type-arg]
    """Lets the loop turn once before it replies."""

    async def echo(self, message: int) -> int:
        await asyncio.sleep(0)
        return message

    echo = handler(with_types(echo))


async def tell(count: int) -> Figures:
    actor = Echo()
    handle = await actor.start()
    begin = perf_counter()
    for number in reversed(range(count)):
        await handle.tell(number)
    await actor.done.wait()
    took = perf_counter() - begin
    await handle.kill()
    return {"tell": took / count}


async def asks(kind: Any, count: int) -> float:
    handle = await kind().start()
    for number in range(count // 10):
        await handle.ask(number)
    begin = perf_counter()
    for number in range(count):
        await handle.ask(number)
    took = perf_counter() - begin
    await handle.kill()
    return took / count


async def ask(count: int) -> Figures:
    return {"ask": await asks(Echo, count)}


async def ask_suspending(count: int) -> Figures:
    return {"ask-suspending": await asks(Waits, count)}


async def spawn(count: int) -> Figures:
    actors = [Echo() for _ in range(count)]
    begin = perf_counter()
    handles = [await actor.start() for actor in actors]
    await asyncio.sleep(0)
    started = perf_counter()
    for handle in handles:
        await handle.kill()
    return {"spawn": (started - begin) / count, "stop": (perf_counter() - started) / count}


async def bytes_idle(count: int) -> Figures:
    before = resident()
    handles = [await Echo().start() for _ in range(count)]
    await asyncio.sleep(0)
    new = resident()
    for handle in handles:
        await handle.ask(1)
    return {"bytes-new": (new - before) / count, "bytes-used": (resident() - before) / count}


WORKS = {"tell": tell, "ask": ask, "ask-suspending": ask_suspending, "spawn": spawn, "bytes-idle": bytes_idle}
PEER = Peer("astage", {name: on_asyncio(work) for name, work in WORKS.items()})
