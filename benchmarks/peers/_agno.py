"""agno, with a model that answers at once; interrupted while it streams a chunk every 50 ms. There is no mailbox, and no tell."""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

from agno.agent import Agent
from agno.models.base import Model
from agno.models.response import ModelResponse

from benchmarks._figures import percentile
from benchmarks.peers._peer import Peer, on_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks._measure import Figures

CHUNKS, EVERY = 20, 0.05
INTERRUPT_AT = 3  # events of the stream


class Quick(Model):
    """A model that has its answer ready."""

    def invoke(self, *_args: Any, **_options: Any) -> ModelResponse:
        return ModelResponse(role="assistant", content="hello")

    async def ainvoke(self, *_args: Any, **_options: Any) -> ModelResponse:
        return ModelResponse(role="assistant", content="hello")

    def invoke_stream(self, *_args: Any, **_options: Any) -> Iterator[ModelResponse]:
        yield ModelResponse(role="assistant", content="hello")

    async def ainvoke_stream(self, *_args: Any, **_options: Any) -> AsyncIterator[ModelResponse]:
        for _ in range(CHUNKS):
            await asyncio.sleep(EVERY)
            yield ModelResponse(role="assistant", content="hello ")

    def _parse_provider_response(self, response: Any, **_options: Any) -> ModelResponse:
        found: ModelResponse = response
        return found

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        found: ModelResponse = response
        return found


def agent() -> Agent:
    logging.getLogger("agno").setLevel(logging.ERROR)
    return Agent(model=Quick(id="quick"), telemetry=False)


async def ask(count: int) -> Figures:
    asked = agent()
    begin = perf_counter()
    for _ in range(count):
        await asked.arun("hello")
    return {"ask": (perf_counter() - begin) / count}


async def interrupt(count: int) -> Figures:
    """It looks at its flag between two chunks."""
    took: list[float] = []
    asked = agent()
    for number in range(count):
        run_id, begin, seen = f"run-{number}", 0.0, 0
        async for _event in asked.arun("hello", stream=True, run_id=run_id):
            seen += 1
            if seen == INTERRUPT_AT:
                begin = perf_counter()
                await Agent.acancel_run(run_id)
        took.append(perf_counter() - begin)
    return {"interrupt-p50": percentile(took, 50), "interrupt-p99": percentile(took, 99)}


PEER = Peer("agno", {"ask": on_asyncio(ask), "interrupt": on_asyncio(interrupt)}, share=0.02)
