"""A way to a server that can be made slow, cut, or silent, while the server itself is well."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import anyio
import anyio.abc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class Proxy:
    """Passes on what it gets to a port of this machine.

    Attributes:
        delay: seconds that each piece takes on its way, in each direction.
        silent: nothing is passed on, and nobody is told.
        refusing: whoever connects is cut off at once.
        connections: how many there are.
    """

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.port = 0
        self.delay = 0.0
        self.refusing = False
        self._speaking = anyio.Event()
        self._speaking.set()
        self._scopes: set[anyio.CancelScope] = set()

    @property
    def connections(self) -> int:
        return len(self._scopes)

    def url(self, url: str) -> str:
        """The same server, on the way through here."""
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"))

    def cut(self) -> None:
        """End all connections."""
        for scope in list(self._scopes):
            scope.cancel()

    @property
    def silent(self) -> bool:
        return not self._speaking.is_set()

    @silent.setter
    def silent(self, silent: bool) -> None:
        if silent:
            self._speaking = anyio.Event()
        else:
            self._speaking.set()

    async def _serve(self, client: anyio.abc.SocketStream) -> None:
        async with client:
            if self.refusing:
                return
            try:
                server = await anyio.connect_tcp("127.0.0.1", self.to_port)
            except OSError:
                return
            async with server:
                with anyio.CancelScope() as scope:
                    self._scopes.add(scope)
                    try:
                        async with anyio.create_task_group() as group:
                            group.start_soon(self._pass_on, client, server, scope)
                            group.start_soon(self._pass_on, server, client, scope)
                    finally:
                        self._scopes.discard(scope)

    async def _pass_on(
        self, one: anyio.abc.SocketStream, other: anyio.abc.SocketStream, scope: anyio.CancelScope
    ) -> None:
        try:
            async for piece in one:
                if self.delay:
                    await anyio.sleep(self.delay)
                await self._speaking.wait()
                await other.send(piece)
        except BROKEN:
            pass
        scope.cancel()


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    """A proxy on a port of its own, on this event loop."""
    proxy = Proxy(port)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no database
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, proxy._serve)
        try:
            yield proxy
        finally:
            group.cancel_scope.cancel()
