"""The actor system: it owns every task."""

from __future__ import annotations

import itertools
import threading
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import current_token

from actors._commit import Commits
from actors._compat import TypeVar
from actors._dead_letters import DeadLetters
from actors._errors import ActorStopped, UsageError, WrongThreadError
from actors._events import CAPACITY, DeadLetter, Event, EventStream, Subscription
from actors._executor import Executor
from actors._interrupt import GRACE
from actors._interruption import Receipt
from actors._lifetime import lifetime
from actors._managers import Managers
from actors._runs import Runs
from actors._spawn import spawn
from actors._timetable import Timetable
from actors._waiter import clock, waiter_factory
from actors._watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Self

    import anyio

    from actors._background import Background
    from actors._cell import Cell
    from actors._left_queued import LeftQueued
    from actors._mailbox import Mailbox
    from actors._ref import ActorRef
    from actors._restart import Round
    from actors._spawn import Spawnable
    from actors._supervision import Supervision

RefT = TypeVar("RefT")

INTERRUPT_TIMEOUT = 30.0
"""Seconds that ``handle_interrupt`` may take, where ``spawn`` did not say."""


class ActorSystem:
    """A block in which actors live: ``async with ActorSystem() as system``.

    It owns every task of its actors. Leaving the block first lets everything drain, within ``drain_timeout``; then actors stop,
    children before parents, in reverse start order. Leaving it by an exception or a cancellation cuts the replies that run,
    without draining and without ``handle_interrupt``; ``on_stop`` still runs. Either no task is left afterwards, or the block is
    not left, and every few seconds the log says what hangs and where. What was still queued is in ``left_queued``, and logged.

    Args:
        name: the first part of every actor's path.
        cancellation: the cancellation manager of actors for which ``spawn`` names none. Any object with agno's manager methods
            will do.
        supervision: what happens when an actor fails for which ``spawn`` says nothing. Without any it goes on.
        drain_timeout: seconds for draining, and after a sudden end for commits and ``on_stop``.
        on_dead_letter: called with each message that is not delivered; see also ``dead_letters.subscribe``.

    Raises:
        UsageError: if the name or the timeout cannot be right.
    """

    def __init__(
        self,
        name: str = "system",
        *,
        cancellation: object | None = None,
        supervision: Supervision | None = None,
        drain_timeout: float = 10.0,
        on_dead_letter: Callable[[DeadLetter], object] | None = None,
    ) -> None:
        if not name or "/" in name:
            raise UsageError(f"a system's name is a text that is not empty and has no slash, not {name!r}")
        if not drain_timeout >= 0:
            raise UsageError(f"drain_timeout is a number of seconds, not {drain_timeout!r}")
        self.name = name
        self.event_stream = EventStream(name)
        self.dead_letters = DeadLetters(self.event_stream, on_dead_letter)
        self.drain_timeout = drain_timeout
        self.runs = Runs()
        self.roots: dict[str, Cell] = {}
        self.name_numbers = itertools.count(1)
        self.rounds: set[Round] = set()  # of restarts that are under way
        self.left_queued: tuple[LeftQueued, ...] = ()
        self.failure: BaseException | None = None  # with which it ends
        self.is_open = False
        self.takes_timers = True
        self.background: Background
        self._cancellation = cancellation
        self._supervision = supervision
        self._scope: anyio.CancelScope | None = None
        self._lifetime: AbstractAsyncContextManager[None] | None = None

    async def __aenter__(self) -> Self:
        if self._lifetime is not None:
            raise UsageError(f"the system {self.name!r} has been used; make a new one")
        self.thread = threading.get_ident()
        self.token = current_token()
        self.new_waiter = waiter_factory()
        self.context: Context = copy_context()
        self.clock = clock()
        self.event_stream.open(self.new_waiter, self.thread)
        self.timetable = Timetable(self.new_waiter, self.clock)
        self.watchdog = Watchdog(self.timetable, self.clock)
        self.commits = Commits(self.new_waiter)
        self.managers = Managers(self)
        self.executor = Executor(self.context, self.new_waiter)
        self._lifetime = lifetime(self)
        await self._lifetime.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        assert self._lifetime is not None
        return await self._lifetime.__aexit__(kind, error, traceback)

    async def spawn(
        self,
        actor: Spawnable[RefT] | Callable[[], Spawnable[RefT]],
        *,
        name: str | None = None,
        cancellation: object | None = None,
        mailbox: Mailbox | None = None,
        interrupt_timeout: float = INTERRUPT_TIMEOUT,
        supervision: Supervision | None = None,
    ) -> RefT:
        """Start an actor; return its ref once its ``on_start`` has succeeded.

        Args:
            actor: an instance, or a function or class that makes one.
            name: its name, unique at its level; None takes the actor's own or makes one.
            cancellation: the cancellation manager in which its runs are registered; None takes the system's, if any.
            mailbox: how its messages wait; the default sets no bound.
            interrupt_timeout: seconds that ``handle_interrupt`` (and ``on_stop``) may take.
            supervision: what happens when it fails; None takes the system's, if any. One that may restart needs a factory.

        Raises:
            SpawnError: this actor cannot be started like this.
            ActorStopped: the system is not open.
            Exception: whatever ``on_start`` raised.
        """
        return await self.spawn_below(
            None,
            actor,
            name=name,
            cancellation=cancellation,
            mailbox=mailbox,
            interrupt_timeout=interrupt_timeout,
            supervision=supervision,
        )

    async def spawn_below(
        self,
        parent: Cell | None,
        actor: Spawnable[RefT] | Callable[[], Spawnable[RefT]],
        *,
        name: str | None,
        cancellation: object | None,
        mailbox: Mailbox | None,
        interrupt_timeout: float,
        supervision: Supervision | None,
    ) -> RefT:
        """For the machinery: :meth:`spawn`, as a child of ``parent``."""
        self.check_open()
        if not interrupt_timeout > 0:
            raise UsageError(f"interrupt_timeout is a positive number of seconds, not {interrupt_timeout!r}")
        manager = cancellation if cancellation is not None else self._cancellation
        return await spawn(
            self,
            parent,
            actor,
            name=name,
            registrar=None if manager is None else await self.managers.registrar(manager),
            mailbox=mailbox,
            interrupt_timeout=interrupt_timeout,
            supervision=supervision if supervision is not None else self._supervision,
        )

    async def interrupt(
        self, run_id: str, reason: str = "", *, by: str | None = None, message: object = None, grace: float = GRACE
    ) -> Receipt:
        """Interrupt a run by its id, wherever it is.

        A run of this system is interrupted as by :meth:`ActorRef.interrupt`. Any other id goes to the system's own cancellation
        manager, if it has one: the receipt then says ``stored``, ``owner_gone`` or ``finished``.

        Raises:
            ManagerError: the intent could not be stored.
        """
        self.check_open()
        run = self.runs.get(run_id)
        if run is not None:
            return await run.cell.interrupt(run, reason=reason, by=by, message=message, grace=grace)
        if self._cancellation is None:
            return Receipt(outcome="finished", run_id=run_id, reason=reason, by=by)
        outcome = await self.managers.request_cancel(self._cancellation, run_id, reason, by)
        return Receipt(outcome=outcome, run_id=run_id, reason=reason, by=by)

    def find(self, path: str) -> ActorRef[Any, Any, Any] | None:
        """The actor at that path, with or without the system's name in front; None if there is none."""
        names = path.split("/")
        if names[0] == self.name:
            names = names[1:]
        cells: dict[str, Cell] | None = self.roots
        found: Cell | None = None
        for name in names:
            found = (cells or {}).get(name)
            if found is None:
                return None
            cells = found.children
        return found.ref if found is not None else None

    def events(self, *kinds: type[Event], capacity: int = CAPACITY) -> Subscription:
        """Subscribe to what happens in the system from now on: ``with system.events() as told: async for event in told: ...``.

        The records are those of :mod:`actors.events`. A reader that is slow blocks nobody: when its queue is full it loses the
        oldest events, counted in ``told.missed``. The iteration ends when the system has ended.

        Args:
            kinds: the classes of events that are wanted; none means all.
            capacity: how many events may wait for the reader.

        Raises:
            UsageError: the capacity is not positive, or (when the block is entered) the system has not been opened.
            WrongThreadError: when the block is entered off the system's event loop.
        """
        return Subscription(self.event_stream, kinds, capacity)

    # -- for the machinery

    def end_with(self, scope: anyio.CancelScope) -> None:
        """This scope is around all that the system does, and around its block."""
        self._scope = scope

    def fail(self, error: BaseException) -> None:
        """End the system now: what is in its block is cancelled, and then the block raises this error. The first one counts."""
        if self.failure is None and self._scope is not None:
            self.failure = error
            self._scope.cancel()

    def check_open(self) -> None:
        """The system is open, and this is its event loop's thread.

        Raises:
            ActorStopped: it is not open.
            WrongThreadError: this is another thread.
        """
        if not self.is_open:
            raise ActorStopped(
                f"the system {self.name!r} is not open; use it inside `async with ActorSystem() as system`"
            )
        if threading.get_ident() != self.thread:
            raise WrongThreadError(f"the system {self.name!r} was used from another thread than its event loop's")
