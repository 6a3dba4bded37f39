"""Looking into exceptions and groups of them: what must leave the system, what is a cancellation, what is neither."""

from __future__ import annotations

from typing import cast

from anyio import get_cancelled_exc_class


def is_fatal(error: object) -> bool:
    """Whether this must leave the system: Ctrl-C, an exit, anything but an `Exception` or a cancellation; also in groups."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return any(is_fatal(inner) for inner in group.exceptions)
    return isinstance(error, BaseException) and not isinstance(error, (Exception, get_cancelled_exc_class()))


def is_group(error: object) -> bool:
    """Whether this is an exception group."""
    return isinstance(error, BaseExceptionGroup)


def errors_beside_cancellation(error: BaseException) -> BaseException | None:
    """What of a group is no cancellation, as a group; None if there is nothing of that kind in it, or it is no group."""
    if not isinstance(error, BaseExceptionGroup):
        return None
    group = cast("BaseExceptionGroup[BaseException]", error)
    return group.split(get_cancelled_exc_class())[1]
