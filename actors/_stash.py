"""Messages put aside by their actor, to be answered later; whoever asked waits on.

A stashed run is queued again, but not in the mailbox: the actor itself puts it back, in front of all that wait there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from actors._errors import MailboxFull, UsageError
from actors._run import Phase

if TYPE_CHECKING:
    from actors._cell import Cell
    from actors._run import Run


class Stashed(Exception):  # noqa: N818 - no error: the way out of a reply
    """Raised by ``stash()`` to end the reply. It has to get out of it.

    Args:
        run: the run that is to be stashed.
    """

    def __init__(self, run: Run[Any, Any]) -> None:
        super().__init__("stash() ends the reply by raising this; let it pass")
        self.run = run


def leave_to_stash(cell: Cell, run: Run[Any, Any]) -> Stashed:
    """What to raise to have this run stashed.

    Raises:
        MailboxFull: the stash has no room.
        UsageError: the reply has produced something already, or it is no reply.
    """
    if run.phase is not Phase.REPLYING:
        raise UsageError(f"stash() was called outside of the reply of {cell.path}", ref=cell.ref, run_id=run.known_id)
    if run.partial:
        raise UsageError(
            f"a reply of {cell.path} that has produced chunks was to be stashed; they would come twice: stash before the "
            f"first one",
            ref=cell.ref,
            run_id=run.known_id,
        )
    capacity = cell.mailbox.stash_capacity
    if capacity is not None and len(cell.stash or ()) >= capacity:
        raise MailboxFull(
            f"the stash of {cell.path} is full ({capacity} messages); unstash, or give its Mailbox a stash_capacity",
            ref=cell.ref,
            run_id=run.known_id,
            message=run.message,
        )
    return Stashed(run)


def says_stashed(run: Run[Any, Any], error: object) -> bool:
    """Whether a reply ended by stashing this run; task groups wrap what is raised in them."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(says_stashed(run, each) for each in group.exceptions)
    return isinstance(error, Stashed) and error.run is run


def put_aside(cell: Cell, run: Run[Any, Any]) -> None:
    """Stash it: it is queued again, and as if it had never begun."""
    if cell.actor is not None:
        cell.actor._reply_ended("stopped")
    run.phase = Phase.QUEUED
    run.started = False
    cell.current = None
    if cell.stash is None:
        cell.stash = {}
    cell.stash[run] = None


def unstash(cell: Cell) -> int:
    """Put all that is stashed back, in order, in front of what waits in the mailbox. Returns how many there were."""
    runs = take_stash(cell)
    if runs:
        cell.queue.put_first(runs)
        cell.wake()
    return len(runs)


def take_stash(cell: Cell) -> list[Run[Any, Any]]:
    """Take all out, in order."""
    runs = list(cell.stash or ())
    cell.stash = None
    return runs
