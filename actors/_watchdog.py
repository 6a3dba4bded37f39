"""Steps that refuse to end: found when their grace is over, kept from burning the processor, reported.

A cancelled anyio scope delivers its cancellation again at each turn of the event loop, so a reply that does not end takes a
whole core. When the grace is over its delivery is stopped, and opened again for one tick every second.
"""

from __future__ import annotations

import heapq
import itertools
import math
import weakref
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import attrs

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


@attrs.frozen(order=True)
class _Watched:
    """One step that was cut, identified by its coroutine: lever and cell may be several steps further when it is due."""

    due: float
    number: int
    lever: Lever = attrs.field(order=False)
    step: weakref.ref[Any] = attrs.field(order=False)
    cell: weakref.ref[Cell] = attrs.field(order=False)

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

    Args:
        new_waiter: makes waiters for the system's event loop.
        clock: tells that loop's time.
    """

    def __init__(self, new_waiter: Callable[[], Waiter], clock: Callable[[], float]) -> None:
        self._new_waiter = new_waiter
        self._clock = clock
        self._watched: list[_Watched] = []
        self._numbers = itertools.count()
        self._waiter: Waiter | None = None
        self._wakes_at = math.inf
        self._scope: anyio.CancelScope | None = None

    def watch(self, cell: Cell, grace: float) -> None:
        """The step that this cell runs is being cut: look at it when ``grace`` seconds are over."""
        if cell.lever is None or cell.coroutine is None:
            return
        step, due = weakref.ref(cell.coroutine), self._clock() + grace
        self._push(_Watched(due, next(self._numbers), cell.lever, step, weakref.ref(cell)))
        if due < self._wakes_at and self._waiter is not None:
            self._waiter.wake()

    def step_ended(self) -> None:
        """Some step has ended; if it is the one that was to be looked at next, there is nothing to wait for any more."""
        if self._watched and self._waiter is not None and not self._watched[0].runs():
            self._waiter.wake()

    async def run(self) -> None:
        """The task, until ``close``. Shielded: while a system is being cancelled it is needed most."""
        with anyio.CancelScope(shield=True) as self._scope:
            await self._run()

    def close(self) -> None:
        """No step runs any more."""
        if self._scope is not None:
            self._scope.cancel()

    async def _run(self) -> None:
        while True:
            while self._watched and not self._watched[0].runs():
                heapq.heappop(self._watched)
            self._wakes_at = self._watched[0].due if self._watched else math.inf
            self._waiter = self._new_waiter()
            with anyio.CancelScope(deadline=self._wakes_at):
                await self._waiter
            self._waiter = None
            await self._look(self._clock())

    async def _look(self, now: float) -> None:
        refusing: list[_Watched] = []
        while self._watched and self._watched[0].due <= now:
            watched = heapq.heappop(self._watched)
            if watched.runs() and not watched.allowed():
                refusing.append(watched)
                self._push(attrs.evolve(watched, due=now + REMIND, number=next(self._numbers)))
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
        heapq.heappush(self._watched, watched)


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
