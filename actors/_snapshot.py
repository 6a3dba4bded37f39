"""What every actor of a system is and does at one moment, as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from actors._statistics import state_of
from actors._where import where_suspended

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from actors._cell import Cell
    from actors._run import Status


@attrs.frozen(kw_only=True)
class StepSnapshot:
    """What an actor is doing.

    Attributes:
        name: ``reply``, ``handle_interrupt``, ``on_start``, ``on_stop``, or what else it is, in words.
        age: seconds since it first had to wait for something; 0 if it has not had to.
        where: where it is suspended, the innermost place first.
        run_id: the run that it belongs to, if that has an id.
        message: of which type the message of that run is; empty if it belongs to no run.
        status: where that run stands.
        stuck: whether it refuses to end.
        protected: whether an interrupt would wait for the end of a section.
    """

    name: str
    age: float
    where: str
    run_id: str | None = None
    message: str = ""
    status: Status | None = None
    stuck: bool = False
    protected: bool = False


@attrs.frozen(kw_only=True)
class ActorSnapshot:
    """One actor.

    Attributes:
        path: the actor.
        name: the last part of it.
        kind: the name of its class.
        state: as in :class:`~actors.ActorStatistics`.
        queued: how many messages wait in its mailbox.
        waiting: how many senders wait for room there.
        stashed: how many messages it has put aside.
        timers: how many of its timers are active.
        step: what it is doing; None: nothing.
        children: its children, in the order in which they were started.
    """

    path: str
    name: str
    kind: str
    state: Literal["starting", "idle", "busy", "restarting", "ending", "dead"]
    queued: int
    waiting: int
    stashed: int
    timers: int
    step: StepSnapshot | None
    children: tuple[ActorSnapshot, ...]

    def walk(self) -> Iterator[ActorSnapshot]:
        """This actor and all below it, parents before children."""
        to_visit: list[ActorSnapshot] = [self]
        while to_visit:
            snapshot = to_visit.pop()
            yield snapshot
            to_visit.extend(reversed(snapshot.children))


def snapshot_of(roots: Iterable[Cell]) -> tuple[ActorSnapshot, ...]:
    """These actors, with all that are below them."""
    order = list(roots)
    count = len(order)
    for cell in order:  # grows while it is walked; a tree may be deeper than functions may call each other
        order += (cell.children or {}).values()
    made: dict[Cell, ActorSnapshot] = {}
    for cell in reversed(order):
        made[cell] = _actor(cell, tuple(made[child] for child in (cell.children or {}).values()))
    return tuple(made[cell] for cell in order[:count])


def _actor(cell: Cell, children: tuple[ActorSnapshot, ...]) -> ActorSnapshot:
    return ActorSnapshot(
        path=cell.path,
        name=cell.name,
        kind=type(cell.actor).__qualname__ if cell.actor is not None else "",
        state=state_of(cell),
        queued=len(cell.queue),
        waiting=cell.queue.statistics().waiting,
        stashed=len(cell.stash or ()),
        timers=len(cell.timers or ()),
        step=_step(cell),
        children=children,
    )


def _step(cell: Cell) -> StepSnapshot | None:
    if cell.step is None:
        return None
    since = cell.lever.suspended_since() if cell.lever is not None else None
    run = cell.current
    return StepSnapshot(
        name=cell.step.value,
        age=cell.system.clock() - since if since is not None else 0.0,
        where=where_suspended(cell.coroutine),
        run_id=run.known_id if run is not None else None,
        message=type(run.message).__qualname__ if run is not None else "",
        status=run.status if run is not None else None,
        stuck=run.stuck if run is not None else False,
        protected=run.protected > 0 if run is not None else False,
    )
