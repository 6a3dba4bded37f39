"""Calling an asynchronous manager from synchronous code: on a private event loop, in a thread of its own."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

import anyio

from actors._errors import BlockingCallError, ManagerError
from actors._event_loop import running_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors._cancellation._manager import CancellationManager

T = TypeVar("T")


def refuse_on_event_loop(what: str) -> None:
    """Raise if this thread runs an event loop, which a blocking call would stop.

    Raises:
        BlockingCallError: it does.
    """
    if running_token() is not None:
        raise BlockingCallError(
            f"the synchronous methods of {what} wait for a network and would stop the event loop that runs in this "
            f"thread: await the twin whose name begins with 'a', or call from another thread"
        )


def call_blocking(
    manager: CancellationManager, call: Callable[[CancellationManager], Awaitable[T]], *, backend: str = "asyncio"
) -> T:
    """Make one asynchronous call from synchronous code, and wait for it.

    A connection belongs to the event loop on which it was opened, so each call opens one of its own on a private loop and
    closes it again. That costs a connect, and can never wait for a loop that is waiting for this very thread. The loop runs
    in a thread of its own because ``asyncio.run`` would replace the event loop and the Ctrl-C handler of the caller's.

    Args:
        manager: whose settings to use.
        call: what to do with an opened manager of the same settings.
        backend: the kind of event loop.

    Raises:
        BlockingCallError: this thread runs an event loop.
        ManagerError: it took longer than the manager's ``timeout``.
    """
    refuse_on_event_loop(type(manager).__name__)
    fresh = manager.fresh()
    answer: Future[T] = Future()

    async def connected() -> T:
        async with fresh:
            return await call(fresh)

    async def within_time() -> T:
        try:
            with anyio.fail_after(manager.timeout):
                return await connected()
        except TimeoutError as error:
            raise ManagerError(f"{type(manager).__name__} did not answer within {manager.timeout:g} s") from error

    def in_thread() -> None:
        try:
            answer.set_result(anyio.run(within_time, backend=backend))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            answer.set_exception(error)

    # A daemon: a caller that was stopped by Ctrl-C can leave the interpreter without waiting for the store.
    threading.Thread(target=in_thread, name=f"{type(manager).__name__} blocking call", daemon=True).start()
    return answer.result()
