"""Actors that answer in another way for a while: ``become`` and ``unbecome``.

The behaviour stands on the instance in place of its class's ``reply``. So it costs nothing for those who have none, and is gone
with the instance.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from actors._errors import ActorStopped, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors._cell import Cell


def become(cell: Cell, behaviour: Callable[[Any], Any]) -> None:
    """See :meth:`ActorContext.become`.

    Raises:
        UsageError: it is no behaviour for this actor.
        ActorStopped: the actor has ended.
    """
    actor = cell.actor
    if actor is None:
        raise ActorStopped(f"{cell.path} has stopped and becomes nothing any more", ref=cell.ref)
    if not callable(behaviour):
        raise UsageError(f"{cell.path} cannot become {behaviour!r}: a behaviour is a function like reply", ref=cell.ref)
    if inspect.isasyncgenfunction(behaviour) and not actor._overrides("assemble"):
        raise UsageError(
            f"{cell.path} cannot become {behaviour.__qualname__}: it is an async generator, and there is no assemble(chunks) "
            f"to make its reply",
            ref=cell.ref,
        )
    actor.__dict__["reply"] = behaviour


def unbecome(cell: Cell) -> None:
    """See :meth:`ActorContext.unbecome`."""
    if cell.actor is not None:
        cell.actor.__dict__.pop("reply", None)
