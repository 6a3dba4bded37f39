"""The executor: a pool of workers that run the steps of a system's cells.

Idle actors have no task. A cell that gets something to do is put into a queue, from which workers take it; while one worker
is awake, no other needs to be. A worker whose reply suspends is not awake any more: it hands the queue on to another.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import anyio

from actors._fatal import is_fatal
from actors._logging import get_logger
from actors._sentinel import Sentinel
from actors._step import Ending
from actors._waiter import wake
from actors._where import where_suspended
from actors._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from anyio.abc import TaskGroup

    from actors._cell import Cell
    from actors._waiter import Waiter

logger = get_logger("actors.executor")

SPARE_WORKERS = 256
"""How many workers may be parked; a worker is a task of some 5 kB."""


class Executor:
    """Runs what cells have to do. The one thing that cells ask of it is ``schedule``.

    Args:
        context: the context of the system, for its tasks.
        new_waiter: makes waiters for the system's event loop.
    """

    def __init__(self, context: Context, new_waiter: Callable[[], Waiter]) -> None:
        self.new_waiter = new_waiter
        self.new_scope: Callable[[], anyio.CancelScope] = type(
            anyio.CancelScope()
        )  # looking it up each time takes 2 µs
        self.sentinel = Sentinel(new_waiter)
        self.ready: deque[Cell] = deque()
        self._context = context
        self._group: TaskGroup | None = None
        self._workers: set[Worker] = set()
        self._parked: list[Worker] = []
        self._awake = 0
        self._busy = 0
        self._quiet: Waiter | None = None

    def open(self, group: TaskGroup) -> None:
        """Start workers in this group from now on."""
        self._group = group
        self.sentinel.watch_host()

    def close(self) -> None:
        """Start nothing any more."""
        self._group = None
        self._parked.clear()  # they are about to be cancelled
        self.sentinel.forget_host()

    # -- for cells

    def schedule(self, cell: Cell) -> None:
        """This cell has something to do."""
        cell.scheduled = True
        self._busy += 1
        self.ready.append(cell)
        if self._awake:
            return
        if self._parked:
            self._awaken(self._parked.pop())
        else:
            self._wake_one()

    def release(self, cell: Cell) -> None:
        """This cell has nothing to do for now."""
        if cell.scheduled:
            cell.scheduled = False
            self._busy -= 1
            if not self._busy and self._quiet is not None:
                wake(self._quiet)

    # -- for the system

    async def quiet(self) -> None:
        """Wait until no cell has anything to do."""
        while self._busy:
            self._quiet = self.new_waiter()
            await self._quiet

    def running(self) -> Iterator[Cell]:
        """The cells that have a step under way."""
        return (worker.cell for worker in self._workers if worker.cell is not None and worker.cell.lever is worker)

    def hanging(self) -> Iterator[tuple[str, str, str]]:
        """Path, step and place of each step that still runs."""
        for worker in self._workers:
            if worker.cell is not None:
                cell = worker.cell
                step = cell.step.value if cell.lever is worker and cell.step is not None else "cut off"
                yield cell.path, step, where_suspended(worker.coroutine)

    # -- for workers

    def park(self, worker: Worker) -> bool:
        """This worker has found nothing to do. False: there are enough spare ones, it may end."""
        if len(self._parked) >= SPARE_WORKERS:
            return False
        self._parked.append(worker)
        worker.awake = False
        self._awake -= 1
        return True

    def asleep(self, worker: Worker) -> None:
        """This worker will not look at the queue for a while: it is parked, or its reply has suspended."""
        worker.awake = False
        self._awake -= 1
        if self.ready and not self._awake:
            self._wake_one()

    def awoken(self, worker: Worker) -> None:
        """This worker will look at the queue again."""
        if not worker.awake:
            worker.awake = True
            self._awake += 1

    def _wake_one(self) -> None:
        if self._group is None:
            return
        if self._parked:
            self._awaken(self._parked.pop())
            return
        worker = Worker(self)
        self._workers.add(worker)
        self._context.run(self._group.start_soon, self._host, worker)
        worker.awake = True
        self._awake += 1

    def _awaken(self, worker: Worker) -> None:
        worker.awake = True
        self._awake += 1
        if not worker.waiter.done():
            worker.waiter.set_result(None)

    async def _host(self, worker: Worker) -> None:
        """Keep what happens to a worker's task away from the system.

        A native cancellation of the worker, a scope that a reply left open: they end the worker, and this group around it,
        and nothing else. Catching them inside the worker is not enough: the task group's own frame around it leaves its own
        scope after the worker's last line, and a task that returns with a native cancellation pending still ends cancelled.
        """
        ending = Ending.STRAY
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(worker.run)
        except BaseException as error:
            if is_fatal(error) or anyio.current_effective_deadline() == -math.inf:
                ending = Ending.ABORTED
                raise
            logger.debug("worker.ended", hint="a step left its task unclean; another worker goes on", exc_info=error)
        finally:
            self._bury(worker, ending)

    def _bury(self, worker: Worker, ending: Ending) -> None:
        """A worker has ended: what it leaves behind is somebody else's now."""
        self._workers.discard(worker)
        if worker in self._parked:
            self._parked.remove(worker)
        if worker.awake:
            worker.awake = False
            self._awake -= 1
        cell, worker.cell = worker.cell, None
        if cell is not None:
            if worker.coroutine is None:
                self.ready.append(cell)  # between two steps of it
            elif cell.lever is worker:
                worker.coroutine.close()
                cell.finish(ending)
                self.ready.append(cell)
        if self.ready and not self._awake:
            self._wake_one()
