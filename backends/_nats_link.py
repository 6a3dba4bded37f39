"""A connection to NATS: the application's, or one of our own that is opened anew when it was lost."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from actors._errors import ManagerError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from types import ModuleType

CLOSING_TIME = 1.0
LOOK_PERIOD = 0.25
"""Seconds between two looks at whether an application's client has reconnected, which it does in silence."""


@attrs.define(eq=False)
class NatsLink:
    """Gives out a client that is connected.

    A client of our own is kept from reconnecting by itself: a call that waits for an answer would wait in vain, and whoever
    listens would not be told that he has missed something. It is closed as soon as a call is not answered in time, and opened
    anew by the next one.

    Args:
        nats: the client library.
        url: where to connect; None if there is a client.
        given: the application's client.
        timeout: seconds that connecting, and each call, may take.
    """

    _nats: ModuleType
    _url: str | None = attrs.field(repr=False)
    _given: Any
    _timeout: float
    _own: Any = None
    _lost: anyio.Event = attrs.field(factory=anyio.Event)
    _opening: anyio.Lock = attrs.field(factory=anyio.Lock)
    _under_way: set[anyio.CancelScope] = attrs.field(factory=set[anyio.CancelScope])
    _trouble: list[Exception] = attrs.field(factory=list[Exception])

    @asynccontextmanager
    async def call(self) -> AsyncGenerator[Any]:
        """A context for one call, with a connected client. It ends in time, and as soon as the connection is lost.

        Raises:
            ManagerError: it was lost, or did not answer.
        """
        client: Any = None
        heard = 0
        with anyio.move_on_after(self._timeout) as scope:
            client = await self.client()
            heard = client.stats["in_msgs"]
            self._under_way.add(scope)
            try:
                yield client
                return
            finally:
                self._under_way.discard(scope)
        if anyio.current_time() < scope.deadline:
            raise ManagerError("the connection to NATS was lost in the middle of a call")
        if client is not None and client is self._own and client.stats["in_msgs"] == heard:  # else it is only busy
            await self.drop()
        raise ManagerError(f"no answer from NATS within {self._timeout:g} s")

    async def client(self) -> Any:
        """The connected client."""
        if self._given is not None:
            if not self._given.is_connected:
                raise ManagerError("the application's NATS client is not connected at the moment")
            return self._given
        if self._own is None or not self._own.is_connected:
            async with self._opening:
                if self._own is None or not self._own.is_connected:
                    await self.drop()
                    self._own = await self._open()
        return self._own

    async def _open(self) -> Any:
        lost = self._lost = anyio.Event()
        self._trouble.clear()

        async def note(error: Exception) -> None:
            self._trouble[:] = [error]

        async def lose() -> None:
            if lost.is_set():  # by drop(), which closes it
                return
            lost.set()
            for scope in list(self._under_way):
                scope.cancel()
            # In the client's own task, which would reconnect now: it is held here until the client is closed. (Forbidden to
            # reconnect, nats-py would close itself, trip over what it could not send, and forget to call us.)
            await anyio.sleep_forever()

        client = self._nats.NATS()
        try:
            with anyio.fail_after(self._timeout):
                await client.connect(
                    self._url,
                    name="bargein",
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=self._timeout,
                    error_cb=note,  # the default writes whole traces to the log of the library
                    disconnected_cb=lose,
                )
        except BaseException as error:
            lost.set()
            await _close(client)
            if isinstance(error, Exception) and self._trouble:  # "no servers available" says nothing
                raise self._trouble[0] from error
            raise
        return client

    def loss(self) -> Callable[[], Awaitable[None]]:
        """Something to wait with until the connection that there is now has been lost, also if it has been renewed since."""
        if self._given is None:
            return self._lost.wait
        client, reconnects = self._given, self._given.stats["reconnects"]

        async def look() -> None:
            while client.is_connected and client.stats["reconnects"] == reconnects:  # noqa: ASYNC110 - there is no event
                await anyio.sleep(LOOK_PERIOD)

        return look

    async def drop(self) -> None:
        """Close a client of our own; the next call opens another."""
        client, self._own = self._own, None
        if client is not None:
            self._lost.set()
            await _close(client)


async def _close(client: Any) -> None:
    # What could not be sent is not sent any more: nats-py would try to, fail, and leave its tasks behind.
    client._pending, client._pending_data_size = [], 0
    with anyio.move_on_after(CLOSING_TIME, shield=True), suppress(Exception):  # it is given up in any case
        await client.close()
