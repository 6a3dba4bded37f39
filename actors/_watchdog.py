"""Steps that refuse to end: found when their grace is over, kept from burning the processor, reported.

A cancelled anyio scope delivers its cancellation again at each turn of the event loop, so a reply that does not end takes a
whole core. When the grace is over its delivery is stopped, and opened again for one tick every second.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import attrs

from actors._ending import cut_off
from actors._events import Stuck
from actors._logging import get_logger
from actors._outcomes import give_up_handling
from actors._step import Step
from actors._timetable import Entry, Timetable
from actors._where import where_suspended

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors._cell import Cell
    from actors._step import Lever

logger = get_logger("actors.watchdog")

REMIND = 1.0
"""Seconds between two ticks in which a stuck step hears of its cancellation again."""


@attrs.frozen(eq=False)
class _Watched(Entry):
    """One step that was cut, identified by its coroutine: lever and cell may be several steps further when it is due."""

    watchdog: Watchdog
    lever: Lever
    step: weakref.ref[Any]
    cell: weakref.ref[Cell]

    def stale(self) -> bool:
        """Whether that very step has ended."""
        return self.lever.coroutine is None or self.lever.coroutine is not self.step()

    def ring(self) -> Callable[[], None] | None:
        """Its grace is over: report it, and let it hear its cancellation for one tick."""
        if self.stale() or self._allowed():
            return None
        self.watchdog.remind(self)
        cell = self.cell()
        if cell is not None and cell.lever is self.lever:
            _report(cell)
        self.lever.hush(quiet=False)
        return self._hush

    def _hush(self) -> None:
        if not self.stale():
            self.lever.hush(quiet=True)

    def _allowed(self) -> bool:
        """Whether it may go on: a protected section is not refusing."""
        cell = self.cell()
        if cell is None or cell.lever is not self.lever or cell.current is None:
            return False
        return cell.current.protected > 0 and not (cell.ending is not None and cell.ending.kills)


class Watchdog:
    """Watches the steps of one system that were cut.

    Args:
        timetable: where it notes when to look.
        clock: tells the event loop's time.
    """

    def __init__(self, timetable: Timetable, clock: Callable[[], float]) -> None:
        self._timetable = timetable
        self._clock = clock

    def watch(self, cell: Cell, grace: float) -> None:
        """The step that this cell runs is being cut: look at it when ``grace`` seconds are over."""
        if cell.lever is None or cell.coroutine is None:
            return
        watched = _Watched(self, cell.lever, weakref.ref(cell.coroutine), weakref.ref(cell))
        self._timetable.add(self._clock() + grace, watched)

    def remind(self, watched: _Watched) -> None:
        """It still refuses: look at it again after a while."""
        self._timetable.add(self._clock() + REMIND, watched)


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
