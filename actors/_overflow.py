"""What becomes of a message for which a mailbox has no room, or that has waited too long in it: who is told what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors._errors import DeliveryError, MailboxFull, MessageDropped, MessageExpired
from actors._events import Overflow
from actors._outcomes import forget_registration
from actors._run import Origin, Run

if TYPE_CHECKING:
    from actors._cell import Cell
    from actors._mailbox_policy import PolicyQueue
    from actors._note import Note
    from actors._ref import ActorRef


def overflow(cell: Cell, queue: PolicyQueue[Run[Any, Any] | Note], mail: Run[Any, Any] | Note) -> None:
    """There is no room, and the mailbox does not let its senders wait: refuse this message, or drop one.

    Raises:
        MailboxFull: it is this one that is refused.
    """
    if queue.mailbox.when_full == "reject":
        raise refused(cell, queue, mail)
    _publish(cell, queue)
    dropped, sender = queue.put_instead(mail)
    text = f"the mailbox of {cell.path} was full ({len(queue)} messages wait), and this message was dropped from it"
    _undelivered(cell, dropped, MessageDropped(text, ref=cell.ref))
    cell.system.dead_letters.add(cell, dropped.message, "the mailbox was full", sender)


def refused(cell: Cell, queue: PolicyQueue[Run[Any, Any] | Note], mail: Run[Any, Any] | Note) -> MailboxFull:
    """The error for whoever sends this message: there is no room, and it was not sent."""
    queue.reject()
    _publish(cell, queue)
    hint = "; send with `await tell(...)` to wait for room" if queue.mailbox.when_full == "block" else ""
    error = MailboxFull(f"the mailbox of {cell.path} is full ({len(queue)} messages wait){hint}", ref=cell.ref)
    _undelivered(cell, mail, error)
    return error


def expired(cell: Cell, mail: Run[Any, Any] | Note, sender: ActorRef[Any, Any, Any] | None) -> None:
    """Its turn has come, and it has waited too long."""
    text = f"the message waited in the mailbox of {cell.path} for longer than it was good for, and was not answered"
    _undelivered(cell, mail, MessageExpired(text, ref=cell.ref))
    if not isinstance(mail, Run) or mail.origin is Origin.TELL:
        cell.system.dead_letters.add(cell, mail.message, "it has expired", sender)


def _publish(cell: Cell, queue: PolicyQueue[Run[Any, Any] | Note]) -> None:
    stream = cell.system.event_stream
    if stream.heard:
        stream.publish(Overflow(cell.path, queue.mailbox.when_full, len(queue), at=cell.system.clock()))


def _undelivered(cell: Cell, mail: Run[Any, Any] | Note, error: DeliveryError) -> None:
    error.message = mail.message
    if isinstance(mail, Run):
        error.run_id = mail.known_id
        forget_registration(cell, mail)
        mail.settle("stopped", error=error)
