"""Mailboxes: what a user chooses (``Mailbox``), and the queue of one that sets no bounds (``MailQueue``).

The queue is our own rather than a memory object stream: taking is synchronous, so no message is ever in limbo between being
taken and being handled, and senders that wait for room hand over their *message*, not a claim to a slot, so that a cancelled
sender can lose no wake-up and nobody overtakes one that waits. A mailbox with a capacity, priorities or an expiry has the queue
of ``_mailbox_policy``, behind the same few methods.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar, get_args

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WhenFull: TypeAlias = Literal["block", "reject", "drop_oldest", "drop_newest"]
"""What becomes of a message for which there is no room."""

STASH = 1000
"""How many messages an actor may stash, where its mailbox does not say."""


def _capacity(_mailbox: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or value < 1):
        what = attribute.name.replace("_", " ")
        raise ValueError(f"a mailbox's {what} is a positive whole number, or None for no bound, not {value!r}")


def _when_full(_mailbox: object, _attribute: object, value: object) -> None:
    if value not in get_args(WhenFull):
        raise ValueError(f"when_full is one of {', '.join(get_args(WhenFull))}, not {value!r}")


def _priority(_mailbox: object, _attribute: object, value: Any) -> None:
    if value is not None and not callable(value):
        raise ValueError(f"a mailbox's priority is a function of the message, not {value!r}")


def _expiry(_mailbox: object, _attribute: object, value: Any) -> None:
    if value is not None and not callable(value) and (isinstance(value, bool) or not value > 0):
        raise ValueError(
            f"a mailbox's expiry is a positive number of seconds, or a function of the message, not {value!r}"
        )


@attrs.frozen
class Mailbox:
    """How an actor's messages wait. Control (interrupt, stop) never waits, does not count, and is never dropped.

    Args:
        capacity: how many messages may wait; None (the default) sets no bound.
        when_full: what becomes of a message for which there is no room. ``block``: ``ask``, ``tell`` and ``request`` wait for
            room, in the order they came, and ``tell_nowait`` raises :class:`~actors.MailboxFull`. ``reject``: all of them raise
            it, and nothing was sent. ``drop_oldest``: the message that has waited longest gives way. ``drop_newest``: the new
            one is dropped. A dropped message is a dead letter, and whoever asked gets :class:`~actors.MessageDropped`.
        priority: a function that says how urgent a message is, as a number; greater ones are taken first, equal ones in the order
            they came. It is called once for each message, when it is sent, and what it raises goes to the sender. When a message
            has to be dropped, it is one of the least urgent, the new one included.
        expiry: seconds that a message may wait, or a function that says so for each message (None: as long as it takes). It is
            looked at when the message's turn comes, before its run starts: whoever asked gets
            :class:`~actors.MessageExpired`, a message that was told becomes a dead letter.
        stash_capacity: how many messages the actor may stash.

    Raises:
        ValueError: if one of them cannot be.
    """

    capacity: int | None = attrs.field(default=None, validator=_capacity)
    when_full: WhenFull = attrs.field(default="block", validator=_when_full, kw_only=True)
    priority: Callable[[Any], float] | None = attrs.field(default=None, validator=_priority, kw_only=True)
    expiry: float | Callable[[Any], float | None] | None = attrs.field(default=None, validator=_expiry, kw_only=True)
    stash_capacity: int | None = attrs.field(default=STASH, validator=_capacity, kw_only=True)

    @property
    def plain(self) -> bool:
        """Whether it takes everything, in the order it comes, for as long as it takes."""
        return self.capacity is None and self.priority is None and self.expiry is None


@attrs.frozen(kw_only=True)
class MailboxStatistics:
    """What can be counted about one mailbox.

    Attributes:
        capacity: how many messages may wait; None: any number.
        depth: how many wait.
        peak: the most that have waited at once; None for a mailbox without capacity, priority and expiry, which does not count.
        waiting: how many senders wait for room.
        dropped: how many messages were dropped because there was no room.
        rejected: how many were refused with :class:`~actors.MailboxFull`.
        expired: how many had waited too long.
    """

    capacity: int | None = None
    depth: int = 0
    peak: int | None = None
    waiting: int = 0
    dropped: int = 0
    rejected: int = 0
    expired: int = 0


class Mail(Protocol):
    """What a queue can hold."""

    queued: bool  # still to be delivered; False once taken or withdrawn

    @property
    def message(self) -> Any:
        """What was sent."""
        ...


MailT = TypeVar("MailT", bound=Mail)

WORTH_COMPACTING = 64  # withdrawn messages are dropped when they are reached, or when this many are half of all


class MailQueue(Generic[MailT]):
    """First in, first out, without bounds, with withdrawal.

    An idle actor's queue holds nothing, one message is held by itself, and only a backlog makes a deque (an empty deque
    takes 600 bytes, and most actors are idle).
    """

    __slots__ = ("_dead", "_first", "_rest", "live")

    full: Final = False
    """Whether there is no room."""

    def __init__(self) -> None:
        self._first: MailT | None = None
        self._rest: deque[MailT] | None = None
        self.live = 0  # how many messages wait
        self._dead = 0

    def __len__(self) -> int:
        return self.live

    def __iter__(self) -> Iterator[MailT]:
        """The messages that wait, in order."""
        if self._first is not None and self._first.queued:
            yield self._first
        yield from (mail for mail in self._rest or () if mail.queued)

    def put(self, mail: MailT) -> None:
        """Append."""
        mail.queued = True
        self.live += 1
        if self._first is None:
            self._first = mail
        elif self._rest is None:
            self._rest = deque((mail,))
        else:
            self._rest.append(mail)

    def put_first(self, mails: Sequence[MailT]) -> None:
        """Put messages that were taken before in front of all that wait, in this order."""
        for mail in reversed(mails):
            mail.queued = True
            self.live += 1
            if self._first is not None:
                if self._rest is None:
                    self._rest = deque()
                self._rest.appendleft(self._first)
            self._first = mail

    def take(self) -> MailT | None:
        """The next message, or None."""
        while (mail := self._first) is not None:
            rest = self._rest
            if rest:
                self._first = rest.popleft()
                if not rest:
                    self._rest = None
            else:
                self._first = None
            if mail.queued:
                mail.queued = False
                self.live -= 1
                return mail
            self._dead -= 1
        return None

    def withdraw(self, mail: MailT) -> bool:
        """Take one message back, wherever it stands; False if it was not waiting here."""
        if not mail.queued:
            return False
        mail.queued = False
        self.live -= 1
        self._dead += 1
        if self._dead > WORTH_COMPACTING and self._dead > self.live:
            mails = list(self)
            self._first, self._rest = (mails[0], deque(mails[1:]) or None) if mails else (None, None)
            self._dead = 0
        return True

    def clear(self) -> list[MailT]:
        """Take everything out, in order."""
        mails = list(self)
        for mail in mails:
            mail.queued = False
        self._first = self._rest = None
        self.live = self._dead = 0
        return mails

    def statistics(self) -> MailboxStatistics:
        """What can be counted."""
        return MailboxStatistics(depth=self.live)
