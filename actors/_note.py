"""Something for an actor between runs that is not a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from contextvars import Context


@attrs.define(eq=False)
class Note:
    """Wants ``await getattr(actor, method)(message)`` in its turn, in order with its sender's messages; nobody waits for it.

    Attributes:
        method: the name of the actor's method.
        message: its argument.
        context: the sender's context, in which it runs; None for the system's own.
        queued: whether it is in the mailbox now.
    """

    method: str
    message: Any
    context: Context | None = None
    queued: bool = False
