"""Which run the calling code belongs to.

Context variables here hold weak references and flags only: asyncio keeps a cancelled timer together with its context until the
timer is due, so a run in a context variable would keep its message and everything it produced alive that long.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from actors._step import Step

if TYPE_CHECKING:
    from weakref import ReferenceType

    from actors._cell import Cell
    from actors._note import Note
    from actors._ref import ActorRef
    from actors._run import Run

current_run: ContextVar[ReferenceType[Run[Any, Any]] | None] = ContextVar("actors_current_run", default=None)
"""The run whose reply (or ``handle_interrupt``) the calling code is part of, also in tasks that it started."""

committing: ContextVar[bool] = ContextVar("actors_committing", default=False)
"""Whether the calling code runs inside ``commit()``: what it requests is not interrupted with the run."""


current_hook: ContextVar[ReferenceType[Cell] | None] = ContextVar("actors_current_hook", default=None)
"""The actor whose ``on_start`` or ``on_stop`` the calling code is part of, while that runs."""


def hook_of_caller() -> Cell | None:
    """The actor whose hook the calling code is part of, if that hook still runs."""
    reference = current_hook.get()
    cell = reference() if reference is not None else None
    return cell if cell is not None and cell.step in (Step.START, Step.STOP) else None


def sender_of(mail: Run[Any, Any] | Note) -> ActorRef[Any, Any, Any] | None:
    """The actor in whose run this was sent; None if there was none, if that run is forgotten, or if its reply had begun."""
    reference = mail.context.get(current_run) if mail.context is not None else None
    run = reference() if reference is not None else None
    return run.cell.ref if run is not None and run is not mail else None


def sender() -> ActorRef[Any, Any, Any] | None:
    """The actor that the calling code belongs to, in one of its runs or hooks."""
    run = running()
    cell = run.cell if run is not None else hook_of_caller()
    return cell.ref if cell is not None else None


def running() -> Run[Any, Any] | None:
    """The run that the calling code belongs to, if that run has not ended."""
    reference = current_run.get()
    if reference is None:
        return None
    run = reference()
    if run is None or run.settled or threading.get_ident() != run.cell.system.thread:
        return None  # over, or the context was copied into another thread
    return run


def is_own(cell: Cell) -> bool:
    """Whether the calling code is part of a run of this actor, or of its hook that runs now."""
    run = running()
    return (run is not None and run.cell is cell) or hook_of_caller() is cell
