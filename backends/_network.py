"""What the managers over a network share: by URL or with the application's client, opened when needed, asyncio only."""

from __future__ import annotations

import asyncio
import copy
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from actors._cancellation._health import HealthLog
from actors._cancellation._lifetime import Lifetime
from actors._cancellation._manager import CancellationManager
from actors._compat import override
from actors._errors import BlockingCallError, ManagerError, UsageError
from actors._event_loop import cancelled_from_outside
from actors._logging import get_logger

from ._address import Address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from types import ModuleType

T = TypeVar("T")

logger = get_logger("actors.manager")


class NetworkCancellationManager(CancellationManager):
    """The part that does not depend on the kind of server.

    Each primitive may be used without opening the manager: then it connects for that one call, which is right for a script that
    cancels one run, and slow for anything else.

    Args:
        url: of the server; may hold user and password, which appear in no text.
        client: the application's own, which is used and not closed. Then ``url`` is needed only for the synchronous methods,
            each of which opens a connection on an event loop of its own.
        namespace: keeps apart what shares a server.
        lease: seconds after which a registration that was not renewed counts as its owner's death.
        tombstone: seconds after a run's end in which a late cancel of it is answered ``finished``.
        intent_ttl: seconds that the cancel of a run nobody has registered waits for it.
        capacity: about how many such cancels, and how many tombstones, are kept at most; the oldest go first.
        timeout: seconds that one call to the server may take.
        safety_period: seconds after which the flags are read again while runs are registered, though nothing was heard.
        clock: seconds since the epoch.

    Raises:
        ImportError: the client library is missing; the text names the extra to install.
        ValueError: neither ``url`` nor ``client``, a URL of another kind, or a time that is not positive.
        WrongLoopError: it is used under trio.
    """

    asyncio_only = True
    schemes: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        url: str | None,
        client: Any,
        *,
        namespace: str,
        lease: float,
        tombstone: float,
        intent_ttl: float,
        capacity: int,
        timeout: float,
        safety_period: float,
    ) -> None:
        name = type(self).__name__
        if url is None and client is None:
            raise ValueError(f"{name} needs a url, or a client= that the application has made")
        for what, value in {"lease": lease, "timeout": timeout, "safety_period": safety_period}.items():
            if value <= 0:
                raise ValueError(f"{what} is {value}, and must be more than 0")
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, and must be at least 1")
        self._url = None if url is None else Address.parse(url, self.schemes)
        self._given = client
        self.address = (
            self._url if self._url is not None and client is None else Address.of_a_client(None, self.schemes)
        )
        self.namespace = namespace
        self.lease = lease
        self.tombstone = tombstone
        self.intent_ttl = intent_ttl
        self.capacity = capacity
        self.timeout = timeout
        self.safety_period = safety_period

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.address.shown}, namespace {self.namespace!r}>"

    @override
    def fresh(self) -> Self:
        if self._url is None:
            raise BlockingCallError(
                f"{type(self).__name__} was made with a client, which belongs to its event loop: give it url= as well "
                f"for the synchronous methods, or await the asynchronous ones"
            )
        twin = copy.copy(self)
        twin.lifetime = Lifetime(type(self).__name__, asyncio_only=True)
        twin.health_log = HealthLog()
        twin._given = None
        twin.address = self._url
        return twin

    async def _opened(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call over the connection that there is, or over one for this call alone."""
        self.lifetime.check()
        if self.lifetime.connected:
            return await call()
        async with self:
            return await call()

    @contextmanager
    def _explained(self) -> Generator[None]:
        """Turn what a client library raises into an error of ours."""
        try:
            yield
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and cancelled_from_outside():
                raise
            failure = self._explain(
                error
            )  # also of a cancellation that is the library's own, when it closes a connection
            raise failure from failure.__cause__

    def _log_damaged(self, run_id: str, error: str) -> None:
        """A value that somebody has damaged: it must not cost other runs their cancels."""
        logger.warning("manager_value_damaged", manager=type(self).__name__, run_id=run_id, error=error)

    def _explain(self, error: BaseException) -> BaseException:
        """An error of the client library as one of ours."""
        return (
            error if isinstance(error, (ManagerError, UsageError)) else self.address.failure(type(self).__name__, error)
        )


def client_library(module: str, *, needed_by: str, package: str, extra: str) -> ModuleType:
    """Import a client library.

    Raises:
        ImportError: it is not installed; the text says what to do.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{needed_by} needs {package}, which is not installed: pip install 'bargein[{extra}]'", name=error.name
        ) from error
