"""A run: one message on its way to its reply, as its askers see it and as the machinery drives it."""

from __future__ import annotations

import enum
import weakref
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias

from actors._alarm import Alarm
from actors._chunk_reader import Chunks
from actors._compat import TypeVar
from actors._current import committing, running
from actors._thread_check import check_thread
from actors._waiter import wake
from actors._waiting import begin_wait, end_wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator
    from contextvars import Context
    from types import TracebackType

    from actors._cell import Cell
    from actors._interruption import Interruption, Receipt
    from actors._waiter import Waiter

R_co = TypeVar("R_co", covariant=True, default=Any)
C_co = TypeVar("C_co", covariant=True, default=Any)

Status: TypeAlias = Literal["queued", "running", "interrupting", "completed", "interrupted", "failed", "stopped"]
"""Where a run stands; the last four are ends. ``stopped``: the actor ended first, or the message was withdrawn,
dropped or too old."""


class Phase(enum.Enum):
    """What the machinery is doing with a run."""

    QUEUED = "waiting in the mailbox"
    REGISTERING = "being registered with the cancellation manager"
    REPLYING = "replying"
    HANDLING = "in handle_interrupt"
    CLOSING = "its reply has ended, its registration is being undone"
    SETTLED = "over"


class Origin(enum.Enum):
    """How the message was sent; it decides who is told of a failure."""

    ASK = "ask"  # the asker waits, and gets it
    TELL = "tell"  # nobody waits: it is logged
    REQUEST = "request"  # whoever awaits the run gets it; logged if nobody does


# On the path of every message: see _step.
QUEUED = Phase.QUEUED
REGISTERING = Phase.REGISTERING
REPLYING = Phase.REPLYING
HANDLING = Phase.HANDLING
CLOSING = Phase.CLOSING
SETTLED = Phase.SETTLED
ASK = Origin.ASK
REQUEST = Origin.REQUEST


class Run(Generic[R_co, C_co]):
    """One message on its way: await it for the reply, iterate it for the chunks.

    It belongs to the run in which it was requested and is interrupted with it; if that one ends first, it goes on as a root.
    Cancelling somebody's ``await run`` does not interrupt it. A failure that nobody retrieved is logged.
    """

    __slots__ = (
        "__weakref__",
        "_alarm",
        "_chunks",
        "_error",
        "_id",
        "_readers",
        "_status",
        "_traceback",
        "_value",
        "_waiters",
        "abandoned",
        "asker",
        "cell",
        "children",
        "context",
        "cut_children",
        "detached",
        "message",
        "origin",
        "outcome",
        "parent",
        "phase",
        "protected",
        "queued",
        "registered",
        "request",
        "started",
        "stuck",
        "waits_for",
    )

    # What became of it: not there before it is settled, as each attribute costs each message.
    _status: Status
    _value: Any
    _error: BaseException | None
    _traceback: TracebackType | None
    _alarm: Alarm | None

    def __init__(self, cell: Cell, message: Any, context: Context, origin: Origin, run_id: str | None = None) -> None:
        self.cell = cell
        self.message = message
        self.context: Context | None = context
        self.origin = origin
        self._id = run_id
        self.phase = QUEUED
        self.queued = False  # in the mailbox now
        self.request: Interruption[Any] | None = None  # the interrupt that this run obeys: the first one
        self.outcome: tuple[Status, Any, BaseException | None] | None = None  # known, but the run is not settled yet
        self.started = False
        self.registered = False
        self.stuck = False
        self.protected = 0  # how many protect() sections are open
        self.detached = False
        self.abandoned = False  # whoever asked is gone
        self.asker: Waiter | None = None  # the first that waits for the end
        self.parent: Run[Any, Any] | None = None
        self.children: dict[Run[Any, Any], None] | None = None  # requested in this run, not settled, in order
        self.cut_children: dict[Run[Any, Any], None] | None = None  # interrupted with this run, in order
        self.waits_for: list[Cell] | None = None
        self._chunks: list[Any] | None = None
        self._waiters: list[Waiter] | None = None
        self._readers: list[Waiter] | None = None

    # -- what a user sees

    @property
    def id(self) -> str:
        """The run id: as given, else made at the first look, unique among all systems."""
        if self._id is None:
            self._id = self.cell.system.runs.adopt(self)
        return self._id

    @property
    def status(self) -> Status:
        """Where it stands: queued, running, interrupting, completed, interrupted, failed or stopped."""
        if self.phase is SETTLED:
            return self._status
        if self.request is not None:
            return "interrupting"
        return "queued" if self.phase in (Phase.QUEUED, Phase.REGISTERING) else "running"

    @property
    def partial(self) -> tuple[C_co, ...]:
        """What the reply has produced so far, in order."""
        return tuple(self._chunks or ())

    def __await__(self) -> Generator[Any, Any, R_co]:
        """Wait for the reply.

        Raises:
            AskCycleError: if the caller's own run would wait for itself.
            Exception: whatever became of the run instead of a reply.
        """
        return self._reply().__await__()

    def __aiter__(self) -> AsyncIterator[C_co]:
        """The chunks in order, from the first, as they come; ends with the run. A failure is raised after the last chunk."""
        return Chunks(self)

    async def interrupt(
        self, reason: str = "", *, by: str | None = None, message: object = None, grace: float = 5.0
    ) -> Receipt:
        """Interrupt this run, and only it with what it asked for; see :meth:`ActorRef.interrupt`."""
        check_thread(self.cell)
        return await self.cell.interrupt(self, reason=reason, by=by, message=message, grace=grace)

    def __repr__(self) -> str:
        name = f" {self._id}" if self._id is not None else ""
        return f"<Run{name} of {self.cell.path}: {self.status}>"

    # -- what the machinery does with it

    @property
    def settled(self) -> bool:
        return self.phase is SETTLED

    @property
    def error(self) -> BaseException | None:
        """With what it has ended, if with an error."""
        return self._error if self.phase is SETTLED else None

    @property
    def known_id(self) -> str | None:
        """The id, if somebody has asked for it."""
        return self._id

    def emit(self, chunk: Any) -> None:
        """A chunk of the reply. Ignored once the reply has ended: no stale chunk is ever delivered."""
        if self.phase is not REPLYING:
            return
        if self._chunks is None:
            self._chunks = [chunk]
        else:
            self._chunks.append(chunk)
        if self._readers:
            readers, self._readers = self._readers, None
            for reader in readers:
                wake(reader)

    def add_reader(self, waiter: Waiter) -> None:
        """Wake this one at the next chunk, or at the end."""
        if self._readers is None:
            self._readers = [waiter]
        else:
            self._readers.append(waiter)

    def forget_reader(self, waiter: Waiter) -> None:
        """It does not wait any more."""
        if self._readers is not None and waiter in self._readers:
            self._readers.remove(waiter)

    def belong_to(self, parent: Run[Any, Any]) -> None:
        """Interrupted with ``parent``, from now until the first of the two ends."""
        self.parent = parent
        if parent.children is None:
            parent.children = {self: None}
        else:
            parent.children[self] = None

    def settle(self, status: Status, value: Any = None, error: BaseException | None = None) -> bool:
        """The one place where a request is settled. The first one wins; later ones change nothing and return False."""
        if self.phase is SETTLED:
            return False
        self.phase = SETTLED
        self._status, self._value, self._error = status, value, error
        if error is not None:
            self._traceback = error.__traceback__
            unheard = status == "failed" and self.origin is REQUEST
            self._alarm = Alarm(self.cell.path, self._id, error) if unheard else None
        self.context = self.waits_for = self.outcome = None
        if self.parent is not None or self.children is not None:
            self._leave_family()
        if self._id is not None:
            self.cell.system.runs.forget(self._id)
        if (asker := self.asker) is not None and not asker.done():
            asker.set_result(None)
        if self._waiters is not None or self._readers is not None:
            self._wake_all()
        return True

    def _wake_all(self) -> None:
        for waiters in (self._waiters, self._readers):
            for waiter in waiters or ():
                wake(waiter)
        self._waiters = self._readers = None

    def _leave_family(self) -> None:
        if self.parent is not None:
            if self.parent.children is not None:
                self.parent.children.pop(self, None)
            self.parent = None
        for child in self.children or ():
            child.parent = None  # goes on as a root
        self.children = None

    async def wait_unwatched(self) -> None:
        """Wait for the end without an edge in the graph of who waits for whom: for receipts, which look for themselves."""
        if self.phase is SETTLED:
            return
        check_thread(self.cell)
        waiter = self.cell.system.new_waiter()
        self._add_waiter(waiter)
        try:
            await waiter
        finally:
            self._forget(waiter)

    def _add_waiter(self, waiter: Waiter) -> None:
        if self.asker is None:
            self.asker = waiter
        elif self._waiters is None:
            self._waiters = [waiter]
        else:
            self._waiters.append(waiter)

    def _forget(self, waiter: Waiter) -> None:
        if self.asker is waiter:
            self.asker = None
        elif self._waiters is not None and waiter in self._waiters:
            self._waiters.remove(waiter)

    def result(self) -> R_co:
        """The reply of a settled run, or its error raised."""
        if self._error is None:
            value: R_co = self._value
            return value
        if self._alarm is not None:
            self._alarm.disarm()
        try:
            raise self._error.with_traceback(self._traceback)
        finally:
            del self  # the error's traceback holds this frame: no circle through the run

    async def _reply(self) -> R_co:
        asker = running() if self.phase is not SETTLED else None
        if asker is not None:
            begin_wait(asker, self.cell)
        try:
            await self.wait_unwatched()
            return self.result()
        finally:
            if asker is not None:
                end_wait(asker, self.cell)
            del self


def parent_of_new_run() -> Run[Any, Any] | None:
    """The run to which a run that the calling code requests will belong."""
    run = running()
    return None if run is None or committing.get() else run


def reference(run: Run[Any, Any]) -> weakref.ReferenceType[Run[Any, Any]]:
    """What a context variable may hold of a run."""
    return weakref.ref(run)
