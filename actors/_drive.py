"""Driving a coroutine in another context than that of the task that awaits it.

asyncio and trio give a context to a task, not to a coroutine. A worker's task runs many replies, each in the context of whoever
asked for it, so each step of the reply's coroutine is taken inside that context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator
    from contextvars import Context


class Drive:
    """Awaits the rest of a coroutine that has taken its first step, and returns what it returns.

    Args:
        context: where each step is taken.
        coroutine: the coroutine.
        yielded: what its first step yielded to the event loop.
    """

    __slots__ = ("_context", "_coroutine", "_yielded")

    def __init__(self, context: Context, coroutine: Coroutine[Any, Any, Any], yielded: Any) -> None:
        self._context = context
        self._coroutine = coroutine
        self._yielded = yielded

    def __await__(self) -> Generator[Any, Any, Any]:
        run, send, throw = self._context.run, self._coroutine.send, self._coroutine.throw
        yielded = self._yielded
        while True:
            try:
                sent = yield yielded
            except GeneratorExit:
                run(self._coroutine.close)
                raise
            except BaseException as error:  # noqa: BLE001 - a cancellation: the coroutine's to see
                try:
                    yielded = run(throw, error)
                except StopIteration as stop:
                    return stop.value
            else:
                try:
                    yielded = run(send, sent)
                except StopIteration as stop:
                    return stop.value
