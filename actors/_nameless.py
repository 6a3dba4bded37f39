"""Cancelling a scope without a word about who did it.

anyio writes the representation of the task that cancels into the text of each cancellation. asyncio makes that with frames,
callbacks and source lines, a sixth of all that an interrupt costs. Where no task is running, nothing is written; so for the
length of the call this thread is in none. (``asyncio._leave_task`` and ``_enter_task`` are asyncio's documented interface for
those who run tasks themselves: https://docs.python.org/3/library/asyncio-extending.html.)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anyio


def cancel_namelessly(scope: anyio.CancelScope, host: asyncio.Task[object] | None) -> None:
    """Cancel the scope.

    Args:
        scope: the scope.
        host: the task that is in it; None on trio, which writes nothing of that kind.
    """
    current = asyncio.current_task() if host is not None else None
    if current is None or current is host:  # a task that cancels itself has to be known as such
        scope.cancel()
        return
    loop = current.get_loop()
    asyncio._leave_task(loop, current)
    try:
        scope.cancel()
    finally:
        asyncio._enter_task(loop, current)
