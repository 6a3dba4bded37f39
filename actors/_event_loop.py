"""Holding on to an event loop: to tell whether it is the one that runs here, and to hand it work from any thread."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING, Any

import anyio
import attrs
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.lowlevel import EventLoopToken


@attrs.frozen(eq=False)
class EventLoop:
    """One event loop and the thread that runs it.

    Args:
        token: anyio's token for it.
        thread_id: the thread that runs it.
    """

    token: EventLoopToken
    thread_id: int

    def runs_here(self) -> bool:
        """Whether the calling thread is the loop's own."""
        return threading.get_ident() == self.thread_id

    def call_soon(self, call: Callable[..., object], *args: object) -> bool:
        """Have the loop make a call, from any thread, without waiting for it.

        ``anyio.from_thread.run_sync`` waits, and so would hang a thread that the loop's own thread is waiting for.

        Returns:
            False if the loop is closed: then nothing will be called.
        """
        native: Any = self.token.native_token
        # A native token is asyncio's loop or trio's token; each has its own name for the same thing.
        hand_over = native.call_soon_threadsafe if hasattr(native, "call_soon_threadsafe") else native.run_sync_soon
        try:
            hand_over(call, *args)
        except RuntimeError:  # asyncio: "Event loop is closed"; trio: RunFinishedError
            return False
        return True


def current_event_loop() -> EventLoop:
    """The event loop that runs in this thread.

    Raises:
        anyio.NoEventLoopError: there is none.
    """
    return EventLoop(current_token(), threading.get_ident())


def running_token() -> EventLoopToken | None:
    """The token of the event loop that runs in this thread, or None. Works in synchronous code too."""
    try:
        return current_token()
    except RuntimeError:  # also what asyncio says in a thread that inherited the context of a task (asyncio.to_thread)
        return None


def on_trio() -> bool:
    """Whether the event loop that runs in this thread is trio's."""
    token = running_token()
    return token is not None and not hasattr(token.native_token, "call_soon_threadsafe")


def cancelled_from_outside() -> bool:
    """Whether the cancellation that is unwinding this task was meant for it: call it where that was caught.

    A client library can also raise the cancelled exception by itself (it awaited a cancelled future, or re-raised a new
    one). That one is a failure of the library: passed on, it would silently end the task group around it.
    """
    if anyio.current_effective_deadline() == -math.inf:
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:  # trio, whose users cannot raise the exception
        return True
    return task is None or task.cancelling() > 0
