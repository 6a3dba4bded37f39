"""Interrupting a run: the synchronous heart, and the receipt that is waited for.

Interrupting looks at the one run it names and acts on it at once. It never queues and never sets a flag for a later run.
Waiting for the outcome is a separate step, and never done inside the run that is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from actors._errors import MessageWithdrawn, ReplyStuckError
from actors._interruption import Interruption, Outcome, Receipt, Source
from actors._run import ASK, CLOSING, HANDLING, QUEUED, REGISTERING, REPLYING, SETTLED
from actors._waiting import waiting, waits_for_itself
from actors._where import where_suspended

if TYPE_CHECKING:
    from actors._cell import Cell
    from actors._run import Run

GRACE = 5.0
"""Seconds that an interrupted reply has to end before it is reported as stuck, where the interrupter did not say."""


def interrupt_run(
    run: Run[Any, Any],
    *,
    reason: str = "",
    by: str | None = None,
    source: Source = "caller",
    message: object = None,
    grace: float = GRACE,
    below: bool = True,
) -> Outcome | None:
    """Interrupt this run now, on its event loop's thread, without waiting.

    The first interrupt of a run is the one that counts; later ones join it. ``below`` is as for ``cut``.

    Returns:
        ``finished`` (it has ended), ``handling`` (``handle_interrupt`` runs already), ``deferred`` (accepted for later), or
        None: the reply is being cut.
    """
    phase = run.phase
    if phase is SETTLED or phase is CLOSING:
        return "finished"
    if phase is HANDLING:
        return "handling"
    if run.request is not None:
        return "deferred" if run.protected or phase is not REPLYING else None
    run.request = Interruption(
        run_id=run.id, reason=reason, by=by, source=source, message=message, requested_at=run.cell.system.clock()
    )
    if phase is QUEUED:
        run.cell.answer_next(run)
        return "deferred"
    if phase is REGISTERING or run.protected:
        return "deferred"
    cut(run, grace, below=below)
    return None


def cut(run: Run[Any, Any], grace: float = GRACE, *, below: bool = True) -> None:
    """Cancel the reply of a run that has an interrupt to obey, and interrupt what was requested in it.

    Args:
        run: the run.
        grace: seconds that the reply has to end.
        below: whether to go on to what was requested in it; False for a caller who does that himself.
    """
    run.cell.system.watchdog.watch(run.cell, grace)
    if run.cell.lever is not None:
        run.cell.lever.cut()
    to_visit = [run] if below else []
    for parent in to_visit:  # a list and no recursion: a tree may be deeper than functions may call each other
        for child in tuple(parent.children or ()):
            if interrupt_below(parent, child, below=False):
                to_visit.append(child)  # noqa: PERF401 - the list grows while it is walked


def interrupt_below(parent: Run[Any, Any], child: Run[Any, Any], *, below: bool = True) -> bool:
    """The parent is being interrupted: so is this child, for the same reason, and the parent's receipt waits for it.

    Returns:
        Whether the child's reply is being cut.
    """
    request = parent.request
    assert request is not None
    if child.detached:
        return False
    joined = child.request is not None
    outcome = interrupt_run(child, reason=request.reason, by=request.by, source="ancestor", below=below)
    if outcome != "finished":
        if parent.cut_children is None:
            parent.cut_children = {}
        parent.cut_children[child] = None
    return outcome is None and not joined


def asker_gone(run: Run[Any, Any], asker: Run[Any, Any] | None, source: Source) -> None:
    """Nobody waits for this run any more: withdraw it if it is queued, interrupt it if it runs, leave it if detached.

    Args:
        run: the run that was asked for.
        asker: the run that asked for it, if it was asked for inside one.
        source: why the asker left: ``asker_gone``, ``deadline``, ``disconnected``.
    """
    if run.settled:
        return
    run.abandoned = run.origin is ASK  # nobody is told of a failure now
    if run.detached:
        return
    if run.phase is QUEUED and run.request is None:
        run.cell.take_back(run)
        run.settle("stopped", error=MessageWithdrawn("its asker is gone", ref=run.cell.ref, run_id=run.known_id))
    elif asker is not None and asker.request is not None:
        interrupt_below(asker, run)
    else:
        interrupt_run(run, source=source)


async def interrupt_and_wait(
    cell: Cell, run: Run[Any, Any] | None, *, reason: str, by: str | None, message: object, grace: float
) -> Receipt:
    """Interrupt, then wait until the run and all that was interrupted with it have ended, or the grace is over."""
    if run is None:
        return Receipt(outcome="idle", path=cell.path, reason=reason, by=by, still_queued=len(cell.queue))
    began = anyio.current_time()
    outcome = interrupt_run(run, reason=reason, by=by, message=message, grace=grace)
    if outcome == "finished":
        return Receipt(
            outcome="finished", run_id=run.id, path=cell.path, reason=reason, by=by, still_queued=len(cell.queue)
        )
    if not waits_for_itself(cell):
        with anyio.move_on_after(grace), waiting(cell):
            await _ended(run)
    return receipt(run, reason=reason, by=by, elapsed=anyio.current_time() - began)


async def interrupt_all_and_wait(
    runs: list[Run[Any, Any]], *, reason: str, by: str | None, message: object, grace: float
) -> tuple[Receipt, ...]:
    """Interrupt them all, then wait until all have ended, or the grace is over. Their receipts, in the same order."""
    began = anyio.current_time()
    for run in runs:
        interrupt_run(run, reason=reason, by=by, message=message, grace=grace)
    with anyio.move_on_after(grace):
        for run in runs:
            if not waits_for_itself(run.cell):
                with waiting(run.cell):
                    await _ended(run)
    elapsed = anyio.current_time() - began
    return tuple(receipt(run, reason=reason, by=by, elapsed=elapsed) for run in runs)


def receipt(run: Run[Any, Any], *, reason: str, by: str | None, elapsed: float) -> Receipt:
    """What has become of the interrupt of this run by now."""
    order = [run]
    for each in order:  # grows while it is walked: every run before those that were cut with it
        order += each.cut_children or ()
    receipts: dict[Run[Any, Any], Receipt] = {}
    for each in reversed(order):
        children = tuple(receipts[child] for child in each.cut_children or () if child in receipts)
        receipts[each] = _receipt(each, children, reason=reason, by=by, elapsed=elapsed)
    return receipts[run]


def _receipt(
    run: Run[Any, Any], children: tuple[Receipt, ...], *, reason: str, by: str | None, elapsed: float
) -> Receipt:
    outcome = _outcome(run)
    where = _where(run) if outcome == "stuck" else ""
    hangs = [child.where for child in children if child.outcome == "stuck"]
    if outcome == "interrupted" and any(child.outcome in ("stuck", "handling", "deferred") for child in children):
        outcome = "stuck" if hangs else "deferred"  # never a success while anything below still runs
    return Receipt(
        outcome=outcome,
        run_id=run.id,
        path=run.cell.path,
        reason=reason,
        by=by,
        elapsed=elapsed,
        partial=run.partial,
        children=children,
        still_queued=len(run.cell.queue),
        where=where or "; ".join(hangs),
    )


def _outcome(run: Run[Any, Any]) -> Outcome:
    if run.settled:
        if isinstance(run.error, ReplyStuckError):
            return "stuck"  # its actor went on without it
        status = run.status
        if status == "interrupted":
            return "interrupted"
        return "completed" if status == "completed" else "failed"
    if run.phase is HANDLING or run.phase is CLOSING:
        return "handling"
    if run.phase is not REPLYING or run.protected or waits_for_itself(run.cell):
        return "deferred"  # the last: it is the caller's own, and cut at its next await
    return "stuck"


def _where(run: Run[Any, Any]) -> str:
    return run.error.where if isinstance(run.error, ReplyStuckError) else where_suspended(run.cell.coroutine)


async def _ended(run: Run[Any, Any]) -> None:
    """Wait for the end of the run and of all that was cut with it."""
    runs = [run]
    for each in runs:
        await each.wait_unwatched()
        runs += each.cut_children or ()
