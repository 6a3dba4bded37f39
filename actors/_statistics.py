"""What can be counted about one actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from actors._where import where_suspended

if TYPE_CHECKING:
    from actors._cell import Cell


@attrs.frozen(kw_only=True)
class ActorStatistics:
    """A snapshot of one actor.

    Attributes:
        path: the actor.
        state: ``starting``, ``idle``, ``busy``, ``restarting``, ``ending`` or ``dead``.
        queued: how many messages wait in its mailbox.
        completed, interrupted, failed: how many of its runs ended so, since it was spawned.
        restarts: how often it has been restarted.
        children: how many children it has.
        run_id: the id of the current run, if it has one.
        doing: what it is doing, in words; empty when it is idle.
    """

    path: str
    state: Literal["starting", "idle", "busy", "restarting", "ending", "dead"]
    queued: int
    completed: int
    interrupted: int
    failed: int
    restarts: int
    children: int
    run_id: str | None
    doing: str


def statistics(cell: Cell) -> ActorStatistics:
    """The snapshot of now."""
    return ActorStatistics(
        path=cell.path,
        state=_state(cell),
        queued=len(cell.queue),
        completed=cell.completed,
        interrupted=cell.interrupted,
        failed=cell.failed,
        restarts=cell.supervised.restarts if cell.supervised is not None else 0,
        children=len(cell.children or ()),
        run_id=cell.current.known_id if cell.current is not None else None,
        doing=doing(cell),
    )


def doing(cell: Cell) -> str:
    """What the actor is doing and where it waits, in words; empty if it is doing nothing."""
    if cell.step is None:
        return ""
    return f"{cell.step.value}, at {where_suspended(cell.coroutine)}"


def _state(cell: Cell) -> Literal["starting", "idle", "busy", "restarting", "ending", "dead"]:
    if cell.dead:
        return "dead"
    if cell.restarting:
        return "restarting"
    if cell.ending is not None:
        return "ending"
    if cell.starting:
        return "starting"
    return "idle" if cell.step is None and not cell.queue else "busy"
