"""AgentScope 1.x: an agent is called in the caller's own task. There is no mailbox, and so no tell."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any

from agentscope.agent import AgentBase
from agentscope.message import Msg

from benchmarks._figures import percentile
from benchmarks.measures.memory import resident
from benchmarks.peers._peer import Peer, on_asyncio

if TYPE_CHECKING:
    from benchmarks._measure import Figures


class Echo(AgentBase):
    """Replies with what came."""

    async def reply(self, message: Msg) -> Msg:
        return message

    async def handle_interrupt(self, *args: Any, **_kwargs: Any) -> Msg:
        message: Msg = args[0]
        return message


class Waits(Echo):
    """Lets the loop turn once before it replies."""

    async def reply(self, message: Msg) -> Msg:
        await asyncio.sleep(0)
        return message


class Hangs(Echo):
    """Says that it has begun, and hangs."""

    async def reply(self, message: Msg) -> Msg:
        message.metadata["began"].set()
        await asyncio.get_running_loop().create_future()
        return message


async def asks(agent: AgentBase, count: int) -> float:
    message = Msg("user", "hello", "user")
    begin = perf_counter()
    for _ in range(count):
        await agent(message)
    return (perf_counter() - begin) / count


async def ask(count: int) -> Figures:
    return {"ask": await asks(Echo(), count)}


async def ask_suspending(count: int) -> Figures:
    return {"ask-suspending": await asks(Waits(), count)}


async def spawn(count: int) -> Figures:
    begin = perf_counter()
    for _ in range(count):
        Echo()
    return {"spawn": (perf_counter() - begin) / count}


async def interrupt(count: int) -> Figures:
    """It cancels the task of whoever called, and takes that for an interrupt."""
    took: list[float] = []
    agent = Hangs()
    for _ in range(count):
        began = asyncio.Event()
        message = Msg("user", "hello", "user", metadata={"began": began})
        task = asyncio.create_task(agent(message))
        await began.wait()
        await asyncio.sleep(0)
        begin = perf_counter()
        await agent.interrupt()
        await asyncio.wait([task])
        took.append(perf_counter() - begin)
    return {"interrupt-p50": percentile(took, 50), "interrupt-p99": percentile(took, 99)}


async def bytes_idle(count: int) -> Figures:
    before = resident()
    agents = [Echo() for _ in range(count)]
    new = resident()
    message = Msg("user", "hello", "user")
    for agent in agents:
        await agent(message)
    return {"bytes-new": (new - before) / count, "bytes-used": (resident() - before) / count}


WORKS = {"ask": ask, "ask-suspending": ask_suspending, "spawn": spawn, "interrupt": interrupt, "bytes-idle": bytes_idle}
PEER = Peer("agentscope", {name: on_asyncio(work) for name, work in WORKS.items()}, share=0.25)
