"""Where a suspended coroutine hangs, in words."""

from __future__ import annotations

import inspect
from typing import Any


def where_suspended(coroutine: object, *, limit: int = 10) -> str:
    """The places at which a coroutine waits, the innermost first, as ``file:line in function``.

    Args:
        coroutine: a coroutine, generator or asynchronous generator; anything else ends the chain.
        limit: at most so many places, the innermost ones.
    """
    places: list[str] = []
    inner: Any = coroutine
    for _ in range(200):
        frame = _first(inner, "cr_frame", "gi_frame", "ag_frame")
        if frame is None:
            break
        code = frame.f_code
        places.append(f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}")
        inner = _first(inner, "cr_await", "gi_yieldfrom", "ag_await")
        if inner is not None and _first(inner, "cr_frame", "gi_frame", "ag_frame") is None:
            inner = _running_generator(frame) or inner
    if inner is not None and places and not hasattr(inner, "cr_frame"):
        places.append(f"waiting for {type(inner).__name__}")
    return " <- ".join(reversed(places[-limit:])) or "not suspended"


def _running_generator(frame: Any) -> Any:
    """The asynchronous generator that this frame iterates: the awaitable between the two does not lead to it."""
    for value in frame.f_locals.values():
        if inspect.isasyncgen(value) and value.ag_running:
            return value
    return None


def _first(thing: object, *names: str) -> Any:
    for name in names:
        value = getattr(thing, name, None)
        if value is not None:
            return value
    return None
