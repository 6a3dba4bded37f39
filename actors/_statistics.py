"""What can be counted about one actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from actors._where import where_suspended

if TYPE_CHECKING:
    from actors._cell import Cell
    from actors._mailbox import MailboxStatistics


@attrs.frozen(kw_only=True)
class ActorStatistics:
    """A snapshot of one actor.

    Attributes:
        path: the actor.
        state: ``starting``, ``idle``, ``busy``, ``restarting``, ``ending`` or ``dead``.
        queued: how many messages wait in its mailbox.
        stashed: how many it has put aside.
        mailbox: what can be counted about its mailbox.
        completed, interrupted, failed: how many of its runs ended so, since it was spawned.
        restarts: how often it has been restarted.
        children: how many children it has.
        run_id: the id of the current run, if it has one.
        doing: what it is doing, in words; empty when it is idle.
    """

    path: str
    state: Literal["starting", "idle", "busy", "restarting", "ending", "dead"]
    queued: int
    stashed: int
    mailbox: MailboxStatistics
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
        state=state_of(cell),
        queued=len(cell.queue),
        stashed=len(cell.stash or ()),
        mailbox=cell.queue.statistics(),
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


def state_of(cell: Cell) -> Literal["starting", "idle", "busy", "restarting", "ending", "dead"]:
    """Where it is in its life, and whether it has something to do."""
    if cell.dead:
        return "dead"
    if cell.restarting:
        return "restarting"
    if cell.ending is not None:
        return "ending"
    if cell.starting:
        return "starting"
    return "idle" if cell.step is None and not cell.queue else "busy"
