"""Tasks that work for the system rather than for one reply."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from actors._fatal import errors_beside_cancellation, is_fatal
from actors._logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Context

    from anyio.abc import TaskGroup

logger = get_logger("actors.background")


class Background:
    """Starts tasks in a group of the system's, and keeps what goes wrong in them from ending the system.

    On asyncio a child that ends with a cancellation of its own takes its whole task group down, without any exception. So
    each task here has a host with a group around it.

    Args:
        group: the task group.
        context: the context in which tasks run: the system's own, not that of whoever happened to need them.
    """

    def __init__(self, group: TaskGroup, context: Context) -> None:
        self._group = group
        self._context = context

    def start(
        self,
        work: Callable[[], Awaitable[None]],
        name: str,
        *,
        again: bool = False,
        context: Context | None = None,
        after: Callable[[], None] | None = None,
    ) -> None:
        """Run ``work`` until it returns.

        Args:
            work: the async function.
            name: what to call it in the log.
            again: start it again if somebody cancels it natively.
            context: the context to run it in, instead of the system's.
            after: called when it has ended, in whatever way.
        """
        (context or self._context).run(self._group.start_soon, _host, work, name, again, after)


async def _host(work: Callable[[], Awaitable[None]], name: str, again: bool, after: Callable[[], None] | None) -> None:  # noqa: FBT001 - start_soon passes no keywords
    try:
        while not await _hosted(work, name) and again:
            logger.warning(
                "background.cancelled", task=name, hint="somebody cancelled it natively; it is started again"
            )
    finally:
        if after is not None:
            after()


async def _hosted(work: Callable[[], Awaitable[None]], name: str) -> bool:
    """Whether the work came to an end of its own."""
    ended = False

    async def run() -> None:
        nonlocal ended
        try:
            await work()
        except Exception as error:
            logger.error("background.failed", task=name, exc_info=error)
        ended = True

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
    except BaseException as error:
        if is_fatal(error) or anyio.current_effective_deadline() == -math.inf:
            raise
        if isinstance(error, Exception) or errors_beside_cancellation(error) is not None:
            logger.error("background.failed", task=name, exc_info=error)
    return ended
