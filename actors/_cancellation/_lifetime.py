"""When a manager is connected: counted, so that several systems and a user can share it, and bound to one event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import attrs
from anyio.lowlevel import current_token

from actors._cancellation._survive import survive
from actors._errors import WrongLoopError
from actors._event_loop import on_trio, running_token
from actors._logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.lowlevel import EventLoopToken

CLOSING_TIME = 2.0
"""Seconds that disconnecting may take; after that the connection is left to its fate."""

logger = get_logger("actors.manager")


@attrs.define(eq=False)
class Lifetime:
    """Who uses a manager, on which event loop, and whether it is connected.

    The first user binds it to the event loop that runs; the last one disconnects it and sets it free again. A user who
    entered the manager with ``async with`` is one of those counted, so a system that is done never closes it on him.

    Args:
        name: of the manager, for error texts.
        asyncio_only: its client library runs on asyncio alone.
    """

    name: str
    asyncio_only: bool = attrs.field(default=False, kw_only=True)
    users: int = 0
    connected: bool = False
    _token: EventLoopToken | None = None
    _lock: anyio.Lock | None = None

    def check(self) -> None:
        """Raise if the manager is open on another event loop than the one that runs here, or cannot be used on that.

        Raises:
            WrongLoopError: so it is.
        """
        if self.asyncio_only and on_trio():
            raise WrongLoopError(
                f"{self.name} needs asyncio, because its client library does, and this is trio: use a manager over a file "
                f"here, or the synchronous methods, from a thread that runs no event loop"
            )
        if self.users and self._token != running_token():
            raise WrongLoopError(
                f"{self.name} is open on another event loop: give each event loop a manager of its own, "
                f"or use the synchronous methods, from a thread that runs no event loop"
            )

    def join(self) -> None:
        """Count one more user.

        Raises:
            WrongLoopError: those before are on another event loop, or it cannot be used on this one.
        """
        self.check()
        if not self.users:
            self._token = current_token()
            self._lock = anyio.Lock()
        self.users += 1

    async def ensure(self, connect: Callable[[], Awaitable[None]]) -> None:
        """Connect if nobody has. Several that come at once wait for the first; if it fails, the next one tries again."""
        if self.connected:
            return
        assert self._lock is not None, "join() comes first"
        async with self._lock:
            if not self.connected:
                await connect()
                self.connected = True

    async def leave(self, disconnect: Callable[[], Awaitable[None]]) -> None:
        """One user less; the last one disconnects. Not cut short by a cancellation, bounded in time; a failure is logged."""
        assert self._lock is not None, "join() comes first"
        try:
            with anyio.move_on_after(CLOSING_TIME, shield=True):
                async with self._lock:
                    if self.users == 1 and self.connected:  # nobody joined while we waited for the lock
                        self.connected = False
                        error = await survive(disconnect)
                        if error is not None:
                            logger.warning("manager_not_disconnected", manager=self.name, error=repr(error))
        finally:
            self.users -= 1
            if not self.users:
                self._token = None
