"""What a system has not answered when it ends."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from actors._logging import get_logger
from actors._run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors._cell import Cell
    from actors._system import ActorSystem

logger = get_logger("actors.system")


@attrs.frozen
class LeftQueued:
    """What was still queued in one mailbox when the time for draining was over, or when the system was cut.

    Whoever had asked was told (``ActorStopped``), what was told is a dead letter; this is the sum.

    Attributes:
        path: the actor.
        count: how many messages.
        kinds: how many of each class, by its name.
    """

    path: str
    count: int
    kinds: dict[str, int]


def report_left(system: ActorSystem, cells: Iterable[Cell]) -> None:
    """These actors answer nothing any more: what waits there is logged, and added to ``system.left_queued``."""
    for cell in cells:
        messages: list[Any] = [
            mail.message for mail in (*(cell.urgent or ()), *(cell.stash or ()), *cell.queue) if isinstance(mail, Run)
        ]
        if messages:
            kinds = Counter(type(message).__qualname__ for message in messages)
            left = LeftQueued(cell.path, len(messages), dict(kinds))
            system.left_queued = (*system.left_queued, left)
            logger.warning(
                "system.left_queued", system=system.name, actor=cell.path, count=left.count, kinds=left.kinds
            )
