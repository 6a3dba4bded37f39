"""How an actor starts and ends: drain, stop, kill, and being cut off from a reply that refuses to end."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import anyio

from actors._current import sender_of
from actors._errors import ActorStopped, ReplyStuckError
from actors._interrupt import GRACE, interrupt_run
from actors._logging import get_logger
from actors._outcomes import conclude, forget_registration, stopped_error
from actors._run import Origin, Run
from actors._stash import take_stash
from actors._step import Ending, Step
from actors._waiting import waiting, waits_for_itself
from actors._where import where_suspended

if TYPE_CHECKING:
    from actors._cell import Cell
    from actors._note import Note

logger = get_logger("actors.ending")


class End(enum.IntEnum):
    """How an actor is to end. A later order can only be harsher."""

    DRAIN = 1  # answer what is queued, then stop
    STOP = 2  # interrupt the current reply, refuse what is queued, then stop
    KILL = 3  # cut whatever runs, without handle_interrupt and on_stop

    @property
    def drains(self) -> bool:
        return self is End.DRAIN

    @property
    def kills(self) -> bool:
        return self is End.KILL


def begin_end(cell: Cell, end: End) -> None:
    """Order the actor to end like this. Returns at once; ``join`` waits."""
    if cell.dead or (cell.ending is not None and cell.ending >= end):
        return
    cell.ending = end
    cancel_timers(cell)
    if end is not End.DRAIN:
        _refuse_all(cell)
    if end is End.STOP and cell.current is not None:
        interrupt_run(cell.current, reason="the actor is being stopped")
    elif end is End.KILL or (end is End.STOP and cell.starting):
        _cut_everything(cell)
    for child in reversed(list((cell.children or {}).values())):
        if child.ending is not None or end is End.KILL:
            begin_end(child, end)
    if cell.current is not None and cell.current.stuck:
        cut_off(cell)
    cell.wake()


def _cut_everything(cell: Cell) -> None:
    for scope in tuple(cell.commits or ()):
        scope.cancel()
    if cell.lever is not None:
        cell.system.watchdog.watch(cell, GRACE)
        cell.lever.cut()


def cancel_timers(cell: Cell) -> None:
    """The actor, or its system, is ending, or another instance goes on in its place."""
    for timer in tuple(cell.timers or ()):
        timer.cancel()
    cell.timers = None


async def stop(cell: Cell, *, drain: bool, timeout: float | None) -> None:
    """Order, wait, and get harsher when the time is over; see :meth:`ActorRef.stop`."""
    begin_end(cell, End.DRAIN if drain else End.STOP)
    if waits_for_itself(cell, for_its_end=True):
        return
    with waiting(cell):
        if drain and timeout is not None:
            with anyio.move_on_after(timeout):
                await join(cell)
            begin_end(cell, End.STOP)
        await join(cell)


async def kill(cell: Cell) -> None:
    """See :meth:`ActorRef.kill`."""
    begin_end(cell, End.KILL)
    if not waits_for_itself(cell, for_its_end=True):
        with waiting(cell):
            await join(cell)


async def join(cell: Cell) -> None:
    """Wait until the actor is dead."""
    while not cell.dead:
        waiter = cell.system.new_waiter()
        cell.add_joiner(waiter)
        try:
            await waiter
        finally:
            cell.forget_joiner(waiter)


def next_ending_step(cell: Cell) -> Step | None:
    """What an ending actor does once it has nothing left to answer: end its children, last started first, then itself."""
    refuse_stashed(cell)
    if cell.children:
        begin_end(next(reversed(cell.children.values())), cell.ending)
        return None  # the child's death wakes us
    if cell.actor is None:
        return None
    if cell.ending.kills or cell.starting or cell.stop_begun:
        die(cell)
        return None
    cell.stop_begun = True
    return Step.STOP


def after_start(cell: Cell, ending: Ending, value: Any) -> None:
    """``on_start`` has ended."""
    if ending is Ending.RETURNED:
        cell.live()
    else:
        cell.start_error = value if ending is Ending.RAISED else stopped_error(cell)
        begin_end(cell, End.KILL)


def after_stop(cell: Cell, ending: Ending, value: Any) -> None:
    """``on_stop`` has ended."""
    if ending is Ending.RAISED:
        logger.error("on_stop.failed", actor=cell.path, exc_info=value)
    elif ending is not Ending.RETURNED:
        logger.warning("on_stop.cut", actor=cell.path, limit=cell.interrupt_timeout)
    if not cell.children:
        die(cell)


def die(cell: Cell) -> None:
    """The actor is gone: its name is free, its messages are refused, whoever waits for its end is told, its parent goes on."""
    _refuse_all(cell)
    if cell.current is not None:
        refuse(cell, cell.current)  # a sudden end came between two steps of it
        cell.current = None
    cell.bury()
    if cell.parent is not None and cell.parent.ending is not None:
        cell.parent.wake()


def cut_off(cell: Cell) -> None:
    """Leave a step that refuses to end to itself: whoever asked is told, and the actor no longer knows it."""
    where = where_suspended(cell.coroutine)
    run = cell.current
    logger.warning("step.cut_off", actor=cell.path, step=cell.step.value if cell.step else None, where=where)
    cell.disown_step()
    if run is not None:
        conclude(cell, run, "failed", error=_stuck_error(cell, run, where))
    cell.wake()


def _stuck_error(cell: Cell, run: Run[Any, Any], where: str) -> ReplyStuckError:
    error = ReplyStuckError(
        f"the reply of {cell.path} refused to end, and the actor was stopped without it; it hangs at {where}",
        ref=cell.ref,
        run_id=run.known_id,
        message=run.message,
    )
    error.where = where
    return error


def refuse(cell: Cell, mail: Run[Any, Any] | Note) -> None:
    """A message that will not be answered: its asker is told, or it becomes a dead letter."""
    sender = sender_of(mail)
    if isinstance(mail, Run):
        forget_registration(cell, mail)
        if not mail.settle("stopped", error=stopped_error(cell, mail)) or mail.origin is not Origin.TELL:
            return
    cell.system.dead_letters.add(cell, mail.message, "the actor has stopped", sender)


def refuse_new(cell: Cell) -> ActorStopped:
    """The error for a message to an actor that takes none any more."""
    return ActorStopped(
        f"{cell.path} {'has stopped' if cell.dead else 'is stopping'} and takes no more messages; look it up again or "
        f"spawn it anew",
        ref=cell.ref,
    )


def refuse_stashed(cell: Cell) -> None:
    """Nothing will make the actor take up again what it has put aside."""
    for run in take_stash(cell):
        refuse(cell, run)


def _refuse_all(cell: Cell) -> None:
    refuse_stashed(cell)
    for mail in cell.queue.clear():
        refuse(cell, mail)
    for run in cell.urgent or ():
        refuse(cell, run)
    cell.urgent = None
