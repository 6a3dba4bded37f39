"""Exceptions that must leave the system, whoever raised them."""

from __future__ import annotations


def is_fatal(error: BaseException) -> bool:
    """Whether this is Ctrl-C, an exit, or a generator being closed; also inside groups."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_fatal(inner) for inner in error.exceptions)
    return isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit))
