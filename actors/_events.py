"""What happens in a system, for those who watch it: the records, and the stream on which they can be subscribed to.

Nobody is called back and nobody is waited for: each subscriber has a bounded queue of his own, and one that is slow loses his
oldest events, and is told how many. While there is no subscriber no record is even made.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import attrs

from actors._errors import UsageError, WrongThreadError
from actors._waiter import wake

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from actors._interruption import Source
    from actors._ref import ActorRef
    from actors._waiter import Waiter

Death: TypeAlias = Literal["stopped", "killed", "failed"]
"""How an actor has ended: in order, by ``kill()``, or because it failed and its supervision said so."""

CAPACITY = 1000
"""How many events wait for a subscriber who did not say."""


@attrs.frozen
class Event:
    """Something has happened to an actor.

    Attributes:
        path: the actor.
        at: when, in seconds on the event loop's clock (``anyio.current_time()``).
    """

    path: str
    at: float = attrs.field(default=0.0, kw_only=True)


@attrs.frozen
class Started(Event):
    """It takes messages: its ``on_start`` has succeeded."""


@attrs.frozen
class Stopped(Event):
    """It has ended, and its name is free again.

    Attributes:
        reason: how.
        error: with what it has failed, if it has.
    """

    reason: Death
    error: BaseException | None = None


@attrs.frozen
class Restarted(Event):
    """It goes on with a new instance, whose ``on_start`` has succeeded.

    Attributes:
        error: why.
        restarts: how often it has been restarted by now.
        pause: seconds for which it was away.
    """

    error: BaseException
    restarts: int
    pause: float


@attrs.frozen
class Interrupted(Event):
    """One of its runs was interrupted, and has ended.

    Attributes:
        run_id, reason, by, source: as in :class:`~actors.Interruption`.
    """

    run_id: str
    reason: str
    by: str | None
    source: Source


@attrs.frozen
class Stuck(Event):
    """Something of it refuses to end.

    Attributes:
        step: what: ``reply``, ``handle_interrupt``, ``on_stop`` and the like.
        run_id: which run, if it is one.
        where: where it hangs, as a stack in text.
    """

    step: str
    run_id: str | None
    where: str


@attrs.frozen
class Overflow(Event):
    """Its mailbox had no room for a message.

    Attributes:
        policy: what happens then.
        queued: how many messages wait.
    """

    policy: str
    queued: int


@attrs.frozen
class DeadLetter(Event):
    """A message that was not delivered.

    Attributes:
        path: the actor it was for.
        message: the message.
        reason: why it was not delivered, in words.
        sender: the actor that sent it; None if it was none. For what was left in a mailbox without bounds, it is known only
            while the run that sent it goes on.
    """

    message: Any
    reason: str
    sender: ActorRef[Any, Any, Any] | None = None


class EventStream:
    """The events of one system. Those who publish look at ``heard`` first, so that an event nobody hears is never made.

    Args:
        name: of the system, for errors.
    """

    def __init__(self, name: str) -> None:
        self.heard = False
        self._name = name
        self._subscribers: tuple[Subscription, ...] = ()
        self._new_waiter: Callable[[], Waiter] | None = None
        self._thread: int | None = None
        self._over = False

    def open(self, new_waiter: Callable[[], Waiter], thread: int) -> None:
        """The system has opened, on this thread."""
        self._new_waiter = new_waiter
        self._thread = thread

    def close(self) -> None:
        """Nothing happens any more: the subscribers get what waits for them, and then the end."""
        self._over = True
        for subscriber in self._subscribers:
            subscriber.wake()

    def publish(self, event: Event) -> None:
        """To each subscriber who wants it."""
        for subscriber in self._subscribers:
            subscriber.offer(event)

    # -- for subscriptions

    @property
    def over(self) -> bool:
        """Whether the system has ended."""
        return self._over

    def add(self, subscriber: Subscription) -> None:
        """This one hears from now on.

        Raises:
            UsageError: the system has not been opened.
            WrongThreadError: off its event loop.
        """
        if self._new_waiter is None:
            raise UsageError(f"the system {self._name!r} has not been opened; subscribe to its events inside its block")
        if threading.get_ident() != self._thread:
            raise WrongThreadError(f"the events of the system {self._name!r} are read on its event loop's thread only")
        self._subscribers = (*self._subscribers, subscriber)
        self.heard = True

    def remove(self, subscriber: Subscription) -> None:
        """This one hears no more."""
        self._subscribers = tuple(each for each in self._subscribers if each is not subscriber)
        self.heard = bool(self._subscribers)

    def new_waiter(self) -> Waiter:
        """A waiter of the system's event loop."""
        assert self._new_waiter is not None
        return self._new_waiter()


class Subscription:
    """What ``system.events()`` returns: a context manager, and inside it an asynchronous iterator for one reader.

    It ends after the last event of the system.

    Args:
        stream: the events.
        kinds: the classes of events that are wanted; empty means all.
        capacity: how many may wait; beyond that the oldest are lost.
    """

    def __init__(self, stream: EventStream, kinds: tuple[type[Event], ...], capacity: int) -> None:
        if capacity < 1:
            raise UsageError(f"a subscription has room for a positive number of events, not {capacity!r}")
        self.missed = 0
        self._stream = stream
        self._kinds = kinds
        self._waiting: deque[Event] = deque()
        self._capacity = capacity
        self._waiter: Waiter | None = None

    def __enter__(self) -> Self:
        self._stream.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.remove(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._waiting:
            if self._stream.over:
                raise StopAsyncIteration
            self._waiter = self._stream.new_waiter()
            await self._waiter
        return self._waiting.popleft()

    def pending(self) -> list[Event]:
        """Take out all that wait now, without waiting."""
        events = list(self._waiting)
        self._waiting.clear()
        return events

    # -- for the stream

    def offer(self, event: Event) -> None:
        """Something has happened."""
        if self._kinds and not isinstance(event, self._kinds):
            return
        if len(self._waiting) == self._capacity:
            self._waiting.popleft()
            self.missed += 1
        self._waiting.append(event)
        self.wake()

    def wake(self) -> None:
        """Look again."""
        if self._waiter is not None:
            wake(self._waiter)
