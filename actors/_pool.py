"""A pool: several workers of one kind behind one ref."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, get_args, overload

import attrs

from actors._actor import Actor
from actors._asking import ask
from actors._compat import TypeVar, override
from actors._crew import Balance, Crew, Route
from actors._errors import SpawnError
from actors._interrupt import GRACE, interrupt_all_and_wait, interrupt_run
from actors._interruption import Receipt
from actors._mailbox import MailboxStatistics
from actors._ref import ActorRef
from actors._thread_check import check_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from actors._cell import Cell
    from actors._interruption import Outcome
    from actors._run import Run
    from actors._statistics import ActorStatistics

M = TypeVar("M")
R = TypeVar("R")
C = TypeVar("C", default=Any)
M_contra = TypeVar("M_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
C_co = TypeVar("C_co", covariant=True, default=Any)
T = TypeVar("T")

_WORST_FIRST: tuple[Outcome, ...] = ("stuck", "handling", "deferred", "failed", "completed", "finished", "interrupted")


class PoolRef(ActorRef[M_contra, R_co, C_co], Generic[M_contra, R_co, C_co]):
    """A pool, for everybody else: each message goes to one of its workers at once, and the pool itself is not on the way.

    ``stop``, ``kill`` and ``join`` are about the pool with all its workers; ``withdraw`` and ``statistics`` too.
    """

    __slots__ = ("_crew",)

    def __init__(self, cell: Cell, crew: Crew) -> None:
        super().__init__(cell)
        self._crew = crew

    @property
    def workers(self) -> tuple[ActorRef[M_contra, R_co, C_co], ...]:
        """The workers of now, each in its place."""
        return tuple(worker.ref for worker in self._crew.places)

    async def resize(self, size: int) -> None:
        """Have so many workers; wait until the new ones have started, or those that go have answered what they had.

        A message whose key led to one place may lead to another one afterwards.

        Args:
            size: how many; at least one.

        Raises:
            UsageError: it is no such number.
            ActorStopped: the pool is stopping.
            Exception: whatever a new worker raised; the pool goes on, and tries again to start it.
        """
        check_thread(self._cell)
        await self._crew.resize(size)

    # -- sending

    @overload
    async def ask(
        self, message: M_contra, *, timeout: float | None = None, run_id: str | None = None, detach: bool = False
    ) -> R_co: ...
    @overload
    async def ask(
        self,
        message: M_contra,
        *,
        timeout: float | None = None,
        run_id: str | None = None,
        detach: bool = False,
        expect: type[T],
    ) -> T: ...
    @override
    def ask(
        self,
        message: M_contra,
        *,
        timeout: float | None = None,
        run_id: str | None = None,
        detach: bool = False,
        expect: type[Any] | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """As :meth:`ActorRef.ask`, of one of the workers.

        A worker that asks its own pool may meet itself, or one that waits for it: then it gets ``AskCycleError``.
        """
        cell = self._crew.pick(message)
        return ask(cell, message, timeout=timeout, run_id=run_id, detach=detach, expect=expect)

    @override
    async def tell(self, message: M_contra) -> None:
        """As :meth:`ActorRef.tell`, to one of the workers."""
        await self._pick(message).tell(message)

    @override
    def tell_nowait(self, message: M_contra) -> None:
        """As :meth:`ActorRef.tell_nowait`, to one of the workers."""
        self._pick(message).tell_nowait(message)

    @override
    async def request(self, message: M_contra, *, run_id: str | None = None, detach: bool = False) -> Run[R_co, C_co]:
        """As :meth:`ActorRef.request`, of one of the workers."""
        return await self._pick(message).request(message, run_id=run_id, detach=detach)

    @override
    def withdraw(self, run_id: str | None = None) -> list[M_contra]:
        """As :meth:`ActorRef.withdraw`, from all workers."""
        check_thread(self._cell)
        return [message for worker in self.workers for message in worker.withdraw(run_id)]

    # -- interrupting

    @override
    async def interrupt(
        self,
        reason: str = "",
        *,
        by: str | None = None,
        message: object = None,
        run_id: str | None = None,
        grace: float = GRACE,
    ) -> Receipt:
        """Interrupt the run that is named, or without a name whatever the workers are replying to now.

        Returns:
            What became of it. Without a name it has one receipt for each interrupted run as ``children``; it is ``idle`` if there
            was none, ``interrupted`` if all were, and otherwise says the worst that came of one.
        """
        check_thread(self._cell)
        if run_id is not None:
            run = self._find(run_id)
            if run is None:
                return Receipt(outcome="finished", run_id=run_id, path=self.path, reason=reason, by=by)
            return await run.cell.interrupt(run, reason=reason, by=by, message=message, grace=grace)
        runs = self._current()
        receipts = await interrupt_all_and_wait(runs, reason=reason, by=by, message=message, grace=grace)
        return Receipt(
            outcome=_together(receipts),
            path=self.path,
            reason=reason,
            by=by,
            elapsed=max((each.elapsed for each in receipts), default=0.0),
            children=receipts,
            still_queued=sum(len(worker.queue) for worker in self._crew.places),
            where="; ".join(each.where for each in receipts if each.where),
        )

    @override
    def interrupt_nowait(
        self,
        reason: str = "",
        *,
        by: str | None = None,
        message: object = None,
        run_id: str | None = None,
        grace: float = GRACE,
    ) -> bool:
        """As :meth:`interrupt`, without waiting for the end; whether there was a run to interrupt."""
        check_thread(self._cell)
        named = self._find(run_id) if run_id is not None else None
        runs = self._current() if run_id is None else [named] if named is not None else []
        outcomes = [interrupt_run(run, reason=reason, by=by, message=message, grace=grace) for run in runs]
        return any(outcome != "finished" for outcome in outcomes)

    # -- looking

    @override
    def statistics(self) -> ActorStatistics:
        """What all workers have done and are doing, together; those that are gone are not in it."""
        own = super().statistics()
        each = [worker.statistics() for worker in self.workers]
        mailboxes = [worker.mailbox for worker in each]
        capacities = [mailbox.capacity for mailbox in mailboxes if mailbox.capacity is not None]
        return attrs.evolve(
            own,
            state="busy" if own.state == "idle" and any(worker.state == "busy" for worker in each) else own.state,
            queued=sum(worker.queued for worker in each),
            stashed=sum(worker.stashed for worker in each),
            completed=sum(worker.completed for worker in each),
            interrupted=sum(worker.interrupted for worker in each),
            failed=sum(worker.failed for worker in each),
            restarts=own.restarts + sum(worker.restarts for worker in each),
            doing="; ".join(f"{worker.path}: {worker.doing}" for worker in each if worker.doing),
            mailbox=MailboxStatistics(
                capacity=sum(capacities) if capacities else None,
                depth=sum(mailbox.depth for mailbox in mailboxes),
                waiting=sum(mailbox.waiting for mailbox in mailboxes),
                dropped=sum(mailbox.dropped for mailbox in mailboxes),
                rejected=sum(mailbox.rejected for mailbox in mailboxes),
                expired=sum(mailbox.expired for mailbox in mailboxes),
            ),
        )

    def _pick(self, message: M_contra) -> ActorRef[M_contra, R_co, C_co]:
        return ActorRef(
            self._crew.pick(message)
        )  # not the cell's own ref: a pool that takes no messages refuses them here

    def _find(self, run_id: str) -> Run[Any, Any] | None:
        run = self._cell.system.runs.get(run_id)
        return run if run is not None and (run.cell.parent is self._cell or run.cell is self._cell) else None

    def _current(self) -> list[Run[Any, Any]]:
        return [worker.current for worker in self._crew.places if worker.current is not None]


@attrs.define(eq=False, slots=False)
class Pool(Actor[M, R, C]):
    """Several workers of one kind behind one ref: ``await system.spawn(Pool(Worker, 4), mailbox=Mailbox(100))``.

    Each worker is a child of the pool, with a mailbox of its own, and takes one message at a time; what ``spawn`` is given for
    the pool (``mailbox``, ``cancellation``, ``interrupt_timeout``, ``supervision``) is given to each. First in, first out for
    each sender holds for each worker, so with a key for all messages of one key. A worker that dies is replaced at once, in its
    place and under its name; what it had in its mailbox is settled as with any actor that ends. One that cannot start is tried
    again, after longer and longer times. While a pool is being restarted, messages wait in its own mailbox.

    Args:
        factory: makes a worker; called once for each.
        size: how many there are at first.
        route: ``round_robin``: by turns. ``least_busy``: whoever has least to do. A function of the message: messages with the
            same key go to the same worker, while the pool keeps its size.

    Raises:
        SpawnError: one of them cannot be.
    """

    factory: Callable[[], Actor[M, R, C]]
    size: int = 4
    route: Route = attrs.field(default="round_robin", kw_only=True)
    _crew: Crew = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not callable(self.factory):
            raise SpawnError(f"a pool takes a function or class that makes a worker, not {self.factory!r}")
        if isinstance(self.size, bool) or self.size < 1:
            raise SpawnError(f"a pool has at least one worker, not {self.size!r}")
        if not callable(self.route) and self.route not in get_args(Balance):
            raise SpawnError(
                f"a pool's route is one of {', '.join(get_args(Balance))}, or a function of the message, not {self.route!r}"
            )

    @override
    async def on_start(self) -> None:
        """Start the workers; if one of them fails, the pool does."""
        ref = self.context.ref
        assert isinstance(ref, PoolRef)  # made by the first instance, and the same for those that follow
        self._crew = ref._crew
        await self._crew.start(self.size)

    @override
    async def reply(self, message: M, /) -> R:
        """Answer what came before there were any workers: have one of them answer it."""
        reply: R = await self._crew.pick(message).ref.ask(message)
        return reply

    @override
    def _make_ref(self, cell: Cell) -> PoolRef[M, R, C]:
        self._crew = Crew(cell, self.factory, self.route)
        return PoolRef(cell, self._crew)


def _together(receipts: tuple[Receipt, ...]) -> Outcome:
    if not receipts:
        return "idle"
    return min(receipts, key=lambda receipt: _WORST_FIRST.index(receipt.outcome)).outcome
