"""Reading a reply as it comes, as a block that owns the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

import anyio

from actors._compat import TypeVar
from actors._current import running
from actors._interrupt import GRACE, asker_gone
from actors._waiting import waits_for_itself

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from actors._run import Run

R_co = TypeVar("R_co", covariant=True, default=Any)
C_co = TypeVar("C_co", covariant=True, default=Any)


class Stream(Generic[R_co, C_co]):
    """What ``ref.stream(...)`` returns: an async context manager that gives the run.

    No cancel scope is open while the block runs (PEP 789).
    """

    __slots__ = ("_request", "_run")

    def __init__(self, request: Callable[[], Awaitable[Run[R_co, C_co]]]) -> None:
        self._request = request
        self._run: Run[R_co, C_co] | None = None

    async def __aenter__(self) -> Run[R_co, C_co]:
        self._run = await self._request()
        return self._run

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run, self._run = self._run, None
        if run is None or run.settled:
            return
        asker = running()
        asker_gone(run, asker, "disconnected")
        if error is None and not waits_for_itself(run.cell):
            with anyio.move_on_after(GRACE):
                await run.wait_unwatched()
