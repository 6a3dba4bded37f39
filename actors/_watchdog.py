"""Steps that refuse to end: found when their grace is over, kept from burning the processor, reported.

A cancelled anyio scope delivers its cancellation again at each turn of the event loop, so a reply that does not end takes a
whole core. When the grace is over its delivery is stopped, and opened again for one tick every second.
"""

from __future__ import annotations

import heapq
import itertools
import math
import weakref
from contextvars import copy_context
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from actors._ending import cut_off
from actors._events import Stuck
from actors._logging import get_logger
from actors._outcomes import give_up_handling
from actors._step import Step
from actors._where import where_suspended

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors._cell import Cell
    from actors._step import Lever
    from actors._waiter import Waiter

logger = get_logger("actors.watchdog")

REMIND = 1.0
"""Seconds between two ticks in which a stuck step hears of its cancellation again."""


class _Watched:
    """One step that was cut, identified by its coroutine: lever and cell may be several steps further when it is due."""

    __slots__ = ("cell", "due", "lever", "number", "step")

    def __init__(self, cell: Cell, lever: Lever, step: object, due: float, number: int) -> None:
        self.cell = weakref.ref(cell)
        self.lever = lever
        self.step = weakref.ref(step)
        self.due = due
        self.number = number

    def __lt__(self, other: _Watched) -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def runs(self) -> bool:
        """Whether that very step still runs."""
        return self.lever.coroutine is not None and self.lever.coroutine is self.step()

    def allowed(self) -> bool:
        """Whether it may: a protected section is not refusing."""
        cell = self.cell()
        if cell is None or cell.lever is not self.lever or cell.current is None:
            return False
        return cell.current.protected > 0 and not (cell.ending is not None and cell.ending.kills)


class Watchdog:
    """Watches the steps of one system that were cut. It sleeps, without a timer, while there are none.

    Watching costs an interrupt a timer that is set and taken back, but wakes no task: the watchdog sleeps in a scope whose
    deadline is moved to the time at which the first of them is due.

    Args:
        new_waiter: makes waiters for the system's event loop.
        clock: tells that loop's time.
    """

    def __init__(self, new_waiter: Callable[[], Waiter], clock: Callable[[], float]) -> None:
        self._new_waiter = new_waiter
        self._clock = clock
        self.watched: list[_Watched] = []
        self._numbers = itertools.count()
        self._sleep = anyio.CancelScope()
        self._life: anyio.CancelScope | None = None
        self._context = copy_context()  # timers keep their context until they are due: not that of whoever interrupts

    def watch(self, cell: Cell, grace: float) -> None:
        """The step that this cell runs is being cut: look at it when ``grace`` seconds are over."""
        if cell.lever is None or cell.coroutine is None:
            return
        self._push(_Watched(cell, cell.lever, cell.coroutine, self._clock() + grace, next(self._numbers)))
        self._sleep_until_due()

    def step_ended(self) -> None:
        """Some step has ended; if it is the one that was to be looked at next, there is nothing to wait for any more."""
        if self.watched and not self.watched[0].runs():
            self._sleep_until_due()

    async def run(self) -> None:
        """The task, until ``close``. Shielded: while a system is being cancelled it is needed most."""
        with anyio.CancelScope(shield=True) as self._life:
            while True:
                with anyio.CancelScope() as self._sleep:
                    self._sleep_until_due()
                    await self._new_waiter()  # anyio.sleep_forever() sets a timer on asyncio, for the end of time
                await self._look(self._clock())

    def close(self) -> None:
        """No step runs any more."""
        if self._life is not None:
            self._life.cancel()

    def _sleep_until_due(self) -> None:
        while self.watched and not self.watched[0].runs():
            heapq.heappop(self.watched)
        due = self.watched[0].due if self.watched else math.inf
        if due < self._sleep.deadline or due == math.inf:  # waking too early costs less than moving the timer each time
            self._context.run(setattr, self._sleep, "deadline", due)

    async def _look(self, now: float) -> None:
        refusing: list[_Watched] = []
        while self.watched and self.watched[0].due <= now:
            watched = heapq.heappop(self.watched)
            if watched.runs() and not watched.allowed():
                refusing.append(watched)
                watched.due, watched.number = now + REMIND, next(self._numbers)
                self._push(watched)
        for watched in refusing:
            cell = watched.cell()
            if cell is not None and cell.lever is watched.lever:
                _report(cell)
            watched.lever.hush(quiet=False)
        if refusing:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
        for watched in refusing:
            if watched.runs():
                watched.lever.hush(quiet=True)

    def _push(self, watched: _Watched) -> None:
        heapq.heappush(self.watched, watched)


def _report(cell: Cell) -> None:
    run = cell.current
    if run is not None:
        if run.stuck and cell.ending is None:
            return
        run.stuck = True
    step, run_id = cell.step.value if cell.step is not None else "", run.id if run is not None else None
    where = where_suspended(cell.coroutine)
    stream = cell.system.event_stream
    if stream.heard:
        stream.publish(Stuck(cell.path, step, run_id, where, at=cell.system.clock()))
    logger.warning(
        "step.stuck",
        actor=cell.path,
        step=step,
        run_id=run_id,
        reason=run.request.reason if run is not None and run.request is not None else "",
        where=where,
        hint="it absorbs its cancellation; whoever asked waits until it ends or the actor is stopped",
    )
    if cell.ending is not None:
        cut_off(cell)  # an actor that is to end anyway goes on without the step
        return
    if run is not None and cell.step is Step.HANDLE:
        give_up_handling(cell, run)
    if cell.supervised is not None:
        cell.supervised.stuck(where)
