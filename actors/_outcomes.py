"""What an ending means: which steps follow, and what becomes of the run.

Decided by what came out of the step, not by flags: a value is a reply, interrupt or not; an exception is a failure; if nothing
came out, the run was interrupted.
"""

from __future__ import annotations

from functools import partial
from logging import INFO
from typing import TYPE_CHECKING, Any

from actors import _events as events
from actors._errors import ActorStopped, Interrupted, ReplyCancelled, RunCancelledError
from actors._interrupt import interrupt_below, interrupt_run
from actors._interruption import Interruption
from actors._logging import get_logger
from actors._run import CLOSING, HANDLING, REPLYING, Origin, Run, Status
from actors._stash import put_aside, says_stashed
from actors._step import Ending, Step

if TYPE_CHECKING:
    from actors._cell import Cell
    from actors._ref import ActorRef
    from actors._registrar import Registrar
    from actors.abc import CancelIntent

logger = get_logger("actors.run")


def after_reply(cell: Cell, run: Run[Any, Any], ending: Ending, value: Any) -> None:
    """The reply has ended."""
    if ending is Ending.RETURNED:
        conclude(cell, run, "completed", value)
    elif ending is Ending.ABORTED or (ending is Ending.CUT and run.request is None):
        conclude(cell, run, "stopped", error=stopped_error(cell, run))
    elif ending is Ending.RAISED and not (_says_cancelled(cell, run, value) or says_stashed(run, value)):
        conclude(cell, run, "failed", error=value)
    elif ending is Ending.STRAY and run.request is None:
        conclude(cell, run, "failed", error=_cancelled_error(cell, run, value))
    elif cell.ending is not None and cell.ending.kills:
        conclude(cell, run, "stopped", error=stopped_error(cell, run))
    elif run.request is None:
        put_aside(cell, run)  # what came out says that it was stashed
    else:
        if cell.actor is not None:
            cell.actor._reply_ended("interrupted")
        run.phase = HANDLING
        cell.next_step = Step.HANDLE


def after_handle(cell: Cell, run: Run[Any, Any], ending: Ending, value: Any) -> None:
    """``handle_interrupt`` has ended."""
    if ending is Ending.RETURNED:
        conclude(cell, run, "interrupted", value)
    elif ending is Ending.ABORTED or (ending is Ending.CUT and cell.ending is not None and cell.ending.kills):
        conclude(cell, run, "stopped", error=stopped_error(cell, run))
    elif ending is Ending.RAISED and not isinstance(value, Interrupted):
        conclude(cell, run, "failed", error=value)
    elif ending is Ending.RAISED and value.run_id == run.id:
        conclude(cell, run, "interrupted", error=value)
    else:
        if ending is not Ending.RAISED:
            logger.warning("handle_interrupt.cut", actor=cell.path, run_id=run.id, limit=cell.interrupt_timeout)
        conclude(cell, run, "interrupted", error=_nothing_made_of_it(cell, run))


def give_up_handling(cell: Cell, run: Run[Any, Any]) -> None:
    """``handle_interrupt`` refuses to end, long after its time: tell whoever asked. The actor stays busy until it ends."""
    run.settle("interrupted", error=_nothing_made_of_it(cell, run))


def after_register(cell: Cell, run: Run[Any, Any], ending: Ending, value: Any) -> None:
    """The manager has the run, or could not take it."""
    if ending is Ending.RETURNED:
        cell.next_step = registered(cell, run, value)
    elif ending is Ending.RAISED:
        conclude(cell, run, "failed", error=value)
    elif ending is Ending.STRAY and run.request is None:
        run.registered = True  # it may have happened
        conclude(cell, run, "failed", error=_cancelled_error(cell, run, value))
    elif ending is Ending.STRAY:
        cell.next_step = registered(cell, run, None)
    else:
        run.registered = True
        conclude(cell, run, "stopped", error=stopped_error(cell, run))


def still_right(cell: Cell, run: Run[Any, Any], step: Step) -> bool:
    """Whether this step of the run is still what has to come; if not, what has to come instead is under way.

    Between two steps the actor may have been killed, and before its reply the run may have been interrupted.
    """
    if step is Step.RELEASE:
        return True
    if cell.ending is not None and cell.ending.kills:
        conclude(cell, run, "stopped", error=stopped_error(cell, run))
        return False
    if step is Step.REPLY and run.request is not None:
        cell.next_step = _instead_of_reply(cell, run)
        return False
    return True


def registered(cell: Cell, run: Run[Any, Any], intent: CancelIntent | None) -> Step | None:
    """The run is registered; what follows depends on whether it was cancelled before."""
    run.registered = True
    if intent is not None:
        interrupt_run(run, reason=intent.reason, by=intent.by, source="manager")
    return Step.REPLY if run.request is None else _instead_of_reply(cell, run)


def _instead_of_reply(cell: Cell, run: Run[Any, Any]) -> Step | None:
    """The run was interrupted before its reply began."""
    request = run.request
    assert request is not None
    if run.abandoned and request.source in ("asker_gone", "deadline", "ancestor"):  # withdrawn without a word
        conclude(cell, run, "stopped", error=stopped_error(cell, run))
        step, cell.next_step = cell.next_step, None
        return step
    run.phase = HANDLING
    return Step.HANDLE


def conclude(
    cell: Cell, run: Run[Any, Any], status: Status, value: Any = None, error: BaseException | None = None
) -> None:
    """This is what comes of the run: undo its registration, then tell whoever asked."""
    if status != "interrupted" and cell.actor is not None and run.phase is REPLYING:
        cell.actor._reply_ended(status)
    if not run.settled:  # else whoever asked has been told already
        run.phase = CLOSING
        run.outcome = (status, value, error)
    if run.registered and cell.registrar is not None:
        if not cell.registrar.inline:
            cell.next_step = Step.RELEASE
            return
        _release_inline(cell, run, cell.registrar)
    settle(cell, run)


def forget_registration(cell: Cell, run: Run[Any, Any]) -> None:
    """The run is about to be settled without a turn of its own. If it has been stashed it may be registered."""
    if not run.registered or cell.registrar is None:
        return
    run.registered = False
    if cell.registrar.inline:
        _release_inline(cell, run, cell.registrar)
    elif cell.system.is_open:  # else the registrar, which is being closed, undoes what is left
        cell.system.background.start(partial(cell.registrar.release, run.id), "release")


def _release_inline(cell: Cell, run: Run[Any, Any], registrar: Registrar) -> None:
    try:
        registrar.release_nowait(run.id)
    except Exception as error:  # noqa: BLE001 - a broken manager never fails a healthy reply
        logger.error("manager_unreachable", actor=cell.path, run_id=run.id, wanted=False, error=repr(error))


def settle(cell: Cell, run: Run[Any, Any]) -> None:
    """Tell whoever asked, count, and log what nobody else is told."""
    cell.current = None
    if run.settled:
        return
    assert run.outcome is not None
    status, value, error = run.outcome
    if status == "completed":
        cell.completed += 1
    elif status == "interrupted":
        cell.interrupted += 1
        _say_interrupted(cell, run)
    elif status == "failed":
        cell.failed += 1
        if run.origin is Origin.TELL or run.abandoned:
            logger.error("reply.failed", actor=cell.path, run_id=run.known_id, sent_by=run.origin.value, exc_info=error)
        run.settle(status, value, error)  # whoever asked is told first
        if cell.supervised is not None and error is not None and (run.started or run.request is not None):
            cell.supervised.failed(error, asked=run.origin is not Origin.TELL and not run.abandoned)
        return
    run.settle(status, value, error)


def _nothing_made_of_it(cell: Cell, run: Run[Any, Any]) -> Interrupted:
    assert run.request is not None
    return interrupted_error(cell.ref, run.message, run.request.with_partial(run.partial))


def _says_cancelled(cell: Cell, run: Run[Any, Any], error: BaseException) -> bool:
    """Whether code that polls a manager found this very run cancelled; that is an interrupt by the manager."""
    if not isinstance(error, RunCancelledError) or error.run_id != run.known_id:
        return False
    if run.request is None:
        run.request = Interruption(
            run_id=run.id, reason=error.reason, by=error.by, source="manager", requested_at=cell.system.clock()
        )
        for child in tuple(run.children or ()):
            interrupt_below(run, child)
    return True


def _say_interrupted(cell: Cell, run: Run[Any, Any]) -> None:
    request = run.request
    assert request is not None
    stream = cell.system.event_stream
    if stream.heard:
        stream.publish(
            events.Interrupted(cell.path, run.id, request.reason, request.by, request.source, at=cell.system.clock())
        )
    if not logger.enabled_for(INFO):
        return
    logger.info(
        "run.interrupted",
        actor=cell.path,
        run_id=run.id,
        reason=request.reason,
        by=request.by,
        source=request.source,
    )


def _cancelled_error(cell: Cell, run: Run[Any, Any], cause: BaseException | None) -> ReplyCancelled:
    error = ReplyCancelled(
        f"the reply of {cell.path} was cancelled by something other than an interrupt: a native Task.cancel(), an "
        f"awaited future that was cancelled, or a cancelled exception raised by hand",
        ref=cell.ref,
        run_id=run.known_id,
        message=run.message,
    )
    error.__cause__ = cause
    return error


def stopped_error(cell: Cell, run: Run[Any, Any] | None = None) -> ActorStopped:
    """What whoever asked gets when the actor ends first."""
    return ActorStopped(
        f"{cell.path} has stopped before it could answer; look it up again or spawn it anew",
        ref=cell.ref,
        run_id=run.known_id if run is not None else None,
        message=run.message if run is not None else None,
    )


def interrupted_error(ref: ActorRef[Any, Any, Any], message: object, interruption: Interruption[Any]) -> Interrupted:
    """What whoever asked gets when the actor has no reply of its own to an interrupt."""
    why = f": {interruption.reason}" if interruption.reason else ""
    who = f" by {interruption.by}" if interruption.by else ""
    error = Interrupted(
        f"run {interruption.run_id} of {ref.path} was interrupted{who}{why}; what it had produced is in .partial",
        ref=ref,
        run_id=interruption.run_id,
        message=message,
    )
    error.partial, error.reason = interruption.partial, interruption.reason
    error.by, error.source = interruption.by, interruption.source
    return error
