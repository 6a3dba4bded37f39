"""What can be counted about one actor."""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class ActorStatistics:
    """A snapshot of one actor.

    Attributes:
        path: the actor.
        state: ``starting``, ``idle``, ``busy``, ``ending`` or ``dead``.
        queued: how many messages wait in its mailbox.
        completed, interrupted, failed: how many of its runs ended so, since it was spawned.
        children: how many children it has.
        run_id: the id of the current run, if it has one.
        doing: what it is doing, in words; empty when it is idle.
    """

    path: str
    state: Literal["starting", "idle", "busy", "ending", "dead"]
    queued: int
    completed: int
    interrupted: int
    failed: int
    children: int
    run_id: str | None
    doing: str
