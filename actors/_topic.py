"""Topics: what is published is told to all who have subscribed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from actors._compat import TypeVar
from actors._current import sender
from actors._errors import UsageError
from actors._logging import get_logger
from actors._sending import takes_mail

if TYPE_CHECKING:
    from actors._ref import ActorRef

logger = get_logger("actors.topic")

M = TypeVar("M")


class Topic(Generic[M]):
    """A subject on which messages are published. Give it to those who publish and to those who subscribe; there is no registry.

    It is used on the event loop of its subscribers' system. ::

        news: Topic[str] = Topic("news")
        news.subscribe(reader)
        news.publish("extra")

    Args:
        name: what to call it in the log.
    """

    __slots__ = ("_subscribers", "name")

    def __init__(self, name: str = "topic") -> None:
        self.name = name
        self._subscribers: dict[ActorRef[M, Any, Any], None] = {}

    @property
    def subscribers(self) -> tuple[ActorRef[M, Any, Any], ...]:
        """Who will be told, in the order in which they subscribed."""
        self._drop_the_dead()
        return tuple(self._subscribers)

    def subscribe(self, ref: ActorRef[M, Any, Any]) -> None:
        """Tell this actor what is published from now on, until it ends. To subscribe twice is to subscribe once."""
        self._drop_the_dead()
        self._subscribers[ref] = None

    def unsubscribe(self, ref: ActorRef[M, Any, Any]) -> bool:
        """Tell this actor nothing any more; whether it had subscribed."""
        return self._subscribers.pop(ref, self) is None

    def publish(self, message: M) -> int:
        """Tell all who have subscribed, each in order with what else is published here, and wait for nobody.

        One whose mailbox is full and drops nothing does not get it: it becomes a dead letter. That changes nothing for the
        others. Subscribers that have ended, or are about to, are dropped.

        Args:
            message: what to tell; all get the same object.

        Returns:
            How many were told.

        Raises:
            WrongThreadError: off the event loop of a subscriber.
        """
        self._drop_the_dead()
        told = 0
        for ref in tuple(self._subscribers):
            try:
                ref.tell_nowait(message)
            except UsageError:
                raise  # the publisher's own fault
            except Exception as error:  # noqa: BLE001 - a full mailbox, a priority that raises: that subscriber's own affair
                reason = f"it was published and could not be delivered: {error}"
                ref._cell.system.dead_letters.add(ref._cell, message, reason, sender())
            else:
                told += 1
        return told

    def _drop_the_dead(self) -> None:
        for ref in [ref for ref in self._subscribers if not takes_mail(ref._cell)]:
            del self._subscribers[ref]
            logger.debug("topic.subscriber_ended", topic=self.name, actor=ref.path)

    def __repr__(self) -> str:
        return f"<Topic {self.name}: {len(self._subscribers)} subscribers>"
