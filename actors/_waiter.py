"""Parking one task until somebody wakes it, and the time: the two primitives that differ between asyncio and trio.

``anyio.Event`` does the same for 2 µs more per ask (it looks up the backend, and wraps an event that makes a future), so
waiting for a reply uses a bare future on asyncio and a reschedule on trio, both public API.
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
    """One task waits (``await waiter``), once; anybody on the loop's thread ends that with ``wake(waiter)``.

    Woken before the wait began, it does not wait at all. The methods are those of ``asyncio.Future``, which is one.
    """

    def done(self) -> bool:
        """Whether the wait has been ended, by a wake or by a cancellation."""
        ...

    def cancelled(self) -> bool:
        """Whether the wait was ended by a cancellation. Seen at once, before the waiting task runs again."""
        ...

    def set_result(self, result: None, /) -> None:
        """End the wait, which has not been ended yet: see ``wake``."""
        ...

    def __await__(self) -> Generator[Any, Any, None]: ...


def wake(waiter: Waiter) -> None:
    """End the wait, unless that has happened already."""
    if not waiter.done():
        waiter.set_result(None)


class TrioWaiter:
    """A task that waits to be rescheduled."""

    __slots__ = ("_cut", "_lowlevel", "_task", "_woken")

    def __init__(self, lowlevel: Any) -> None:
        self._lowlevel = lowlevel
        self._task: trio.lowlevel.Task | None = None
        self._woken = False
        self._cut = False

    def done(self) -> bool:
        return self._woken or self._cut

    def cancelled(self) -> bool:
        return self._cut

    def set_result(self, _result: None) -> None:
        self._woken = True
        if self._task is not None:
            task, self._task = self._task, None
            self._lowlevel.reschedule(task)

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
        return native.create_future
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
