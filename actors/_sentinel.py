"""Seeing at once, and for next to nothing, that the system itself is being cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors._waiter import Waiter


class Sentinel:
    """One parked task in the workers' group: a cancellation that reaches it has reached the system.

    ``anyio.current_effective_deadline()`` says the same for 2.4 µs a look, too much for each message, and it can be wrong inside
    a reply that has left a cancel scope open. A look at the sentinel's wait costs 0.04 µs, and sees a cancellation in the tick
    in which it is ordered, on all event loops.

    Args:
        new_waiter: makes waiters for the system's event loop.
    """

    def __init__(self, new_waiter: Callable[[], Waiter]) -> None:
        self._new_waiter = new_waiter
        self.wait = new_waiter()
        self._host: asyncio.Task[Any] | None = None
        self._cancelling = 0

    def watch_host(self) -> None:
        """The calling task is the one that hosts the system."""
        try:
            self._host = asyncio.current_task()
        except RuntimeError:
            return  # trio, where nothing but scopes can cancel it
        if self._host is not None:
            self._cancelling = self._host.cancelling()

    def forget_host(self) -> None:
        """The system is ending. A task that was cancelled keeps the frames through which it unwound."""
        self._host = None

    def host_cancelled(self) -> bool:
        """Whether the host is being cancelled natively: see ``let_host_unwind``."""
        return self._host is not None and self._host.cancelling() > self._cancelling

    async def let_host_unwind(self) -> None:
        """Called before ``handle_interrupt`` if the host was cancelled natively in the same tick: that one wins.

        Whether that cancellation will end the system is known when it has unwound that far: a tick or two later it has, or
        something inside the block has dealt with it (``asyncio.timeout``).
        """
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()

    def alarmed(self) -> bool:
        """Whether the system is being cancelled. A native cancellation of the sentinel itself is a false alarm, for a tick."""
        return self.wait.cancelled()

    async def run(self) -> None:
        """The task; started again after a false alarm."""
        self.wait = self._new_waiter()
        await self.wait
