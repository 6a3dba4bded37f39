"""The cell: one actor's place in its system. It decides what the actor does next, and what an ending means.

A cell is a state machine without a task. It is asked for the next step (``begin``), somebody runs that coroutine, and it is
told how that ended (``finish``); both are synchronous. Which task runs the step, in which scopes, is the executor's business.
"""

from __future__ import annotations

import contextlib
import enum
import inspect
from collections import deque
from contextvars import Context, copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import attrs

from actors._current import current_run
from actors._ending import after_start, after_stop, next_ending_step
from actors._errors import ActorStopped, Interrupted, ReplyCancelled, RunCancelledError
from actors._interrupt import interrupt_and_wait, interrupt_run
from actors._interruption import Interruption, Receipt
from actors._logging import get_logger
from actors._mailbox import MailQueue
from actors._run import Origin, Phase, Run, Status, reference
from actors._step import Ending, Lever, Step

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import anyio

    from actors._actor import Actor
    from actors._ref import ActorRef
    from actors._registrar import Registrar
    from actors._system import ActorSystem
    from actors._waiter import Waiter
    from actors.abc import CancelIntent

logger = get_logger("actors.cell")


class State(enum.Enum):
    """Where an actor is in its life."""

    STARTING = "starting"
    LIVE = "live"
    ENDING = "ending"
    DEAD = "dead"


@attrs.define(eq=False)
class Note:
    """Something for the actor between runs that is not a run: ``getattr(actor, method)(message)``."""

    method: str
    message: Any
    context: Context
    queued: bool = False


@attrs.define(eq=False)
class Cell:
    """One actor's place. The attributes are for the machinery's own modules."""

    system: ActorSystem
    name: str
    path: str
    parent: Cell | None
    actor: Actor[Any, Any, Any] | None
    queue: MailQueue[Run[Any, Any] | Note]
    interrupt_timeout: float
    registrar: Registrar | None
    ref: ActorRef[Any, Any, Any] = attrs.field(init=False)
    state: State = State.STARTING
    ending: Any = None  # how the actor is to end, once it is to end
    children: dict[str, Cell] | None = None
    current: Run[Any, Any] | None = None
    urgent: deque[Run[Any, Any]] | None = None  # interrupted while queued: answered before other messages
    step: Step | None = None
    next_step: Step | None = None
    turn: int = 0  # counts steps, so that a watcher knows whether it still looks at the same one
    lever: Lever | None = None  # the hold on the step that runs now
    coroutine: Coroutine[Any, Any, Any] | None = None  # that step
    note: Note | None = None
    scheduled: bool = False
    stop_begun: bool = False
    start_context: Context | None = None  # in which on_start runs: that of whoever spawned the actor
    start_error: BaseException | None = None
    joiners: list[Waiter] | None = None
    commits: list[anyio.CancelScope] | None = None  # of the commits that are under way
    completed: int = 0
    interrupted: int = 0
    failed: int = 0

    # -- what the executor asks and tells

    @property
    def time_limit(self) -> float | None:
        """How long the step that was begun may take, in seconds; None: as long as it likes."""
        return None if self.step is Step.REPLY or self.step is Step.START else self.interrupt_timeout

    def begin(self) -> Coroutine[Any, Any, Any] | None:
        """The next step's coroutine, or None when there is nothing to do now."""
        while (step := self.next_step or self._choose()) is not None:
            self.step, self.next_step = step, None
            self.turn += 1
            try:
                self.coroutine = self.context.run(self._start, step)
            except Exception as error:
                self.finish(Ending.RAISED, error)
            else:
                return self.coroutine
        return None

    @property
    def context(self) -> Context:
        """The context in which the step that was begun runs: that of whoever asked for it."""
        if self.step is Step.NOTE and self.note is not None:
            return self.note.context
        if self.current is not None and self.current.context is not None:
            return self.current.context
        if self.step is Step.START and self.start_context is not None:
            return self.start_context
        return self.system.context

    def finish(self, ending: Ending, value: Any = None) -> None:
        """The step that was begun has ended like this; ``value`` is what it returned or raised."""
        step, self.step = self.step, None
        run = self.current
        self.lever = self.coroutine = None
        if step is Step.REPLY:
            assert run is not None
            self._reply_ended(run, ending, value)
        elif step is Step.HANDLE:
            assert run is not None
            self._handle_ended(run, ending, value)
        elif step is Step.REGISTER:
            assert run is not None
            self._register_ended(run, ending, value)
        elif step is Step.RELEASE:
            assert run is not None
            self._settle(run)
        elif step is Step.NOTE:
            note, self.note = self.note, None
            if ending is Ending.RAISED and note is not None:
                logger.error("note.failed", actor=self.path, method=note.method, exc_info=value)
        elif step is Step.START:
            after_start(self, ending, value)
        elif step is Step.STOP:
            after_stop(self, ending, value)

    # -- what refs, runs and the system ask

    def wake(self) -> None:
        """There is something to do."""
        if not self.scheduled and self.state is not State.DEAD:
            self.system.executor.schedule(self)

    def answer_next(self, run: Run[Any, Any]) -> None:
        """This queued run has been interrupted: it is answered at the next turn boundary, before other messages."""
        self.queue.withdraw(run)
        if self.urgent is None:
            self.urgent = deque()
        self.urgent.append(run)
        self.wake()

    async def interrupt(
        self, run: Run[Any, Any] | None, *, reason: str, by: str | None, message: object, grace: float
    ) -> Receipt:
        """See :meth:`ActorRef.interrupt`."""
        return await interrupt_and_wait(self, run, reason=reason, by=by, message=message, grace=grace)

    def find(self, run_id: str | None) -> Run[Any, Any] | None:
        """The run of that id if it is of this actor and has not ended; without an id the current run, if any."""
        if run_id is None:
            return self.current
        run = self.system.runs.get(run_id)
        return run if run is not None and run.cell is self else None

    # -- its life

    @property
    def starting(self) -> bool:
        """``on_start`` has not succeeded yet."""
        return self.state is State.STARTING

    @property
    def dead(self) -> bool:
        """It will never do anything again."""
        return self.state is State.DEAD

    def live(self) -> None:
        """``on_start`` has succeeded."""
        self.state = State.LIVE
        self._tell_joiners()

    def bury(self) -> None:
        """It is gone: its name is free, whoever waits for it is told."""
        self.state = State.DEAD
        self.actor = None
        siblings = self.system.roots if self.parent is None else self.parent.children
        if siblings is not None:
            siblings.pop(self.name, None)
        self._tell_joiners()

    def disown_step(self) -> None:
        """Whatever the step that runs now still does, it is none of this actor's any more."""
        self.lever = self.coroutine = self.step = None
        self.turn += 1
        self.system.executor.release(self)

    def _tell_joiners(self) -> None:
        joiners, self.joiners = self.joiners, None
        for waiter in joiners or ():
            waiter.wake()

    def cancelled_by_manager(self, run: Run[Any, Any], intent: CancelIntent) -> None:
        """The cancellation manager says that this run is cancelled."""
        interrupt_run(run, reason=intent.reason, by=intent.by, source="manager")

    # -- choosing and starting a step

    def _choose(self) -> Step | None:
        while True:
            if self.urgent:
                run = self.urgent.popleft()
                if run.settled:
                    continue
                self.current = run
                run.phase = Phase.HANDLING
                return Step.HANDLE
            if self.ending is not None and not (self.ending.drains and len(self.queue)):
                return next_ending_step(self)
            mail = self.queue.take()
            if mail is None:
                return None
            if isinstance(mail, Note):
                self.note = mail
                return Step.NOTE
            self.current = mail
            if self.registrar is None:
                return Step.REPLY
            mail.phase = Phase.REGISTERING
            if not self.registrar.inline:
                return Step.REGISTER
            step = self._register_inline(mail, self.registrar)
            if step is not None:
                return step

    def _register_inline(self, run: Run[Any, Any], registrar: Registrar) -> Step | None:
        try:
            intent = registrar.enroll_nowait(run.id)
        except Exception as error:  # noqa: BLE001 - a run id in use: the asker's to know
            self.conclude(run, "failed", error=error)
            return self.next_step
        run.registered = True
        return self._registered(run, intent)

    def _registered(self, run: Run[Any, Any], intent: CancelIntent | None) -> Step:
        if intent is not None:
            self.cancelled_by_manager(run, intent)
        if run.request is None:
            return Step.REPLY
        run.phase = Phase.HANDLING
        return Step.HANDLE

    def _start(self, step: Step) -> Coroutine[Any, Any, Any]:
        """Make the step's coroutine, in the step's context."""
        actor, run = self.actor, self.current
        assert actor is not None
        if step is Step.REPLY:
            assert run is not None
            current_run.set(reference(run))
            run.phase = Phase.REPLYING
            run.started = True
            answer: Any = actor.reply(run.message)
            return answer if type(answer) is CoroutineType else _as_coroutine(actor, run, answer)
        if step is Step.HANDLE:
            assert run is not None
            assert run.request is not None
            current_run.set(reference(run))
            interruption: Interruption[Any] = attrs.evolve(run.request, partial=run.partial, started=run.started)
            return actor.handle_interrupt(run.message, interruption)
        if step is Step.NOTE:
            assert self.note is not None
            return getattr(actor, self.note.method)(self.note.message)
        if step is Step.START:
            return actor.on_start()
        if step is Step.STOP:
            return actor.on_stop()
        assert run is not None
        assert self.registrar is not None
        return self.registrar.enroll(run.id) if step is Step.REGISTER else self.registrar.release(run.id)

    # -- what an ending means

    def _reply_ended(self, run: Run[Any, Any], ending: Ending, value: Any) -> None:
        if ending is Ending.RETURNED:
            self.conclude(run, "completed", value)
        elif ending is Ending.ABORTED or (ending is Ending.CUT and run.request is None):
            self.conclude(run, "stopped", error=self.stopped_error(run))
        elif ending is Ending.RAISED and not self._says_cancelled(run, value):
            self.conclude(run, "failed", error=value)
        elif ending is Ending.STRAY and run.request is None:
            error = ReplyCancelled(
                f"the reply of {self.path} was cancelled by something other than an interrupt: a native Task.cancel(), an "
                f"awaited future that was cancelled, or a cancelled exception raised by hand",
                ref=self.ref,
                run_id=run.known_id,
                message=run.message,
            )
            error.__cause__ = value
            self.conclude(run, "failed", error=error)
        elif self.ending is not None and self.ending.kills:
            self.conclude(run, "stopped", error=self.stopped_error(run))
        else:
            if self.actor is not None:
                self.actor._reply_ended("interrupted")
            run.phase = Phase.HANDLING
            self.next_step = Step.HANDLE

    def _says_cancelled(self, run: Run[Any, Any], error: BaseException) -> bool:
        """Whether code that polls a manager found this very run cancelled; that is an interrupt by the manager."""
        if not isinstance(error, RunCancelledError) or error.run_id != run.known_id:
            return False
        if run.request is None:
            run.request = Interruption(run_id=run.id, reason=error.reason, by=error.by, source="manager")
        return True

    def _handle_ended(self, run: Run[Any, Any], ending: Ending, value: Any) -> None:
        if ending is Ending.RETURNED:
            self.conclude(run, "interrupted", value)
        elif ending is Ending.ABORTED or (ending is Ending.CUT and self.ending is not None and self.ending.kills):
            self.conclude(run, "stopped", error=self.stopped_error(run))
        elif ending is Ending.RAISED and not isinstance(value, Interrupted):
            self.conclude(run, "failed", error=value)
        else:
            if ending is not Ending.RAISED:
                logger.warning("handle_interrupt.cut", actor=self.path, run_id=run.id, limit=self.interrupt_timeout)
            own = isinstance(value, Interrupted) and value.run_id == run.id
            self.conclude(run, "interrupted", error=value if own else self.interrupted_error(run))

    def _register_ended(self, run: Run[Any, Any], ending: Ending, value: Any) -> None:
        if ending is Ending.RETURNED:
            run.registered = True
            self.next_step = self._registered(run, value)
        elif ending is Ending.RAISED:
            self.conclude(run, "failed", error=value)
        else:
            run.registered = True  # it may have happened
            self.conclude(run, "stopped", error=self.stopped_error(run))

    def conclude(self, run: Run[Any, Any], status: Status, value: Any = None, error: BaseException | None = None) -> None:
        """This is what comes of the run: undo its registration, then tell whoever asked."""
        if status != "interrupted" and self.actor is not None and run.phase is Phase.REPLYING:
            self.actor._reply_ended(status)
        run.phase = Phase.CLOSING
        run.outcome = (status, value, error)
        if run.registered and self.registrar is not None:
            if not self.registrar.inline:
                self.next_step = Step.RELEASE
                return
            self.registrar.release_nowait(run.id)
        self._settle(run)

    def _settle(self, run: Run[Any, Any]) -> None:
        assert run.outcome is not None
        status, value, error = run.outcome
        self.current = None
        if status == "completed":
            self.completed += 1
        elif status == "interrupted":
            self.interrupted += 1
            self._log_interrupted(run)
        elif status == "failed":
            self.failed += 1
            if run.origin is Origin.TELL:
                logger.error("tell.failed", actor=self.path, run_id=run.known_id, exc_info=error)
        run.settle(status, value, error)

    def _log_interrupted(self, run: Run[Any, Any]) -> None:
        request = run.request
        assert request is not None
        logger.info(
            "run.interrupted", actor=self.path, run_id=run.id, reason=request.reason, by=request.by, source=request.source
        )

    # -- errors that name this actor

    def stopped_error(self, run: Run[Any, Any] | None = None) -> ActorStopped:
        """What whoever asked gets when the actor ends first."""
        return ActorStopped(
            f"{self.path} has stopped before it could answer; look it up again or spawn it anew",
            ref=self.ref,
            run_id=run.known_id if run is not None else None,
            message=run.message if run is not None else None,
        )

    def interrupted_error(self, run: Run[Any, Any]) -> Interrupted:
        """What whoever asked gets when the actor has no reply of its own to an interrupt."""
        assert run.request is not None
        return interrupted_error(self.ref, run.message, attrs.evolve(run.request, partial=run.partial))


def interrupted_error(
    ref: ActorRef[Any, Any, Any], message: object, interruption: Interruption[Any]
) -> Interrupted:
    """The error for an interruption that nobody made a reply of."""
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


async def _as_coroutine(actor: Actor[Any, Any, Any], run: Run[Any, Any], answer: Any) -> Any:
    """Drive a reply that is an asynchronous iterator, or an awaitable that is not a coroutine."""
    if not hasattr(answer, "__aiter__"):
        if not inspect.isawaitable(answer):
            raise TypeError(
                f"{type(actor).__qualname__}.reply must be an async def or an async generator; it returned {answer!r}"
            )
        return await answer
    async with contextlib.AsyncExitStack() as stack:
        if hasattr(answer, "aclose"):
            stack.push_async_callback(answer.aclose)
        async for chunk in answer:
            run.emit(chunk)
    return actor.assemble(run.partial)


def fresh_context() -> Context:
    """The context of the code that runs now, to be replied in."""
    return copy_context()
