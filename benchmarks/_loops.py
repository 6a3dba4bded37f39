"""The event loops on which everything is measured."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

LOOPS = ("asyncio", "uvloop", "trio")


def run(loop: str, function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run a function on a loop of its own that is closed afterwards, so that no sample meets what another has left."""
    if loop == "trio":
        return anyio.run(function, *args, backend="trio")
    return anyio.run(function, *args, backend="asyncio", backend_options={"use_uvloop": loop == "uvloop"})


@attrs.frozen
class Native:
    """The two ways in which a reply can wait, without a layer in between.

    Args:
        suspend: let the loop turn once.
        forever: wait until one is cancelled.
    """

    suspend: Callable[[], Awaitable[None]]
    forever: Callable[[], Awaitable[None]]


def native(loop: str) -> Native:
    """What the loop itself has to offer."""
    if loop == "trio":
        import trio  # noqa: PLC0415 - optional

        return Native(trio.lowlevel.checkpoint, trio.sleep_forever)
    return Native(partial(asyncio.sleep, 0), _forever)


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()
