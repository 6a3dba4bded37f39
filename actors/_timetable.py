"""What is due when: one heap and one sleeping task for a whole system, and no timer at all while nothing is due.

Steps that were cut are looked at when their grace is over, timers send their messages, a summary is logged: each of them is an
entry here, rather than a task that sleeps.
"""

from __future__ import annotations

import heapq
import itertools
import math
from contextvars import copy_context
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from actors._logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors._waiter import Waiter

logger = get_logger("actors.timetable")

_WORTH_CLEARING = 64
"""Entries from which on those are cleared away that need not ring any more; below, they go when they are due."""


class Entry:
    """Something that is due at a time."""

    __slots__ = ()

    def stale(self) -> bool:
        """Whether it need not ring any more."""
        return False

    def ring(self) -> Callable[[], None] | None:
        """It is due. What is returned is called when the event loop has turned once more."""
        raise NotImplementedError


class _Call(Entry):
    """A call."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def ring(self) -> None:
        self._call()


class Timetable:
    """The entries of one system, and the task that lets them ring. It sleeps, without a timer, while there are none.

    An entry that is added and goes stale costs a timer that is set and taken back, but wakes no task: the task sleeps in a scope
    whose deadline is moved to the time at which the first of them is due.

    Args:
        new_waiter: makes waiters for the system's event loop.
        clock: tells that loop's time.
    """

    def __init__(self, new_waiter: Callable[[], Waiter], clock: Callable[[], float]) -> None:
        self._new_waiter = new_waiter
        self._clock = clock
        self.entries: list[tuple[float, int, Entry]] = []
        self._numbers = itertools.count()
        self._clear_at = _WORTH_CLEARING
        self._sleep = anyio.CancelScope()
        self._life: anyio.CancelScope | None = None
        self._context = (
            copy_context()
        )  # timers keep their context until they are due: not that of whoever adds an entry
        self.is_open = True

    def add(self, due: float, entry: Entry) -> None:
        """Let the entry ring at this time of the event loop's clock, or at once if it is over. After ``close`` nothing rings."""
        if not self.is_open:
            return
        if len(self.entries) >= self._clear_at:
            self.entries = [each for each in self.entries if not each[2].stale()]
            heapq.heapify(self.entries)
            self._clear_at = max(_WORTH_CLEARING, 2 * len(self.entries))
        heapq.heappush(self.entries, (due, next(self._numbers), entry))
        self._sleep_until_due()

    def call_at(self, due: float, call: Callable[[], None]) -> None:
        """Make a call at this time."""
        self.add(due, _Call(call))

    def look_again(self) -> None:
        """Something has become stale; if it is what would ring next, there is nothing to wait for any more."""
        if self.entries and self.entries[0][2].stale():
            self._sleep_until_due()

    async def run(self) -> None:
        """The task, until ``close``. Shielded: while a system is being cancelled it is needed most."""
        with anyio.CancelScope(shield=True) as self._life:
            while True:
                with anyio.CancelScope() as self._sleep:
                    self._sleep_until_due()
                    await self._new_waiter()  # anyio.sleep_forever() sets a timer on asyncio, for the end of time
                await self._ring(self._clock())

    def close(self) -> None:
        """Nothing rings any more."""
        self.is_open = False
        self.entries.clear()
        if self._life is not None:
            self._life.cancel()

    def _sleep_until_due(self) -> None:
        while self.entries and self.entries[0][2].stale():
            heapq.heappop(self.entries)
        due = self.entries[0][0] if self.entries else math.inf
        if due < self._sleep.deadline or due == math.inf:  # waking too early costs less than moving the timer each time
            self._context.run(setattr, self._sleep, "deadline", due)

    async def _ring(self, now: float) -> None:
        due: list[Entry] = []
        while self.entries and self.entries[0][0] <= now:
            entry = heapq.heappop(self.entries)[2]
            if not entry.stale():
                due.append(entry)
        later: list[Callable[[], None]] = []
        for entry in due:
            try:
                call = entry.ring()
            except Exception as error:
                logger.error("timetable.failed", entry=repr(entry), exc_info=error)
            else:
                if call is not None:
                    later.append(call)
        if later:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
        for call in later:
            call()
