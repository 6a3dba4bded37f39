"""The queue of a mailbox that has a capacity, priorities or an expiry: bounds, order and age are decided here.

It has the same few methods as :class:`~actors._mailbox.MailQueue`, and is chosen when the actor is spawned, so that a mailbox
without bounds pays for none of this. Each message is held in a letter, which knows what the message does not: its priority, until
when it is good, who sent it, and who waits for it to get in.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

import attrs

from actors._mailbox import WORTH_COMPACTING, Mailbox, MailboxStatistics, MailQueue, MailT
from actors._waiter import wake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from actors._ref import ActorRef
    from actors._waiter import Waiter


EXPIRED_IN_A_ROW = 64
"""Messages that have waited too long, after which the event loop turns. Without it a long backlog of them holds it up."""


@attrs.define(eq=False)
class Letter(Generic[MailT]):
    """One message in its place.

    Attributes:
        mail: the message.
        priority: how urgent it is.
        deadline: until when it may wait, on the event loop's clock.
        sender: the actor that sent it, if it was one.
        waiter: wakes a sender that waits for room.
        there: whether it still waits; a withdrawn letter is dropped when it is reached.
    """

    mail: MailT
    priority: float
    deadline: float
    sender: ActorRef[Any, Any, Any] | None
    waiter: Waiter | None = None
    there: bool = True


class Lanes(Generic[MailT]):
    """Letters in the order in which they are taken: the most urgent first, equal ones in the order they came."""

    __slots__ = ("_dead", "_lanes", "_live", "_priorities")

    def __init__(self) -> None:
        self._lanes: dict[float, deque[Letter[MailT]]] = {}
        self._priorities: list[float] = []  # of the lanes, the least urgent first
        self._live = 0
        self._dead = 0

    def __len__(self) -> int:
        return self._live

    def __iter__(self) -> Iterator[Letter[MailT]]:
        for priority in reversed(self._priorities):
            yield from (letter for letter in self._lanes[priority] if letter.there)

    def push(self, letter: Letter[MailT]) -> None:
        lane = self._lanes.get(letter.priority)
        if lane is None:
            lane = self._lanes[letter.priority] = deque()
            insort(self._priorities, letter.priority)
        lane.append(letter)
        self._live += 1

    def pop(self) -> Letter[MailT] | None:
        """Take the next one out."""
        while self._priorities:
            lane = self._lanes[self._priorities[-1]]
            while lane:
                letter = lane.popleft()
                if letter.there:
                    letter.there = False
                    self._live -= 1
                    return letter
                self._dead -= 1
            del self._lanes[self._priorities.pop()]
        return None

    def least_urgent(self, *, newest: bool) -> Letter[MailT] | None:
        """One of the least urgent letters: the newest of them, or the oldest."""
        end = -1 if newest else 0
        while self._priorities:
            lane = self._lanes[self._priorities[0]]
            while lane and not lane[end].there:
                lane.pop() if newest else lane.popleft()
                self._dead -= 1
            if lane:
                return lane[end]
            del self._lanes[self._priorities.pop(0)]
        return None

    def remove(self, letter: Letter[MailT]) -> None:
        """Take this one out, wherever it stands."""
        letter.there = False
        self._live -= 1
        self._dead += 1
        if self._dead > WORTH_COMPACTING and self._dead > self._live:
            self._lanes = {
                priority: deque(letter for letter in lane if letter.there) for priority, lane in self._lanes.items()
            }
            self._dead = 0


class PolicyQueue(Generic[MailT]):
    """The queue of a mailbox that is not plain.

    Args:
        mailbox: what the user chose.
        clock: tells the event loop's time.
        sender: tells which actor the calling code belongs to.
        expired: is given each message that has waited too long, and its sender.
        pause: makes something that lets others have their turn, to be taken after so many of them in a row.
    """

    __slots__ = (
        "_blocked",
        "_clock",
        "_dropped",
        "_expired",
        "_expired_count",
        "_first",
        "_lanes",
        "_letters",
        "_pause",
        "_peak",
        "_rejected",
        "_sender",
        "mailbox",
    )

    def __init__(
        self,
        mailbox: Mailbox,
        clock: Callable[[], float],
        sender: Callable[[], ActorRef[Any, Any, Any] | None],
        expired: Callable[[MailT, ActorRef[Any, Any, Any] | None], None],
        pause: Callable[[], MailT],
    ) -> None:
        self.mailbox = mailbox
        self._clock = clock
        self._sender = sender
        self._expired = expired
        self._pause = pause
        self._first: deque[MailT] = deque()  # put back in front of all others
        self._lanes: Lanes[MailT] = Lanes()
        self._blocked: Lanes[MailT] = Lanes()  # of senders that wait for room
        self._letters: dict[MailT, Letter[MailT]] = {}  # all of both
        self._peak = self._dropped = self._rejected = self._expired_count = 0

    def __len__(self) -> int:
        return len(self._first) + len(self._lanes)

    @property
    def live(self) -> int:
        """How many messages wait."""
        return len(self)

    def __iter__(self) -> Iterator[MailT]:
        """The messages that wait, in order; those of blocked senders are not among them yet."""
        yield from self._first
        yield from (letter.mail for letter in self._lanes)

    @property
    def full(self) -> bool:
        """Whether there is no room. While senders wait there is none: room goes to the first of them at once."""
        return self.mailbox.capacity is not None and len(self) >= self.mailbox.capacity

    def put(self, mail: MailT) -> None:
        """Add, whether or not there is room: ask ``full`` before."""
        self._add(self._letter(mail))

    def put_first(self, mails: Sequence[MailT]) -> None:
        """Put messages that were taken before in front of all that wait, in this order, whether or not there is room."""
        for mail in reversed(mails):
            mail.queued = True
            self._first.appendleft(mail)
        self._peak = max(self._peak, len(self))

    def put_instead(self, mail: MailT) -> tuple[MailT, ActorRef[Any, Any, Any] | None]:
        """There is no room, and one message has to give way to this one, or this one to them all.

        Returns:
            The message that was dropped, and its sender. It is one of the least urgent: the oldest of them or the newest, as the
            mailbox says.
        """
        newest = self.mailbox.when_full == "drop_newest"
        new = self._letter(mail)
        other = self._lanes.least_urgent(newest=newest)
        dropped = new
        if other is not None and (other.priority < new.priority or (other.priority == new.priority and not newest)):
            self._remove(other)
            self._add(new)
            dropped = other
        self._dropped += 1
        return dropped.mail, dropped.sender

    def reject(self) -> None:
        """Count a message that was refused."""
        self._rejected += 1

    def take(self) -> MailT | None:
        """The next message that has not waited too long, or None. Lets the first waiting sender in."""
        if self._first:
            mail = self._first.popleft()
            mail.queued = False
            self._admit()
            return mail
        now = self._clock() if self.mailbox.expiry is not None else -math.inf
        patience = EXPIRED_IN_A_ROW
        while (letter := self._lanes.pop()) is not None:
            del self._letters[letter.mail]
            letter.mail.queued = False
            self._admit()
            if letter.deadline > now:
                return letter.mail
            self._expired_count += 1
            self._expired(letter.mail, letter.sender)
            patience -= 1
            if not patience:
                return self._pause()
        return None

    def withdraw(self, mail: MailT) -> bool:
        """Take one message back, wherever it stands; False if it was not waiting here. Lets the next sender in."""
        letter = self._letters.get(mail)
        if letter is not None:
            self._remove(letter)
            if letter.waiter is not None:
                wake(letter.waiter)
        elif mail.queued:
            mail.queued = False
            self._first.remove(mail)
        else:
            return False
        self._admit()
        return True

    def block(self, mail: MailT, waiter: Waiter | None) -> None:
        """A message waits for room: it goes in when its turn comes, and its sender, if one waits for that, is woken."""
        letter = self._letter(mail)
        letter.waiter = waiter
        self._letters[mail] = letter
        self._blocked.push(letter)

    def clear(self) -> list[MailT]:
        """Take everything out, in order, those of waiting senders last; the senders are woken."""
        mails = list(self)
        for mail in mails:
            mail.queued = False
        for letter in self._blocked:
            mails.append(letter.mail)
            if letter.waiter is not None:
                wake(letter.waiter)
        self._first.clear()
        self._letters.clear()
        self._lanes, self._blocked = Lanes(), Lanes()
        return mails

    def statistics(self) -> MailboxStatistics:
        """What can be counted."""
        return MailboxStatistics(
            capacity=self.mailbox.capacity,
            depth=len(self),
            peak=self._peak,
            waiting=len(self._blocked),
            dropped=self._dropped,
            rejected=self._rejected,
            expired=self._expired_count,
        )

    def _letter(self, mail: MailT) -> Letter[MailT]:
        mailbox, message = self.mailbox, mail.message
        priority = 0.0 if mailbox.priority is None else mailbox.priority(message)
        if math.isnan(priority):
            raise ValueError(f"the priority of {message!r:.80} is not a number")
        seconds = mailbox.expiry(message) if callable(mailbox.expiry) else mailbox.expiry
        deadline = math.inf if seconds is None else self._clock() + seconds
        return Letter(mail, priority, deadline, self._sender())

    def _add(self, letter: Letter[MailT]) -> None:
        letter.mail.queued = True
        self._letters[letter.mail] = letter
        self._lanes.push(letter)
        self._peak = max(self._peak, len(self))

    def _remove(self, letter: Letter[MailT]) -> None:
        del self._letters[letter.mail]
        (self._lanes if letter.mail.queued else self._blocked).remove(letter)
        letter.mail.queued = False

    def _admit(self) -> None:
        while len(self._blocked) and not self.full:
            letter = self._blocked.pop()
            assert letter is not None
            letter.there = True
            waiter, letter.waiter = letter.waiter, None
            self._add(letter)
            if waiter is not None:
                wake(waiter)


Queue: TypeAlias = MailQueue[MailT] | PolicyQueue[MailT]
"""What stands behind a mailbox."""
