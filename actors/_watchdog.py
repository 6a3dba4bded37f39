"""Steps that refuse to end: found when their grace is over, kept from burning the processor, reported.

A cancelled anyio scope delivers its cancellation again at each turn of the event loop, so a reply that does not end takes a
whole core. When the grace is over its delivery is stopped, and opened again for one tick every second.
"""

from __future__ import annotations

import heapq
import itertools
import math
import weakref
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import attrs

from actors._ending import cut_off
from actors._logging import get_logger
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
    """One step that was cut. It is identified by its turn: the same cell may be several steps further when it is looked at."""

    due: float
    number: int
    cell: weakref.ref[Cell] = attrs.field(order=False)
    turn: int = attrs.field(order=False)

    def refusing(self) -> tuple[Cell, Lever] | None:
        """The cell and the hold on the step, if that very step still runs although it was cut."""
        cell = self.cell()
        if cell is None or cell.turn != self.turn or cell.lever is None:
            return None
        if cell.current is not None and cell.current.protected and not (cell.ending is not None and cell.ending.kills):
            return None
        return cell, cell.lever


class Watchdog:
    """Watches the steps of one system that were cut. It sleeps, without a timer, while there are none.

    Args:
        new_waiter: makes waiters for the system's event loop.
    """

    def __init__(self, new_waiter: Callable[[], Waiter]) -> None:
        self._new_waiter = new_waiter
        self._watched: list[_Watched] = []
        self._numbers = itertools.count()
        self._waiter: Waiter | None = None
        self._wakes_at = math.inf
        self._scope: anyio.CancelScope | None = None

    def watch(self, cell: Cell, grace: float) -> None:
        """The step that this cell runs is being cut: look at it when ``grace`` seconds are over."""
        self._push(anyio.current_time() + grace, cell)
        if self._watched[0].due < self._wakes_at and self._waiter is not None:
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
            while self._watched and self._watched[0].refusing() is None:
                heapq.heappop(self._watched)
            self._wakes_at = self._watched[0].due if self._watched else math.inf
            self._waiter = self._new_waiter()
            with anyio.CancelScope(deadline=self._wakes_at):
                await self._waiter
            self._waiter = None
            await self._look(anyio.current_time())

    async def _look(self, now: float) -> None:
        reminded: list[_Watched] = []
        while self._watched and self._watched[0].due <= now:
            watched = heapq.heappop(self._watched)
            refusing = watched.refusing()
            if refusing is None:
                continue
            cell, lever = refusing
            _report(cell)
            if cell.ending is not None:
                lever.hush(quiet=True)
                cut_off(cell)  # an actor that is to end anyway goes on without the step
                continue
            self._push(now + REMIND, cell)
            reminded.append(watched)
            lever.hush(quiet=False)
        if reminded:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
        for watched in reminded:
            refusing = watched.refusing()
            if refusing is not None:
                refusing[1].hush(quiet=True)

    def _push(self, due: float, cell: Cell) -> None:
        heapq.heappush(self._watched, _Watched(due, next(self._numbers), weakref.ref(cell), cell.turn))


def _report(cell: Cell) -> None:
    run = cell.current
    if run is not None:
        if run.stuck:
            return
        run.stuck = True
    logger.warning(
        "step.stuck",
        actor=cell.path,
        step=cell.step.value if cell.step is not None else None,
        run_id=run.id if run is not None else None,
        reason=run.request.reason if run is not None and run.request is not None else "",
        where=where_suspended(cell.coroutine),
        hint="it absorbs its cancellation; whoever asked waits until it ends or the actor is stopped",
    )
