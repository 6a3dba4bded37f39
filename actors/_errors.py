"""Every error of the framework, and whose doing it was.

::

    ActorError
    ├── UsageError                  you: the call could not be right
    │   ├── SpawnError                  this actor cannot be started like this
    │   ├── WrongThreadError            a ref was used off its system's event loop
    │   ├── WrongLoopError              a manager was used on a second event loop
    │   ├── BlockingCallError           a blocking form was called on a running event loop
    │   ├── AskCycleError               this wait would never end: it waits for itself
    │   ├── DuplicateRunError           that run id is in use
    │   └── ReplyTypeError              the reply is not what ``expect=`` asked for
    ├── DeliveryError               the message: it was never answered
    │   ├── ActorStopped                the actor is gone
    │   ├── MailboxFull                 there was no room, and it was not sent
    │   ├── MessageDropped              there was no room, and it had to give way to another one
    │   ├── MessageExpired              it had waited for longer than it was good for
    │   ├── MessageWithdrawn            somebody took it back while it was queued
    │   └── AskTimeout                  the asker's own time was up (also a TimeoutError)
    ├── ReplyError                  the reply: it began, and gave no value
    │   ├── Interrupted                 stopped by an interrupt; carries the partial reply
    │   ├── ReplyCancelled              cancelled by something that was not ours
    │   └── ReplyStuckError             it refused to end, and was cut off
    ├── RunCancelledError           a manager says that this run is cancelled
    └── ManagerError                the world: a cancellation manager could not do it

Each carries ``ref``, ``run_id`` and ``message`` where they are known (None otherwise), and its text says what happened, to
which actor and run, and what to do. The tree on one page is borrowed from httpx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors._ref import ActorRef


class ActorError(Exception):
    """The root of the tree.

    Args:
        text: what happened, to whom, and what to do.
        ref: the actor concerned, if known.
        run_id: the run concerned, if it had an id.
        message: the message concerned, if there was one.
    """

    def __init__(
        self,
        text: str = "",
        *,
        ref: ActorRef[Any, Any, Any] | None = None,
        run_id: str | None = None,
        message: object = None,
    ) -> None:
        super().__init__(text)
        self.ref = ref
        self.run_id = run_id
        self.message = message


class UsageError(ActorError):
    """The call could not be right, whatever the state of the world. Nothing was changed."""


class SpawnError(UsageError):
    """This actor cannot be started like this; the text says why and how it can."""


class WrongThreadError(UsageError):
    """A ref was used off its system's event loop. From other threads use the ``*_from_thread`` forms."""


class WrongLoopError(UsageError):
    """A manager that is open on one event loop was used on another. Give each event loop a manager of its own."""


class BlockingCallError(UsageError):
    """A blocking form was called on a thread that runs an event loop. Await the asynchronous twin there."""


class AskCycleError(UsageError):
    """Waiting in a circle: who waits would wait for itself.

    Attributes:
        cycle: the paths of the actors in the circle, from the one that wanted to wait back to itself.
    """

    cycle: tuple[str, ...] = ()


class DuplicateRunError(UsageError):
    """That run id belongs to a run that has not ended.

    Args:
        run_id: the id.
        where: who has it, for the text (an actor's path, a manager).
    """

    def __init__(self, run_id: str, where: str = "", *, ref: ActorRef[Any, Any, Any] | None = None) -> None:
        place = f" in {where}" if where else ""
        super().__init__(
            f"run id {run_id!r} is already in use{place}: wait until that run has ended, or choose another id",
            ref=ref,
            run_id=run_id,
        )
        self.where = where

    def __reduce__(self) -> tuple[type[DuplicateRunError], tuple[str, str]]:
        return type(self), (self.run_id or "", self.where)


class ReplyTypeError(UsageError, TypeError):
    """The reply is not of the type that ``expect=`` named. The value is in ``reply``."""

    reply: object = None


class DeliveryError(ActorError):
    """The message was never answered: no reply to it began, or the asker left before it ended."""


class ActorStopped(DeliveryError):  # noqa: N818 - an outcome, named like Interrupted and MessageWithdrawn
    """The actor is stopping or gone; the message was not, or not completely, answered."""


class MailboxFull(DeliveryError):  # noqa: N818 - named for the situation, like queue.Full
    """A bounded mailbox had no room, and the caller asked not to wait, or the mailbox lets nobody wait. Or a stash had none."""


class MessageDropped(DeliveryError):  # noqa: N818 - an outcome, named like MessageWithdrawn
    """A bounded mailbox (``drop_oldest``, ``drop_newest``) had no room, and this message was the one to give way."""


class MessageExpired(DeliveryError):  # noqa: N818 - an outcome, named like MessageWithdrawn
    """When its turn came, the message had waited for longer than its mailbox's ``expiry``; its run never began."""


class MessageWithdrawn(DeliveryError):  # noqa: N818 - an outcome, not a fault
    """Somebody took the message back, through ``withdraw``, while it was queued."""


class AskTimeout(DeliveryError, TimeoutError):  # noqa: N818 - an outcome, like TimeoutError's children
    """An ask's own ``timeout`` expired. The reply, if it had begun, is interrupted (source ``deadline``).

    Attributes:
        timeout: how long was waited, in seconds.
        queued: how many messages were in the mailbox.
        doing: what the actor was doing, in words.
    """

    timeout: float = 0.0
    queued: int = 0
    doing: str = ""


class ReplyError(ActorError):
    """A reply began, and gave no value."""


class Interrupted(ReplyError):  # noqa: N818 - the outcome *interrupted*, not a fault
    """The run was interrupted, and the actor has no reply of its own to that. Never a failure for log or supervisor.

    Attributes:
        partial: what the reply had produced, in order.
        reason, by, source: as in :class:`~actors.Interruption`.
    """

    partial: tuple[Any, ...] = ()
    reason: str = ""
    by: str | None = None
    source: str = "caller"


class ReplyCancelled(ReplyError):  # noqa: N818 - an outcome, named like Interrupted
    """The reply ended by a cancellation that neither an interrupt nor anything around the system had asked for.

    Typical causes: native ``Task.cancel()`` of the task that runs the reply, awaiting a cancelled future, raising the
    cancelled exception by hand.
    """


class ReplyStuckError(ReplyError):
    """The reply refused to end when it was interrupted, and its actor was stopped or restarted without it.

    Attributes:
        where: where it hung, as a stack in text.
    """

    where: str = ""


class RunCancelledError(ActorError):
    """A cancellation manager says that this run is cancelled; what ``raise_if_cancelled`` raises.

    Escaping a reply for that reply's own run id it counts as an interrupt. The alias ``RunCancelledException`` is agno's name.

    Args:
        run_id: the run.
        reason: why, as given to ``cancel_run``.
        by: who asked, as given to ``cancel_run``.
    """

    def __init__(self, run_id: str, reason: str = "", by: str | None = None) -> None:
        because = f": {reason}" if reason else ""
        who = f" by {by}" if by else ""
        super().__init__(f"run {run_id!r} was cancelled{who}{because}", run_id=run_id)
        self.reason = reason
        self.by = by

    def __reduce__(self) -> tuple[type[RunCancelledError], tuple[str, str, str | None]]:
        return type(self), (self.run_id or "", self.reason, self.by)


RunCancelledException = RunCancelledError


class ManagerError(ActorError):
    """A cancellation manager could not do what it was asked: its store is down, full, read-only or corrupted."""
