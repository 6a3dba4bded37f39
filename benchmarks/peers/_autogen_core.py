"""autogen-core, with its runtime for one thread. A tell is a message published to a topic with one subscriber."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from autogen_core import (
    AgentId,
    CancellationToken,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    message_handler,
)

from benchmarks._figures import percentile
from benchmarks.measures.memory import resident
from benchmarks.peers._peer import Peer, on_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks._measure import Figures


@dataclass
class Number:
    """A message."""

    value: int


@dataclass
class Hang:
    """A message whose reply hangs."""

    value: int = 0


def with_types(method: Any, message: type) -> Any:
    """It looks up handlers by the types themselves, not by their names."""
    method.__annotations__ = {"message": message, "ctx": MessageContext, "return": Number}
    return method


class Echo(RoutedAgent):
    """Replies with what came, and says when that is a zero."""

    def __init__(self, done: asyncio.Event) -> None:
        super().__init__("echo")
        self.done = done

    async def on_number(self, message: Number, ctx: MessageContext) -> Number:
        del ctx
        if not message.value:
            self.done.set()
        return message

    async def on_hang(self, message: Hang, ctx: MessageContext) -> Number:
        del ctx
        self.done.set()
        await asyncio.get_running_loop().create_future()
        return Number(message.value)

    on_number = message_handler(with_types(on_number, Number))
    on_hang = message_handler(with_types(on_hang, Hang))


@asynccontextmanager
async def runtime(done: asyncio.Event) -> AsyncIterator[SingleThreadedAgentRuntime]:
    """A runtime that knows the agent."""
    made = SingleThreadedAgentRuntime()
    await Echo.register(made, "echo", lambda: Echo(done))
    made.start()
    try:
        yield made
    finally:
        await made.stop()


async def tell(count: int) -> Figures:
    done = asyncio.Event()
    async with runtime(done) as made:
        await made.add_subscription(TypeSubscription("numbers", "echo"))
        topic = TopicId("numbers", "one")
        begin = perf_counter()
        for number in reversed(range(count)):
            await made.publish_message(Number(number), topic)
        await done.wait()
        return {"tell": (perf_counter() - begin) / count}


async def ask(count: int) -> Figures:
    async with runtime(asyncio.Event()) as made:
        agent = AgentId("echo", "one")
        begin = perf_counter()
        for number in range(count):
            await made.send_message(Number(number), agent)
        return {"ask": (perf_counter() - begin) / count}


async def spawn(count: int) -> Figures:
    async with runtime(asyncio.Event()) as made:
        begin = perf_counter()
        for number in range(count):
            await made.try_get_underlying_agent_instance(AgentId("echo", str(number)), Echo)
        return {"spawn": (perf_counter() - begin) / count}


async def interrupt(count: int) -> Figures:
    """Through a token. The asker has its answer, an error, while the handler may well go on."""
    took: list[float] = []
    began = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # it counts a cancelled message twice
    async with runtime(began) as made:
        agent = AgentId("echo", "one")
        for _ in range(count):
            began.clear()
            token = CancellationToken()
            task = asyncio.create_task(made.send_message(Hang(), agent, cancellation_token=token))
            await began.wait()
            await asyncio.sleep(0)
            begin = perf_counter()
            token.cancel()
            await asyncio.wait([task])
            took.append(perf_counter() - begin)
    return {"interrupt-p50": percentile(took, 50), "interrupt-p99": percentile(took, 99)}


async def bytes_idle(count: int) -> Figures:
    async with runtime(asyncio.Event()) as made:
        before = resident()
        for number in range(count):
            await made.try_get_underlying_agent_instance(AgentId("echo", str(number)), Echo)
        new = resident()
        for number in range(count):
            await made.send_message(Number(1), AgentId("echo", str(number)))
        return {"bytes-new": (new - before) / count, "bytes-used": (resident() - before) / count}


WORKS = {"tell": tell, "ask": ask, "spawn": spawn, "interrupt": interrupt, "bytes-idle": bytes_idle}
PEER = Peer("autogen-core", {name: on_asyncio(work) for name, work in WORKS.items()}, share=0.1)
