"""The cell: one actor's place in its system. It decides what the actor does next, and what an ending means.

A cell is a state machine without a task. It is asked for the next step (``begin``), somebody runs that coroutine, and it is
told how that ended (``finish``); both are synchronous. Which task runs the step, in which scopes, is the executor's business.
"""

from __future__ import annotations

import enum
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from actors._current import current_hook, current_run
from actors._ending import End, after_start, after_stop, next_ending_step
from actors._errors import DuplicateRunError
from actors._events import Started
from actors._interrupt import interrupt_and_wait
from actors._logging import get_logger
from actors._note import Note
from actors._outcomes import after_handle, after_register, after_reply, conclude, registered, settle, still_right
from actors._reply import coroutine_of, reply_coroutine
from actors._run import HANDLING, REGISTERING, Run, reference
from actors._step import REPLY, RETURNED, Ending, Lever, Step
from actors._waiter import wake

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextvars import Context

    import anyio

    from actors._actor import Actor
    from actors._death_watch import Bonds
    from actors._events import Death
    from actors._interruption import Receipt
    from actors._mailbox import MailQueue
    from actors._ref import ActorRef
    from actors._registrar import Registrar
    from actors._supervisor import Supervised
    from actors._system import ActorSystem
    from actors._waiter import Waiter

logger = get_logger("actors.cell")


class State(enum.Enum):
    """Where an actor is in its life."""

    STARTING = "starting"
    RESTARTING = "restarting"  # between two instances, or in the on_start of the second
    LIVE = "live"
    ENDING = "ending"
    DEAD = "dead"


@attrs.define(eq=False)
class Cell:
    """One actor's place. The attributes are for the machinery's own modules."""

    system: ActorSystem
    name: str
    parent: Cell | None
    actor: Actor[Any, Any, Any] | None
    queue: MailQueue[Run[Any, Any] | Note]
    interrupt_timeout: float
    registrar: Registrar | None
    hears_endings: bool  # whether the actor wants to know how its replies end
    ref: ActorRef[Any, Any, Any] = attrs.field(init=False)
    state: State = State.STARTING
    ending: Any = None  # how the actor is to end, once it is to end
    children: dict[str, Cell] | None = None
    current: Run[Any, Any] | None = None
    urgent: deque[Run[Any, Any] | Note] | None = None  # before all messages: runs interrupted while queued, deaths
    step: Step | None = None
    next_step: Step | None = None
    lever: Lever | None = None  # the hold on the step that runs now
    coroutine: Coroutine[Any, Any, Any] | None = None  # that step
    context: Context | None = None  # in which that step runs: that of whoever asked for it
    note: Note | None = None
    scheduled: bool = False
    stop_begun: bool = False
    start_context: Context | None = None  # in which on_start runs: that of whoever spawned the actor
    start_error: BaseException | None = None
    joiners: list[Waiter] | None = None
    commits: list[anyio.CancelScope] | None = None  # of the commits that are under way
    supervised: Supervised | None = None  # what happens when it fails; None: it goes on
    bonds: Bonds | None = None  # who watches it, and whom it watches
    death: Death | None = None  # how it has ended
    completed: int = 0
    interrupted: int = 0
    failed: int = 0

    # -- what the executor asks and tells

    @property
    def time_limit(self) -> float | None:
        """How long the step that was begun may take, in seconds; None: as long as it likes."""
        return None if self.step is Step.REPLY or self.step is Step.START else self.interrupt_timeout

    def begin(self, lever: Lever) -> Coroutine[Any, Any, Any] | None:
        """The next step's coroutine, to be driven by whoever holds the lever; None when there is nothing to do now."""
        while (step := self.next_step or self._choose()) is not None:
            self.next_step = None
            run = self.current
            if run is not None and (run.request or self.ending is not None) and not still_right(self, run, step):
                continue
            self.step = step
            self.lever = lever
            try:
                if step is REPLY and run is not None and run.context is not None:
                    assert self.actor is not None
                    self.context = context = run.context
                    self.coroutine = coroutine = context.run(reply_coroutine, self.actor, run)
                else:
                    self.context = context = self._context_of(step)
                    self.coroutine = coroutine = context.run(self._start, step)
            except Exception as error:  # noqa: BLE001 - the step failed before it began
                self.finish(Ending.RAISED, error)
            else:
                return coroutine
        return None

    def finish(self, ending: Ending, value: Any = None) -> bool:
        """The step that was begun has ended like this; ``value`` is what it returned or raised.

        Returns:
            False if there is nothing to begin now; True: perhaps there is.
        """
        step, run = self.step, self.current
        self.step = self.lever = self.coroutine = self.context = None
        if step is REPLY and ending is RETURNED and run is not None and not (run.registered or self.hears_endings):
            self.current = None  # what conclude() comes to when nobody else has to know first
            self.completed += run.settle("completed", value)
            return bool(self.queue.live or self.urgent) or self.ending is not None
        if run is None:
            self._finish_without_run(step, ending, value)
        elif step is REPLY:
            after_reply(self, run, ending, value)
        elif step is Step.HANDLE:
            after_handle(self, run, ending, value)
        elif step is Step.REGISTER:
            after_register(self, run, ending, value)
        elif step is Step.RELEASE:
            settle(self, run)
        return True

    def _finish_without_run(self, step: Step | None, ending: Ending, value: Any) -> None:
        if step is Step.NOTE:
            note, self.note = self.note, None
            if ending is Ending.RAISED and note is not None:
                logger.error("note.failed", actor=self.path, method=note.method, exc_info=value)
                if self.supervised is not None:
                    self.supervised.failed(value)
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
        self.before_messages(run)

    def before_messages(self, mail: Run[Any, Any] | Note) -> None:
        """This comes at the next turn boundary, before all messages."""
        if self.urgent is None:
            self.urgent = deque()
        self.urgent.append(mail)
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
    def path(self) -> str:
        """Its place in its system: the names from the system down, with slashes."""
        names, above = [self.name], self.parent
        while above is not None:  # a tree may be deeper than functions may call each other
            names.append(above.name)
            above = above.parent
        return "/".join([self.system.name, *reversed(names)])

    @property
    def starting(self) -> bool:
        """``on_start`` of its instance has not succeeded yet."""
        return self.state is State.STARTING or self.state is State.RESTARTING

    @property
    def never_lived(self) -> bool:
        """``on_start`` has never succeeded yet."""
        return self.state is State.STARTING

    @property
    def restarting(self) -> bool:
        """It is between two instances, or is to get a new one."""
        return self.state is State.RESTARTING or self.ending is End.RESTART

    @property
    def dead(self) -> bool:
        """It will never do anything again."""
        return self.state is State.DEAD

    def live(self) -> None:
        """``on_start`` has succeeded."""
        stream = self.system.event_stream
        if stream.heard and self.state is State.STARTING:
            stream.publish(Started(self.path, at=self.system.clock()))
        self.state = State.LIVE
        self._tell_joiners()

    def empty(self) -> None:
        """Its instance is gone, and another one is to come."""
        self.state = State.RESTARTING
        self.actor = None
        self._tell_joiners()

    def bury(self) -> None:
        """It is gone: its name is free, whoever waits for it is told."""
        self.state = State.DEAD
        self.actor = None
        siblings = self.system.roots if self.parent is None else self.parent.children
        if siblings is not None:
            siblings.pop(self.name, None)
        self._tell_joiners()

    def add_joiner(self, waiter: Waiter) -> None:
        """Wake this one when the actor's state changes."""
        if self.joiners is None:
            self.joiners = [waiter]
        else:
            self.joiners.append(waiter)

    def forget_joiner(self, waiter: Waiter) -> None:
        """It does not wait any more."""
        if self.joiners is not None and waiter in self.joiners:
            self.joiners.remove(waiter)

    def disown_step(self) -> None:
        """Whatever the step that runs now still does, it is none of this actor's any more."""
        self.lever = self.coroutine = self.step = None
        self.system.executor.release(self)

    def _tell_joiners(self) -> None:
        joiners, self.joiners = self.joiners, None
        for waiter in joiners or ():
            wake(waiter)

    # -- choosing and starting a step

    def _choose(self) -> Step | None:
        while True:
            if self.urgent and self.ending is not End.RESTART:
                step = self._take_urgent(self.urgent.popleft())
                if step is None:
                    continue
                return step
            if self.ending is not None and not (self.ending.drains and len(self.queue)):
                return next_ending_step(self)
            mail = self.queue.take()
            if type(mail) is Run:
                self.current = mail
                if self.registrar is None:
                    return REPLY
                step = self._register(mail, self.registrar)
                if step is not None:
                    return step
            elif isinstance(mail, Note):
                self.note = mail
                return Step.NOTE
            else:
                return None

    def _take_urgent(self, mail: Run[Any, Any] | Note) -> Step | None:
        if isinstance(mail, Note):
            self.note = mail
            return Step.NOTE
        if mail.settled:
            return None
        self.current = mail
        mail.phase = HANDLING
        return Step.HANDLE

    def _register(self, run: Run[Any, Any], registrar: Registrar) -> Step | None:
        run.phase = REGISTERING
        if not registrar.inline:
            return Step.REGISTER
        try:
            intent = registrar.enroll_nowait(run.id)
        except DuplicateRunError as error:
            conclude(self, run, "failed", error=error)
            return None
        except Exception as error:  # noqa: BLE001 - a broken manager never fails a healthy reply
            logger.error("manager_unreachable", actor=self.path, run_id=run.id, wanted=True, error=repr(error))
            return Step.REPLY
        return registered(self, run, intent)

    def _context_of(self, step: Step) -> Context:
        if self.current is not None and self.current.context is not None:
            return self.current.context
        if step is Step.NOTE and self.note is not None and self.note.context is not None:
            return self.note.context
        if step is Step.START and self.start_context is not None:
            return self.start_context
        return (
            self.system.context.copy()
        )  # a context cannot be entered twice, and the system's is entered to start tasks

    def _start(self, step: Step) -> Coroutine[Any, Any, Any]:
        """Make the step's coroutine, in the step's context."""
        assert self.actor is not None
        if self.current is not None:
            return self._start_of_run(step, self.actor, self.current)
        if step is Step.NOTE:
            assert self.note is not None
            current_run.set(None)
            return coroutine_of(getattr(self.actor, self.note.method)(self.note.message), self.actor, self.note.method)
        current_hook.set(weakref.ref(self))
        if self.state is State.RESTARTING and self.supervised is not None:
            return self.supervised.start_again(self.actor)
        hook = self.actor.on_start if step is Step.START else self.actor.on_stop
        return coroutine_of(hook(), self.actor, step.value)

    def _start_of_run(self, step: Step, actor: Actor[Any, Any, Any], run: Run[Any, Any]) -> Coroutine[Any, Any, Any]:
        if step is Step.HANDLE:
            assert run.request is not None
            current_run.set(reference(run))
            interruption = run.request.with_partial(run.partial, started=run.started)
            return coroutine_of(actor.handle_interrupt(run.message, interruption), actor, step.value)
        assert self.registrar is not None
        return self.registrar.enroll(run.id) if step is Step.REGISTER else self.registrar.release(run.id)
