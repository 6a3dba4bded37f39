"""How a message gets to an actor: checks, waiting for room, and what happens when the sender leaves."""

from __future__ import annotations

from contextvars import copy_context
from threading import get_ident
from typing import TYPE_CHECKING, Any

from actors._current import running, sender
from actors._ending import End, refuse_new
from actors._mailbox_policy import PolicyQueue
from actors._overflow import overflow, refused
from actors._run import Origin, Run
from actors._thread_check import check_thread
from actors._waiting import begin_wait, end_wait

if TYPE_CHECKING:
    from actors._cell import Cell
    from actors._note import Note


def new_run(cell: Cell, message: Any, origin: Origin, run_id: str | None = None) -> Run[Any, Any]:
    """A message for this actor, in the context of the code that sends it.

    Raises:
        WrongThreadError: off the system's event loop.
        DuplicateRunError: if the run id is in use.
    """
    if get_ident() != cell.system.thread:
        check_thread(cell)
    run: Run[Any, Any] = Run(cell, message, copy_context(), origin, run_id)
    if run_id is not None:
        cell.system.runs.claim(run_id, run)
    return run


def takes_mail(cell: Cell) -> bool:
    """Whether the actor takes new messages."""
    return (cell.ending is None or cell.ending is End.RESTART) and not cell.dead


def put(cell: Cell, mail: Run[Any, Any] | Note) -> None:
    """Into the mailbox, for which there is room."""
    cell.queue.put(mail)
    if not cell.scheduled:
        cell.system.executor.schedule(cell)


async def send(cell: Cell, mail: Run[Any, Any] | Note) -> None:
    """Into the mailbox; without room, what the mailbox says: wait behind everybody who waits already, or something is dropped.

    A sender that is cancelled while it waits has sent nothing.

    Raises:
        AskCycleError: if the mailbox is full and waiting for room would be waiting for oneself.
        MailboxFull: if it is full and refuses what it has no room for.
    """
    queue = cell.queue
    if not queue.full:
        put(cell, mail)
        return
    assert isinstance(queue, PolicyQueue)
    if queue.mailbox.when_full == "block":
        await _wait_for_room(cell, queue, mail)
    else:
        overflow(cell, queue, mail)


async def _wait_for_room(cell: Cell, queue: PolicyQueue[Run[Any, Any] | Note], mail: Run[Any, Any] | Note) -> None:
    asker = running()
    if asker is not None:
        begin_wait(asker, cell)
    waiter = cell.system.new_waiter()
    try:
        queue.block(mail, waiter)
        await waiter
    except BaseException:
        queue.withdraw(mail)
        raise
    finally:
        if asker is not None:
            end_wait(asker, cell)
    cell.wake()


def put_nowait(cell: Cell, mail: Run[Any, Any]) -> None:
    """Into the mailbox, or an error, without waiting.

    Raises:
        MailboxFull: if there is no room, and the mailbox does not drop a message instead.
    """
    queue = cell.queue
    if not queue.full:
        put(cell, mail)
        return
    assert isinstance(queue, PolicyQueue)
    if queue.mailbox.when_full == "block":
        raise refused(cell, queue, mail)
    overflow(cell, queue, mail)


def refuse_mail(cell: Cell, run: Run[Any, Any]) -> None:
    """The actor takes no messages any more: a tell becomes a dead letter, whoever asks is told.

    Raises:
        ActorStopped: if somebody would wait for the reply.
    """
    error = refuse_new(cell)
    error.message, error.run_id = run.message, run.known_id
    run.settle("stopped", error=error)
    if run.origin is not Origin.TELL:
        raise error
    reason = "the actor has stopped" if cell.dead else "the actor is stopping"
    cell.system.dead_letters.add(cell, run.message, reason, sender())
