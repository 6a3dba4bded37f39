"""Reading a run's chunks as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from actors._compat import TypeVar
from actors._current import running
from actors._errors import Interrupted
from actors._thread_check import check_thread
from actors._waiting import begin_wait, end_wait

if TYPE_CHECKING:
    from actors._run import Run

C_co = TypeVar("C_co", covariant=True, default=Any)


class Chunks(Generic[C_co]):
    """Reads a run's chunks from the first on; any number of readers, each at its own pace."""

    __slots__ = ("_position", "_run")

    def __init__(self, run: Run[Any, C_co]) -> None:
        self._run = run
        self._position = 0

    def __aiter__(self) -> Chunks[C_co]:
        return self

    async def __anext__(self) -> C_co:
        run = self._run
        try:
            while True:
                chunks = run._chunks
                if chunks is not None and self._position < len(chunks):
                    chunk: C_co = chunks[self._position]
                    self._position += 1
                    return chunk
                if run.settled:
                    if run._error is not None and not isinstance(run._error, Interrupted):
                        run.result()
                    raise StopAsyncIteration
                await self._more(run)
        finally:
            del run

    async def _more(self, run: Run[Any, C_co]) -> None:
        check_thread(run.cell)
        asker = running()
        if asker is not None:
            begin_wait(asker, run.cell)
        waiter = run.cell.system.new_waiter()
        run.add_reader(waiter)
        try:
            await waiter
        finally:
            run.forget_reader(waiter)
            if asker is not None:
                end_wait(asker, run.cell)
