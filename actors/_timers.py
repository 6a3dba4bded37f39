"""Timers: messages that an actor sends to itself, later or again and again. They end with their actor."""

from __future__ import annotations

import math
import weakref
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from actors._errors import MailboxFull, UsageError
from actors._mailbox_policy import PolicyQueue
from actors._overflow import overflow
from actors._run import Origin, Phase, Run
from actors._sending import put, takes_mail
from actors._timetable import Entry

if TYPE_CHECKING:
    from contextvars import Context

    from actors._cell import Cell


class Timer(Entry):
    """What ``context.after`` and ``context.every`` return.

    Args:
        cell: the actor.
        message: what to tell it.
        seconds: when, from now.
        again: whether to tell it again after so many seconds more.
    """

    __slots__ = ("_again", "_begun", "_cell", "_context", "_last", "_message", "_seconds")

    def __init__(self, cell: Cell, message: Any, seconds: float, *, again: bool) -> None:
        self._cell: Cell | None = cell
        self._message = message
        self._seconds = seconds
        self._again = again
        self._context: Context = copy_context()
        self._begun = cell.system.clock()
        self._last: weakref.ref[Run[Any, Any]] | None = None  # what was sent last

    @property
    def active(self) -> bool:
        """Whether it will still send something."""
        return self._cell is not None

    def cancel(self) -> bool:
        """Send nothing any more. A message that is in the mailbox already stays there.

        Returns:
            Whether it was active.
        """
        cell = self._cell
        if cell is None:
            return False
        self._end(cell)
        cell.system.timetable.look_again()
        return True

    # -- for the machinery

    def stale(self) -> bool:
        return self._cell is None

    def ring(self) -> None:
        """It is due."""
        cell = self._cell
        if cell is None:
            return
        if self._again:
            self._set_next(cell)
            if self._undelivered():
                return
        else:
            self._end(cell)
        run: Run[Any, Any] = Run(cell, self._message, self._context.copy(), Origin.TELL)
        self._last = weakref.ref(run) if self._again else None
        _send(cell, run)

    def begin(self) -> None:
        """Start to run, unless the actor is ending: then it never does."""
        cell = self._cell
        assert cell is not None
        if not takes_mail(cell) or not cell.system.takes_timers:
            self._cell = None
            return
        if cell.timers is None:
            cell.timers = {}
        cell.timers[self] = None
        cell.system.timetable.add(self._begun + self._seconds, self)

    def _set_next(self, cell: Cell) -> None:
        """The next time of those that were fixed at the beginning; what was missed is not made up for."""
        now = cell.system.clock()
        count = math.floor((now - self._begun) / self._seconds) + 1
        due = self._begun + count * self._seconds
        cell.system.timetable.add(due if due > now else due + self._seconds, self)

    def _undelivered(self) -> bool:
        """Whether what was sent last still waits."""
        last = self._last() if self._last is not None else None
        return last is not None and last.phase is Phase.QUEUED

    def _end(self, cell: Cell) -> None:
        self._cell = None
        if cell.timers is not None:
            cell.timers.pop(self, None)


def start_timer(cell: Cell, message: Any, seconds: float, *, again: bool) -> Timer:
    """See :meth:`ActorContext.after` and :meth:`ActorContext.every`.

    Raises:
        UsageError: the number of seconds cannot be.
    """
    if isinstance(seconds, bool) or not (0 < seconds < math.inf or (seconds == 0 and not again)):
        kind = "a positive number of seconds" if again else "a number of seconds that is not negative"
        raise UsageError(f"a timer of {cell.path} takes {kind}, not {seconds!r}", ref=cell.ref)
    timer = Timer(cell, message, seconds, again=again)
    timer.begin()
    return timer


def _send(cell: Cell, run: Run[Any, Any]) -> None:
    """As a tell by nobody, who cannot wait: where a sender would, the message waits for room by itself."""
    queue = cell.queue
    if not queue.full:
        put(cell, run)
        return
    assert isinstance(queue, PolicyQueue)
    if queue.mailbox.when_full == "block":
        queue.block(run, None)
        return
    try:
        overflow(cell, queue, run)
    except MailboxFull:
        cell.system.dead_letters.add(cell, run.message, "the mailbox was full", cell.ref)
