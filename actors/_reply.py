"""Making one coroutine of whatever an actor's method returns."""

from __future__ import annotations

import inspect
from types import CoroutineType
from typing import TYPE_CHECKING, Any, cast
from weakref import ref

from actors._current import current_run
from actors._run import REPLYING

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from actors._actor import Actor
    from actors._run import Run


def reply_coroutine(actor: Actor[Any, Any, Any], run: Run[Any, Any]) -> Coroutine[Any, Any, Any]:
    """The actor's reply to the run's message, to be driven, in the context in which this is called.

    Whatever ``reply`` itself raises comes out of here.
    """
    current_run.set(ref(run))
    run.phase = REPLYING
    run.started = True
    answer: Any = actor.reply(run.message)
    kind = type(answer)  # pyright: ignore[reportUnknownVariableType]  # of Any
    if kind is CoroutineType:
        return answer  # type: ignore[no-any-return]  # a cast would be a call, for each message
    if hasattr(answer, "__aiter__"):
        return _read(actor, run, answer)
    return coroutine_of(answer, actor, "reply", " or an async generator")


def coroutine_of(
    answer: Any, actor: Actor[Any, Any, Any], method: str, otherwise: str = ""
) -> Coroutine[Any, Any, Any]:
    """What the method of that name has returned, as a coroutine.

    Raises:
        TypeError: it is nothing to wait for.
    """
    if type(answer) is CoroutineType:
        return cast("Coroutine[Any, Any, Any]", answer)
    if inspect.isawaitable(answer):
        return _wait(answer)
    raise TypeError(
        f"{type(actor).__qualname__}.{method} must be an async def{otherwise}, but calling it returned {answer!r}"
    )


async def _read(actor: Actor[Any, Any, Any], run: Run[Any, Any], chunks: Any) -> Any:
    """Emit each chunk, close the generator in every case, and assemble the reply."""
    try:
        async for chunk in chunks:
            run.emit(chunk)
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
    return actor.assemble(run.partial)


async def _wait(answer: Any) -> Any:
    return await answer
