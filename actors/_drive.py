"""Driving a coroutine in another context than that of the task that awaits it.

asyncio and trio give a context to a task, not to a coroutine. A worker's task runs many replies, each in the context of whoever
asked for it, so each step of the reply's coroutine is taken inside that context.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from contextvars import Context

    from actors._step import Lever


@types.coroutine
def drive(
    lever: Lever, context: Context, coroutine: Coroutine[Any, Any, Any], yielded: Any
) -> Generator[Any, Any, Any]:
    """Await the rest of a coroutine that has taken its first step, and return what it returns.

    A step that refused to end, and is therefore not told of its cancellation over and over again (``lever.quiet``), hears of
    it as soon as it moves on by itself; otherwise a task group of its own could take that cancellation for its own and go on.

    Args:
        lever: the hold on the step.
        context: where each step is taken.
        coroutine: the coroutine.
        yielded: what its first step yielded to the event loop.
    """
    run: Callable[..., Any] = context.run
    send: Callable[[Any], Any] = coroutine.send
    while True:
        call, argument = send, None
        try:
            argument = yield yielded
        except GeneratorExit:
            run(coroutine.close)
            raise
        except BaseException as error:  # noqa: BLE001 - a cancellation: the coroutine's to see
            call, argument = coroutine.throw, error
        if lever.quiet and not _cancels(argument):
            lever.let_hear(hear=True)  # it moves on by itself
        try:
            yielded = run(call, argument)
        except StopIteration as stop:
            return stop.value
        if lever.quiet and _cancels(argument):
            lever.let_hear(hear=False)  # it has heard, and waits on


def _cancels(argument: Any) -> bool:
    """Whether the event loop resumes a coroutine with a cancellation: thrown in on asyncio, sent as an outcome on trio."""
    return isinstance(argument, BaseException) or isinstance(getattr(argument, "error", None), BaseException)
