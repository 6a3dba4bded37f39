"""Calling what may fail: a store, through somebody else's client library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import get_cancelled_exc_class

from actors._event_loop import cancelled_from_outside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def survive(call: Callable[[], Awaitable[object]]) -> BaseException | None:
    """Make a call to a store and return what it raised, unless that is a cancellation meant for this task."""
    try:
        await call()
    except get_cancelled_exc_class() as error:
        if cancelled_from_outside():
            raise
        return error
    except Exception as error:  # noqa: BLE001 - whatever a client library raises; the caller logs it
        return error
    return None
