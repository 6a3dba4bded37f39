"""The workers of a pool: which of them gets a message, how many there are, and who takes the place of one that has died."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from actors._ending import End, begin_end, stop
from actors._errors import ActorStopped, UsageError
from actors._logging import get_logger
from actors._sending import takes_mail
from actors._spawn import enter, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors._cell import Cell

logger = get_logger("actors.pool")

Balance: TypeAlias = Literal["round_robin", "least_busy"]
"""The ways to choose that have names."""

Route: TypeAlias = Balance | Callable[[Any], Hashable]
"""How a pool chooses: by turns, by how much each has to do, or by a key that is made of the message."""

RETRY = 0.1
"""Seconds until a worker that could not start is tried again, the first time; then twice as long each time."""

LONGEST_RETRY = 30.0
"""Seconds between two tries at the most."""


class Crew:
    """The workers of one pool, each in a place of its own.

    Args:
        cell: the pool, whose children they are.
        factory: makes one.
        route: how to choose.
    """

    def __init__(self, cell: Cell, factory: Callable[[], Any], route: Route) -> None:
        self.cell = cell
        self.places: list[Cell] = []
        self._factory = factory
        self._route = route
        self._turn = 0
        self._failures = 0  # to start, in a row

    async def start(self, size: int) -> None:
        """Start the first workers.

        Raises:
            Exception: whatever one of them raised.
        """
        self.places.clear()  # of the instance before, if the pool is being restarted
        for _ in range(size):
            self.places.append(self._enter())
        for worker in tuple(self.places):
            await started(worker)

    def pick(self, message: Any) -> Cell:
        """The actor that is to get this message; what a key raises goes to the sender.

        If no worker takes messages, one of those that do not, or the pool itself: the message is then refused.
        """
        if not self.places or not takes_mail(self.cell) or self.cell.restarting:
            return self.cell
        if callable(self._route):
            first = hash(self._route(message)) % len(self.places)
            return next(self._able(first), self.places[first])
        self._turn += 1
        first = self._turn % len(self.places)
        if self._route == "round_robin":
            return next(self._able(first), self.places[first])
        return min(self._able(first), key=_load, default=self.places[first])

    async def resize(self, size: int) -> None:
        """See :meth:`PoolRef.resize`."""
        if isinstance(size, bool) or size < 1:
            raise UsageError(f"the pool {self.cell.path} has at least one worker, not {size!r}", ref=self.cell.ref)
        if self.cell.ending is not None or self.cell.starting or self.cell.dead:
            raise ActorStopped(
                f"{self.cell.path} is starting or stopping and is not resized any more", ref=self.cell.ref
            )
        leaving = self.places[size:]
        del self.places[size:]
        for worker in leaving:
            begin_end(worker, End.DRAIN)
        coming: list[Cell] = []
        while len(self.places) < size:
            coming.append(self._enter())
            self.places.append(coming[-1])
        for worker in leaving:
            await stop(worker, drain=True, timeout=None)
        for worker in coming:
            await started(worker)

    def _able(self, first: int) -> Iterator[Cell]:
        """The workers that take messages, beginning at this place."""
        count = len(self.places)
        cells = (self.places[(first + number) % count] for number in range(count))
        return (cell for cell in cells if takes_mail(cell))

    def _enter(self, name: str | None = None) -> Cell:
        pool = self.cell
        taken = pool.children or {}
        worker = enter(
            pool.system,
            pool,
            self._factory,
            name=name or next(str(number) for number in itertools.count(1) if str(number) not in taken),
            registrar=pool.registrar,
            mailbox=pool.mailbox,
            interrupt_timeout=pool.interrupt_timeout,
            supervision=pool.supervised.policy if pool.supervised is not None else None,
        )
        worker.heir = self._replace
        return worker

    def _replace(self, dead: Cell) -> None:
        """A worker has died. Called in the middle of its end, by whoever ends it."""
        pool = self.cell
        if dead not in self.places or pool.starting or pool.ending is not None or not pool.system.is_open:
            return
        if dead.start_error is None:
            self._failures = 0
            self._fill(dead)
        else:
            self._try_again(dead, dead.start_error)

    def _fill(self, dead: Cell) -> None:
        if dead not in self.places or self.cell.ending is not None or self.cell.dead:
            return  # there are fewer places by now
        try:
            worker = self.cell.system.context.copy().run(self._enter, dead.name)
        except Exception as error:  # noqa: BLE001 - logged there
            self._try_again(dead, error)
            return
        self.places[self.places.index(dead)] = worker
        logger.info("pool.worker_replaced", actor=worker.path)

    def _try_again(self, dead: Cell, error: BaseException) -> None:
        delay = min(RETRY * 2**self._failures, LONGEST_RETRY)
        self._failures = min(self._failures + 1, 16)
        logger.error("pool.worker_not_started", actor=dead.path, again_in=delay, exc_info=error)
        system = self.cell.system
        system.timetable.call_at(system.clock() + delay, lambda: self._fill(dead))


def _load(cell: Cell) -> int:
    return len(cell.queue) + (cell.current is not None)
