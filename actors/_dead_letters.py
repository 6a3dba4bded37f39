"""Messages that nobody will answer and nobody else is told of: none is dropped silently."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from actors._events import DeadLetter
from actors._logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors._cell import Cell
    from actors._events import EventStream

logger = get_logger("actors.dead_letters")

_KEPT = 1000


class DeadLetters:
    """The dead letters of one system: each is logged, published and handed to ``listener``; the last 1,000 are kept.

    Args:
        stream: the system's events.
        listener: called with each, on the event loop; what it raises is logged.
    """

    def __init__(self, stream: EventStream, listener: Callable[[DeadLetter], None] | None = None) -> None:
        self._stream = stream
        self._listener = listener
        self._kept: deque[DeadLetter] = deque(maxlen=_KEPT)
        self.count = 0

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(tuple(self._kept))

    def add(self, cell: Cell, message: object, reason: str) -> None:
        """This message for this actor is not delivered."""
        letter = DeadLetter(cell.path, message, reason, at=cell.system.clock())
        self.count += 1
        self._kept.append(letter)
        logger.warning("message.dead_letter", actor=cell.path, reason=reason, kind=type(message).__qualname__)
        if self._stream.heard:
            self._stream.publish(letter)
        if self._listener is None:
            return
        try:
            self._listener(letter)
        except Exception as error:
            logger.error("dead_letter.listener_failed", actor=cell.path, exc_info=error)
