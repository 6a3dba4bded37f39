"""Sections in which an interrupt waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio.lowlevel

from actors._interrupt import cut
from actors._run import Phase

if TYPE_CHECKING:
    from types import TracebackType

    from actors._run import Run


class Protected:
    """What ``self.context.protect()`` returns: an async context manager; nests."""

    __slots__ = ("_run",)

    def __init__(self, run: Run[Any, Any]) -> None:
        self._run = run

    async def __aenter__(self) -> None:
        self._run.protected += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run = self._run
        run.protected -= 1
        if run.protected == 0 and run.request is not None and run.phase is Phase.REPLYING:
            cut(run)
            if error is None:
                await anyio.lowlevel.checkpoint()  # the deferred interrupt takes effect here
