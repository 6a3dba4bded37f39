"""Messages that nobody will answer: none is dropped silently."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from actors._events import DeadLetter
from actors._log_limit import LogLimit
from actors._logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors._cell import Cell
    from actors._events import EventStream
    from actors._ref import ActorRef

logger = get_logger("actors.dead_letters")

_KEPT = 1000


class DeadLetters:
    """The dead letters of one system: told to whoever has subscribed, and logged, at a limited rate; the last 1,000 are kept.

    Iterating gives those that are kept, ``count`` says how many there were.

    Args:
        stream: the system's events.
        listener: the first subscriber.
    """

    def __init__(self, stream: EventStream, listener: Callable[[DeadLetter], object] | None = None) -> None:
        self._stream = stream
        self._listeners: list[Callable[[DeadLetter], object]] = [listener] if listener is not None else []
        self._kept: deque[DeadLetter] = deque(maxlen=_KEPT)
        self._limit = LogLimit()
        self._telling = False
        self.count = 0

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(tuple(self._kept))

    def subscribe(self, listener: Callable[[DeadLetter], object]) -> Callable[[], None]:
        """Be told of each dead letter from now on; an actor can be, by its ``ref.tell_nowait``.

        What a listener raises is logged and changes nothing for the others. Letters that come up while one is being told (a
        listener's own message to an actor that has ended) are kept and logged, and told to nobody.

        Args:
            listener: called with each letter, on the event loop.

        Returns:
            A function that ends the subscription.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def add(self, cell: Cell, message: object, reason: str, sender: ActorRef[Any, Any, Any] | None = None) -> None:
        """For the machinery: this message for this actor is not delivered."""
        letter = DeadLetter(cell.path, message, reason, sender, at=cell.system.clock())
        self.count += 1
        self._kept.append(letter)
        logged = self._admits(cell)
        if logged:
            logger.warning(
                "message.dead_letter",
                actor=cell.path,
                reason=reason,
                kind=type(message).__qualname__,
                sender=sender.path if sender is not None else None,
            )
        if self._stream.heard:
            self._stream.publish(letter)
        if not self._telling:
            self._tell(letter, logged=logged)

    def summarise(self) -> None:
        """For the machinery: say in the log how many entries were left out."""
        left_out = self._limit.take_left_out()
        if left_out:
            logger.warning("message.dead_letters_left_out", count=left_out, total=self.count)

    def _admits(self, cell: Cell) -> bool:
        timetable = cell.system.timetable
        if not timetable.is_open:
            return True  # nobody would tell how many were left out
        if self._limit.admits(cell.system.clock()):
            return True
        if self._limit.first_left_out:
            timetable.call_at(self._limit.ends_at, self.summarise)
        return False

    def _tell(self, letter: DeadLetter, *, logged: bool) -> None:
        self._telling = True
        try:
            for listener in tuple(self._listeners):
                try:
                    listener(letter)
                except Exception as error:
                    if logged:
                        logger.error("dead_letter.listener_failed", actor=letter.path, exc_info=error)
        finally:
            self._telling = False
