"""A round of restarts: instances end, last started first; a pause; new ones start, in start order.

With ``one_for_one`` a round has one member. A member that is stopped meanwhile stays stopped. When another member fails, or one
does not start again, that is a new round, which takes over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from actors import _ending
from actors._ending import End
from actors._logging import get_logger
from actors._waiter import wake

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors._cell import Cell
    from actors._supervisor import Supervised
    from actors._waiter import Waiter

logger = get_logger("actors.supervision")


class Round:
    """One round.

    Args:
        members: who shares the failure, in start order; each is supervised.
        failed: the one of them that has failed.
        cause: the error.
        pause: seconds between the end of the last instance and the start of the first new one.
        finish: let the current reply of the one that has failed finish.
        for_good: stop them all, and start none again.
    """

    def __init__(
        self,
        members: Sequence[Cell],
        failed: Cell,
        cause: BaseException,
        *,
        pause: float = 0.0,
        finish: bool = False,
        for_good: bool = False,
    ) -> None:
        self._members = members
        self._failed = failed
        self._cause = cause
        self._pause = pause
        self._finish = finish
        self._for_good = for_good
        self._to_take_down = [cell for cell in members if cell is not failed]
        self._scope = anyio.CancelScope()
        self._waiter: Waiter | None = None
        self._system = failed.system

    def start(self) -> None:
        """Begin; what has failed takes no further message."""
        for cell in self._members:
            supervised = _supervised(cell)
            before, supervised.round = supervised.round, self
            if before is not None:
                before.cancel()
        self._end(self._failed)
        self._system.rounds.add(self)
        self._system.background.start(self._run, f"restart of {self._failed.path}", after=self._after)

    def cancel(self) -> None:
        """Go no further."""
        self._scope.cancel()

    def takes_down(self, cell: Cell) -> bool:
        """Whether this member is to be ended, or has been, and does not live again yet."""
        return cell in self._to_take_down or cell.ending is End.RESTART

    def lost(self, cell: Cell) -> None:
        """This member is dead."""
        if all(each.dead or each is cell for each in self._members):
            self.cancel()

    @property
    def has_mail(self) -> bool:
        """Whether messages wait for an instance."""
        return any(len(cell.queue) or cell.urgent for cell in self._members)

    async def ended(self) -> None:
        """Wait until the round is over."""
        if self in self._system.rounds:
            self._waiter = self._system.new_waiter()
            await self._waiter

    # -- the task

    async def _run(self) -> None:
        with self._scope:
            await _until(self._failed, _is_down)
            while self._to_take_down:
                cell = self._to_take_down.pop()
                self._end(cell)
                await _until(cell, _is_down)
            if not self._for_good:
                await anyio.sleep(self._pause)
                await self._bring_up()

    def _end(self, cell: Cell) -> None:
        supervised = _supervised(cell)
        supervised.prepare(self._cause)
        if self._for_good or supervised.policy.lifespan == "temporary":
            _ending.begin_end(cell, End.STOP)
        else:
            _ending.begin_end(cell, End.RESTART, finish=self._finish and cell is self._failed)

    async def _bring_up(self) -> None:
        for cell in self._members:
            if cell.ending is not End.RESTART:
                continue  # it was stopped meanwhile, and stays so
            supervised = _supervised(cell)
            supervised.bring_up()
            await _until(cell, _is_up_or_down)
            error = supervised.take_start_error()
            if error is not None and cell.ending is End.RESTART:
                logger.error("restart.failed", actor=cell.path, exc_info=error)
                directive = supervised.policy.directive(error, asked=False)
                supervised.obey("restart" if directive == "resume" else directive, error)
                return
        _supervised(self._failed).fate.pauses.up(self._system.clock())

    def _after(self) -> None:
        self._system.rounds.discard(self)
        for cell in self._members:
            supervised = _supervised(cell)
            if supervised.round is self:
                supervised.round = None
        if self._waiter is not None:
            wake(self._waiter)


def _supervised(cell: Cell) -> Supervised:
    assert cell.supervised is not None
    return cell.supervised


def _is_down(cell: Cell) -> bool:
    return cell.actor is None


def _is_up_or_down(cell: Cell) -> bool:
    return cell.actor is None or not cell.starting


async def _until(cell: Cell, condition: Callable[[Cell], bool]) -> None:
    while not condition(cell):
        waiter = cell.system.new_waiter()
        cell.add_joiner(waiter)
        try:
            await waiter
        finally:
            cell.forget_joiner(waiter)
