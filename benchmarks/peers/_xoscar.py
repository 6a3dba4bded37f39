"""xoscar, with a pool in this process alone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

import xoscar

from benchmarks._figures import percentile
from benchmarks.measures.memory import resident
from benchmarks.peers._peer import Peer, on_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks._measure import Figures


class Echo(xoscar.Actor):  # type: ignore[misc]
    """Replies with what came, and says when that is a zero."""

    def __init__(self, done: asyncio.Event | None = None) -> None:
        super().__init__()
        self.done = done

    async def echo(self, message: int) -> int:
        if not message and self.done is not None:
            self.done.set()
        return message

    async def waits(self, message: int) -> int:
        await asyncio.sleep(0)
        return message

    async def hang(self) -> None:
        assert self.done is not None
        self.done.set()
        await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def pool() -> AsyncIterator[str]:
    """The address of a pool."""
    made = await xoscar.create_actor_pool("127.0.0.1", n_process=0)
    async with made:
        yield made.external_address


async def tell(count: int) -> Figures:
    async with pool() as address:
        done = asyncio.Event()
        ref = await xoscar.create_actor(Echo, done, address=address)
        begin = perf_counter()
        for number in reversed(range(count)):
            await ref.echo.tell(number)
        await done.wait()
        return {"tell": (perf_counter() - begin) / count}


async def asks(name: str, count: int) -> float:
    async with pool() as address:
        method = getattr(await xoscar.create_actor(Echo, address=address), name)
        begin = perf_counter()
        for number in range(count):
            await method(number)
        return (perf_counter() - begin) / count


async def ask(count: int) -> Figures:
    return {"ask": await asks("echo", count)}


async def ask_suspending(count: int) -> Figures:
    return {"ask-suspending": await asks("waits", count)}


async def spawn(count: int) -> Figures:
    async with pool() as address:
        begin = perf_counter()
        refs = [await xoscar.create_actor(Echo, address=address) for _ in range(count)]
        started = perf_counter()
        for ref in refs:
            await xoscar.destroy_actor(ref)
        return {"spawn": (started - begin) / count, "stop": (perf_counter() - started) / count}


async def interrupt(count: int) -> Figures:
    """Cancel the task that asks: xoscar cancels the reply and waits for its end."""
    took: list[float] = []
    async with pool() as address:
        began = asyncio.Event()
        ref = await xoscar.create_actor(Echo, began, address=address)
        for _ in range(count):
            began.clear()
            task: asyncio.Task[Any] = asyncio.create_task(_call(ref))
            await began.wait()
            await asyncio.sleep(0)
            begin = perf_counter()
            task.cancel()
            await asyncio.wait([task])
            took.append(perf_counter() - begin)
    return {"interrupt-p50": percentile(took, 50), "interrupt-p99": percentile(took, 99)}


async def _call(ref: Any) -> None:
    await ref.hang()


async def bytes_idle(count: int) -> Figures:
    async with pool() as address:
        before = resident()
        refs = [await xoscar.create_actor(Echo, address=address) for _ in range(count)]
        new = resident()
        for ref in refs:
            await ref.echo(1)
        return {"bytes-new": (new - before) / count, "bytes-used": (resident() - before) / count}


WORKS = {
    "tell": tell,
    "ask": ask,
    "ask-suspending": ask_suspending,
    "spawn": spawn,
    "interrupt": interrupt,
    "bytes-idle": bytes_idle,
}
PEER = Peer("xoscar", {name: on_asyncio(work) for name, work in WORKS.items()}, share=0.25)
