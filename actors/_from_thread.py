"""Using an actor from a thread without an event loop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.from_thread

from actors._errors import BlockingCallError
from actors._event_loop import running_token

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from actors._cell import Cell

T = TypeVar("T")


def from_thread(cell: Cell, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Make the call on the system's event loop, and block the calling thread until it has ended.

    Raises:
        BlockingCallError: if the calling thread runs an event loop, which it would block.
    """
    if threading.get_ident() == cell.system.thread or running_token() is not None:
        raise BlockingCallError(
            f"a *_from_thread form of {cell.path} was called on a thread that runs an event loop, and would block it; "
            f"await the form without _from_thread",
            ref=cell.ref,
        )
    return anyio.from_thread.run(call, token=cell.system.token)
