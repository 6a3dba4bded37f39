"""Mailboxes: what a user chooses (``Mailbox``) and the queue behind it (``MailQueue``).

The queue is our own rather than a memory object stream: taking is synchronous, so no message is ever in limbo between being
taken and being handled, and senders that wait for room hand over their *message*, not a claim to a slot, so that a cancelled
sender can lose no wake-up and nobody overtakes one that waits.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import attrs

from actors._waiter import wake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors._waiter import Waiter


def _positive(_mailbox: object, _attribute: object, value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or value < 1):
        raise ValueError(f"a mailbox's capacity is a positive whole number, or None for no bound, not {value!r}")


@attrs.frozen
class Mailbox:
    """How an actor's messages wait.

    Args:
        capacity: how many messages may wait; None (the default) sets no bound. When it is full, ``ask``, ``tell`` and
            ``request`` wait for room, in the order they came; ``tell_nowait`` raises :class:`~actors.MailboxFull`. Control
            (interrupt, stop) never waits and does not count.

    Raises:
        ValueError: if the capacity is not a positive whole number.
    """

    capacity: int | None = attrs.field(default=None, validator=_positive)


class Mail(Protocol):
    """What a queue can hold."""

    queued: bool  # still to be delivered; False once taken or withdrawn


MailT = TypeVar("MailT", bound=Mail)

_WORTH_COMPACTING = 64  # withdrawn messages are dropped when they are reached, or when this many are half of all


class MailQueue(Generic[MailT]):
    """First in, first out, with withdrawal and waiting senders.

    An idle actor's queue holds nothing, one message is held by itself, and only a backlog makes a deque (an empty deque
    takes 600 bytes, and most actors are idle).

    Args:
        capacity: see :class:`Mailbox`.
    """

    __slots__ = ("_blocked", "_capacity", "_dead", "_first", "_rest", "live")

    def __init__(self, capacity: int | None) -> None:
        self._capacity = capacity
        self._first: MailT | None = None
        self._rest: deque[MailT] | None = None
        self.live = 0  # how many messages wait
        self._dead = 0
        self._blocked: deque[tuple[MailT, Waiter]] | None = None

    def __len__(self) -> int:
        return self.live

    def __iter__(self) -> Iterator[MailT]:
        """The messages that wait, in order; those of blocked senders are not among them yet."""
        if self._first is not None and self._first.queued:
            yield self._first
        yield from (mail for mail in self._rest or () if mail.queued)

    @property
    def full(self) -> bool:
        """Whether there is no room. While senders wait there is none: room goes to the first of them at once."""
        return self._capacity is not None and self.live >= self._capacity

    def put(self, mail: MailT) -> None:
        """Append, whether or not there is room: ask ``full`` before."""
        mail.queued = True
        self.live += 1
        if self._first is None:
            self._first = mail
        elif self._rest is None:
            self._rest = deque((mail,))
        else:
            self._rest.append(mail)

    def take(self) -> MailT | None:
        """The next message, or None. Lets the first waiting sender in."""
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
                if self._blocked:
                    self._admit()
                return mail
            self._dead -= 1
        return None

    def withdraw(self, mail: MailT) -> bool:
        """Take one message back, wherever it stands; False if it was not waiting here. Lets the next sender in."""
        if not mail.queued:
            return self._unblock(mail)
        mail.queued = False
        self.live -= 1
        self._dead += 1
        if self._dead > _WORTH_COMPACTING and self._dead > self.live:
            self._compact()
        if self._blocked:
            self._admit()
        return True

    def block(self, mail: MailT, waiter: Waiter) -> None:
        """A sender waits for room: its message goes in when its turn comes, and the waiter is woken."""
        if self._blocked is None:
            self._blocked = deque()
        self._blocked.append((mail, waiter))

    def clear(self) -> list[MailT]:
        """Take everything out, in order, those of waiting senders last; the senders are woken."""
        mails = list(self)
        for mail in mails:
            mail.queued = False
        for mail, waiter in self._blocked or ():
            mails.append(mail)
            wake(waiter)
        self._first = self._rest = self._blocked = None
        self.live = self._dead = 0
        return mails

    def _unblock(self, mail: MailT) -> bool:
        for entry in self._blocked or ():
            if entry[0] is mail:
                assert self._blocked is not None
                self._blocked.remove(entry)
                wake(entry[1])
                self._admit()
                return True
        return False

    def _admit(self) -> None:
        assert self._capacity is not None
        while self._blocked and self.live < self._capacity:
            mail, waiter = self._blocked.popleft()
            self.put(mail)
            wake(waiter)

    def _compact(self) -> None:
        mails = list(self)
        self._first, self._rest = (mails[0], deque(mails[1:]) or None) if mails else (None, None)
        self._dead = 0
