"""How an actor starts and ends: drain, stop, kill, and being cut off from a reply that refuses to end."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import anyio

from actors._current import is_own, sender_of
from actors._death_watch import death_came, unwatch
from actors._errors import ActorStopped, ReplyStuckError
from actors._events import Stopped
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
    """How an actor, or one instance of it, is to end. A later order can only be harsher."""

    RESTART = 0  # interrupt the current reply, end this instance, go on with a new one
    DRAIN = 1  # answer what is queued, then stop
    STOP = 2  # interrupt the current reply, refuse what is queued, then stop
    KILL = 3  # cut whatever runs, without handle_interrupt and on_stop

    @property
    def drains(self) -> bool:
        return self is End.DRAIN

    @property
    def refuses(self) -> bool:
        """Whether what is queued will not be answered."""
        return self >= End.STOP

    @property
    def kills(self) -> bool:
        return self is End.KILL


def begin_end(cell: Cell, end: End, *, finish: bool = False) -> None:
    """Order the actor to end like this. Returns at once; ``join`` waits.

    Args:
        cell: the actor.
        end: how.
        finish: let the current reply finish all the same.
    """
    if cell.dead or (cell.ending is not None and cell.ending >= end):
        return
    if end is End.DRAIN and cell.restarting:
        end = End.STOP  # there is no instance that could answer what is queued
    cell.ending = end
    cancel_timers(cell)
    if end.refuses:
        refuse_all(cell)
    if end is End.KILL or (cell.starting and end is not End.DRAIN):
        _cut_everything(cell)
    elif cell.current is not None and end is not End.DRAIN and not finish:
        interrupt_run(cell.current, reason=f"the actor is being {'restarted' if end is End.RESTART else 'stopped'}")
    for child in reversed(list((cell.children or {}).values())):
        if end is End.KILL or (end is not End.RESTART and child.ending is not None and not child.restarting):
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
    if cell.supervised is not None and is_own(cell) and cell.supervised.comes_back(drain=drain):
        return
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
    if cell.ending is not End.RESTART:  # the next instance takes it up
        refuse_stashed(cell)
    if cell.children:
        child = next(reversed(cell.children.values()))
        unwatch(cell, child)
        begin_end(child, End.STOP if cell.ending is End.RESTART else cell.ending)
        return None  # the child's death wakes us
    if cell.actor is None or cell.ending.kills or cell.starting or cell.stop_begun:
        leave(cell)
        return None
    cell.stop_begun = True
    return Step.STOP


def after_start(cell: Cell, ending: Ending, value: Any) -> None:
    """``on_start`` has ended."""
    if ending is Ending.RETURNED:
        if cell.restarting and cell.supervised is not None:
            cell.supervised.came_up()
        cell.live()
    elif _starts_again(cell) and cell.supervised is not None and ending is not Ending.ABORTED:
        cell.supervised.start_failed(value if ending is Ending.RAISED else stopped_error(cell))
    else:
        cell.start_error = cell.start_error or (value if ending is Ending.RAISED else stopped_error(cell))
        begin_end(cell, End.KILL)


def _starts_again(cell: Cell) -> bool:
    """Whether another instance may follow one that does not start."""
    return cell.restarting and cell.ending in (None, End.RESTART)


def after_stop(cell: Cell, ending: Ending, value: Any) -> None:
    """``on_stop`` has ended."""
    if ending is Ending.RAISED:
        logger.error("on_stop.failed", actor=cell.path, exc_info=value)
    elif ending is not Ending.RETURNED:
        logger.warning("on_stop.cut", actor=cell.path, limit=cell.interrupt_timeout)
    if not cell.children:
        leave(cell)


def leave(cell: Cell) -> None:
    """The instance has ended, and the actor with it, unless a new instance is to come."""
    if cell.ending is End.RESTART and cell.supervised is not None:
        if cell.actor is not None:
            cell.supervised.retire()
    elif not _waits_for_its_turn(cell):
        die(cell)


def _waits_for_its_turn(cell: Cell) -> bool:
    """Of children that are killed with their parent, who was started last goes first."""
    parent = cell.parent
    if parent is None or parent.ending is None or not parent.ending.kills or parent.children is None:
        return False
    return next(reversed(parent.children.values())) is not cell


def die(cell: Cell) -> None:
    """The actor is gone: its name is free, its messages are refused, whoever waits for its end is told, its parent goes on."""
    if cell.dead:
        return
    never_lived = cell.never_lived
    refuse_all(cell)
    if cell.current is not None:
        refuse(cell, cell.current)  # a sudden end came between two steps of it
        cell.current = None
    error = cell.supervised.leave() if cell.supervised is not None else cell.start_error
    cell.death = "failed" if error is not None else "killed" if cell.ending.kills else "stopped"
    cell.bury()
    stream = cell.system.event_stream
    if stream.heard and not never_lived:
        stream.publish(Stopped(cell.path, cell.death, error, at=cell.system.clock()))
    death_came(cell, error)
    if cell.parent is not None and cell.parent.ending is not None:
        cell.parent.wake()
        if cell.parent.ending.kills and cell.parent.children:
            next(reversed(cell.parent.children.values())).wake()  # its turn
    cell.tell_heir()


def cut_off(cell: Cell) -> None:
    """Leave a step that refuses to end to itself: whoever asked is told, and the actor no longer knows it."""
    where = where_suspended(cell.coroutine)
    run = cell.current
    logger.warning("step.cut_off", actor=cell.path, step=cell.step.value if cell.step else None, where=where)
    cell.disown_step()
    if cell.ending is End.RESTART:
        cell.stop_begun = True  # on_stop of an instance in which that step still runs would be a second one at a time
    if run is not None:
        conclude(cell, run, "failed", error=stuck_error(cell, run, where))
    cell.wake()


def stuck_error(cell: Cell, run: Run[Any, Any] | None, where: str) -> ReplyStuckError:
    what = "the reply" if run is not None else "a step"
    error = ReplyStuckError(
        f"{what} of {cell.path} refused to end, and the actor was stopped or restarted without it; it hangs at {where}",
        ref=cell.ref,
        run_id=run.known_id if run is not None else None,
        message=run.message if run is not None else None,
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


def refuse_all(cell: Cell) -> None:
    """Nothing that waits will be answered."""
    refuse_stashed(cell)
    for mail in cell.queue.clear():
        refuse(cell, mail)
    for mail in cell.urgent or ():
        if isinstance(mail, Run):
            refuse(cell, mail)
    cell.urgent = None
