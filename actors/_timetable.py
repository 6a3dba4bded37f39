"""What is due when: one heap and one sleeping task for a whole system, and no timer at all while nothing is due.

Steps that were cut are looked at when their grace is over, timers send their messages, a summary is logged: each of them is an
entry here, rather than a task that sleeps.
"""

from __future__ import annotations

import heapq
import itertools
import math
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

    Args:
        new_waiter: makes waiters for the system's event loop.
        clock: tells that loop's time.
    """

    def __init__(self, new_waiter: Callable[[], Waiter], clock: Callable[[], float]) -> None:
        self._new_waiter = new_waiter
        self._clock = clock
        self._entries: list[tuple[float, int, Entry]] = []
        self._numbers = itertools.count()
        self._clear_at = _WORTH_CLEARING
        self._waiter: Waiter | None = None
        self._wakes_at = math.inf
        self._scope: anyio.CancelScope | None = None
        self.is_open = True

    def add(self, due: float, entry: Entry) -> None:
        """Let the entry ring at this time of the event loop's clock, or at once if it is over. After ``close`` nothing rings."""
        if not self.is_open:
            return
        if len(self._entries) >= self._clear_at:
            self._entries = [each for each in self._entries if not each[2].stale()]
            heapq.heapify(self._entries)
            self._clear_at = max(_WORTH_CLEARING, 2 * len(self._entries))
        heapq.heappush(self._entries, (due, next(self._numbers), entry))
        if due < self._wakes_at and self._waiter is not None:
            self._waiter.wake()

    def call_at(self, due: float, call: Callable[[], None]) -> None:
        """Make a call at this time."""
        self.add(due, _Call(call))

    def look_again(self) -> None:
        """Something has become stale; if it is what would ring next, there is nothing to wait for any more."""
        if self._entries and self._waiter is not None and self._entries[0][2].stale():
            self._waiter.wake()

    async def run(self) -> None:
        """The task, until ``close``. Shielded: while a system is being cancelled it is needed most."""
        with anyio.CancelScope(shield=True) as self._scope:
            await self._run()

    def close(self) -> None:
        """Nothing rings any more."""
        self.is_open = False
        self._entries.clear()
        if self._scope is not None:
            self._scope.cancel()

    async def _run(self) -> None:
        while True:
            while self._entries and self._entries[0][2].stale():
                heapq.heappop(self._entries)
            self._wakes_at = self._entries[0][0] if self._entries else math.inf
            self._waiter = self._new_waiter()
            with anyio.CancelScope(deadline=self._wakes_at):
                await self._waiter
            self._waiter = None
            await self._ring(self._clock())

    async def _ring(self, now: float) -> None:
        due: list[Entry] = []
        while self._entries and self._entries[0][0] <= now:
            entry = heapq.heappop(self._entries)[2]
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
