"""Exceptions that must leave the system, whoever raised them."""

from __future__ import annotations

from typing import cast


def is_fatal(error: object) -> bool:
    """Whether this is Ctrl-C, an exit, or a generator being closed; also inside groups."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return any(is_fatal(inner) for inner in group.exceptions)
    return isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit))


def is_group(error: object) -> bool:
    """Whether this is an exception group."""
    return isinstance(error, BaseExceptionGroup)
