"""How steps are run: the one place that opens the scope of a reply.

The executor has one narrow interface: ``schedule`` a cell that has something to do. It then asks the cell for steps, runs each
in a task of its own inside a task group of its own, and tells the cell how each came out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio

from actors._fatal import is_fatal
from actors._step import Ending
from actors._where import where_suspended

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from contextvars import Context

    from anyio.abc import TaskGroup

    from actors._cell import Cell
    from actors._waiter import Waiter


class _Hold:
    """The hold on one step: two scopes, one inside the other.

    The outer one is cancelled; shielding the inner one stops the delivery to a step that refuses to end.
    """

    def __init__(self, cell: Cell, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.cell = cell
        self.coroutine = coroutine
        self.outer = anyio.CancelScope()
        self.inner = anyio.CancelScope()
        self.ending = Ending.STRAY  # unless the step gets to run, and ends
        self.value: Any = None

    def cut(self) -> None:
        self.outer.cancel()

    def hush(self, *, quiet: bool) -> None:
        self.inner.shield = quiet


class Executor:
    """Runs the steps of a system's cells.

    Args:
        context: the context of the system, for its tasks.
        new_waiter: makes waiters for the system's event loop.
    """

    def __init__(self, context: Context, new_waiter: Callable[[], Waiter]) -> None:
        self._context = context
        self._new_waiter = new_waiter
        self._group: TaskGroup | None = None
        self._busy = 0
        self._quiet: Waiter | None = None
        self._holds: set[_Hold] = set()

    def open(self, group: TaskGroup) -> None:
        """Start tasks in this group from now on."""
        self._group = group

    def schedule(self, cell: Cell) -> None:
        """This cell has something to do."""
        assert self._group is not None
        cell.scheduled = True
        self._busy += 1
        self._context.run(self._group.start_soon, self._host, cell)

    def release(self, cell: Cell) -> None:
        """This cell has nothing to do for now."""
        if not cell.scheduled:
            return
        cell.scheduled = False
        self._busy -= 1
        if not self._busy and self._quiet is not None:
            self._quiet.wake()

    async def quiet(self) -> None:
        """Wait until no cell has anything to do."""
        while self._busy:
            self._quiet = self._new_waiter()
            await self._quiet

    def hanging(self) -> Iterator[tuple[str, str, str]]:
        """Path, step and place of each step that still runs."""
        for hold in self._holds:
            step = hold.cell.step.value if hold.cell.lever is hold and hold.cell.step is not None else "cut off"
            yield hold.cell.path, step, where_suspended(hold.coroutine)

    async def _host(self, cell: Cell) -> None:
        while anyio.current_effective_deadline() != -math.inf:
            coroutine = cell.begin()
            if coroutine is None:
                self.release(cell)
                return
            hold = _Hold(cell, coroutine)
            cell.lever = hold
            self._holds.add(hold)
            try:
                async with anyio.create_task_group() as group:
                    cell.context.run(group.start_soon, self._run, hold, cell.time_limit)
            except BaseException as error:
                if is_fatal(error) or anyio.current_effective_deadline() == -math.inf:
                    if cell.lever is hold:
                        cell.finish(Ending.ABORTED, error)
                    raise
            finally:
                self._holds.discard(hold)
                coroutine.close()
            if cell.lever is not hold:
                return
            cell.finish(hold.ending, hold.value)

    async def _run(self, hold: _Hold, limit: float | None) -> None:
        reply: list[Any] = []
        if limit is not None:
            hold.outer.deadline = anyio.current_time() + limit
        try:
            with hold.outer, hold.inner:
                reply.append(await hold.coroutine)
        except Exception as error:  # noqa: BLE001 - the asker's
            hold.ending, hold.value = Ending.RAISED, error
        except BaseException as error:
            hold.value = error
            if is_fatal(error) or anyio.current_effective_deadline() == -math.inf:
                raise
        else:
            hold.ending, hold.value = (Ending.RETURNED, reply[0]) if reply else (Ending.CUT, None)
