"""The managers over a network, and how an application makes a client of its own for each."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import nats
import pytest
import redis.asyncio
import uvloop

from actors.backends import NATSCancellationManager, PostgresCancellationManager, RedisCancellationManager

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MANAGERS: dict[str, Any] = {
    "redis": RedisCancellationManager,
    "postgres": PostgresCancellationManager,
    "nats": NATSCancellationManager,
}
KINDS = list(MANAGERS)

ASYNCIO = [
    pytest.param(("asyncio", {}), id="asyncio"),
    pytest.param(("asyncio", {"loop_factory": uvloop.new_event_loop}), id="uvloop"),
]
"""The event loops on which their client libraries run."""


@asynccontextmanager
async def own_client(kind: str, url: str) -> AsyncIterator[Any]:
    """A client as an application has it."""
    match kind:
        case "redis":
            client = redis.asyncio.Redis.from_url(url, decode_responses=True)
            try:
                yield client
            finally:
                await client.aclose()
        case "postgres":
            async with asyncpg.create_pool(url, min_size=1, max_size=5) as pool:
                yield pool
        case "nats":
            connection = await nats.connect(url, reconnect_time_wait=0.1, max_reconnect_attempts=-1)
            try:
                yield connection
            finally:
                await connection.close()
