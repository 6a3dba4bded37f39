"""Parking one task until somebody wakes it, and the time: the two primitives that differ between asyncio and trio.

``anyio.Event`` does the same for 2 µs more per ask (it looks up the backend, and wraps an event that makes a future), so
waiting for a reply uses a future on asyncio and a reschedule on trio, both public API.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import trio
    from anyio.lowlevel import EventLoopToken


class Waiter(Protocol):
    """One task waits (``await waiter``), once; anybody on the loop's thread wakes it, at any time, any number of times."""

    def wake(self) -> None:
        """End the wait; before the wait began, it will not wait at all."""
        ...

    def cut(self) -> bool:
        """Whether the wait was ended by a cancellation. Seen at once, before the waiting task runs again."""
        ...

    def __await__(self) -> Generator[Any, Any, None]: ...


class AsyncioWaiter:
    """A future."""

    __slots__ = ("_future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._future: asyncio.Future[None] = loop.create_future()

    def wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    def cut(self) -> bool:
        return self._future.cancelled()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._future.__await__()


class TrioWaiter:
    """A task that waits to be rescheduled."""

    __slots__ = ("_cut", "_lowlevel", "_task", "_woken")

    def __init__(self, lowlevel: Any) -> None:
        self._lowlevel = lowlevel
        self._task: trio.lowlevel.Task | None = None
        self._woken = False
        self._cut = False

    def wake(self) -> None:
        if self._woken:
            return
        self._woken = True
        if self._task is not None:
            task, self._task = self._task, None
            self._lowlevel.reschedule(task)

    def cut(self) -> bool:
        return self._cut

    def __await__(self) -> Generator[Any, Any, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        if self._woken:
            await self._lowlevel.checkpoint()
            return
        self._task = self._lowlevel.current_task()
        await self._lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _raise_cancel: object) -> Any:
        self._task = None
        self._cut = True
        return self._lowlevel.Abort.SUCCEEDED


def waiter_factory() -> Callable[[], Waiter]:
    """The way to make waiters on the event loop that is running now."""
    token: EventLoopToken = current_token()
    native = token.native_token
    if isinstance(native, asyncio.AbstractEventLoop):
        return lambda: AsyncioWaiter(native)
    import trio  # noqa: PLC0415 - optional: this is where it is in use already

    return lambda: TrioWaiter(trio.lowlevel)


def clock() -> Callable[[], float]:
    """The clock of the event loop that is running now, in seconds.

    ``anyio.current_time()`` tells the same, but not in a callback of asyncio's loop (a signal handler, a call from another
    thread), which runs in no task.
    """
    native = current_token().native_token
    if isinstance(native, asyncio.AbstractEventLoop):
        return native.time
    import trio  # noqa: PLC0415 - optional: this is where it is in use already

    return trio.current_time
