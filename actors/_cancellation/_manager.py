"""The contract of a cancellation manager: the store in which any process can mark a run as cancelled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import anyio

from actors._cancellation._blocking import call_blocking
from actors._cancellation._health import HealthLog, ManagerHealth
from actors._cancellation._intent import RunRecord
from actors._cancellation._lifetime import Lifetime
from actors._cancellation._watch import Watcher
from actors._errors import BlockingCallError, RunCancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from actors._cancellation._intent import CancelIntent, CancelResult


class CancellationManager(ABC):
    """Registers runs and marks them as cancelled. Method names, return values and meaning are agno's, in sync and async twins.

    A backend that waits for a network implements the five abstract methods, most also ``renew``, ``listen``, ``connect``,
    ``disconnect`` and ``fresh``; everything else is derived from these. One over memory or a local file is quicker written
    from :class:`~actors.abc.InlineCancellationManager` or :class:`~actors.abc.LocalCancellationManager`. Prove it with
    :func:`actors.testing.check_cancellation_manager`.

    Every primitive is one atomic step in the store, ends promptly when it is cancelled, and raises
    :class:`~actors.ManagerError` if the store cannot do it.

    The names of the eight methods with and without ``a``, from ``register_run`` to ``get_active_runs``, are those of agno's
    ``BaseRunCancellationManager``.
    """

    intent_ttl: float | None = None
    """Seconds that the cancel of a run nobody has registered is kept. None: no such limit, or not known."""
    tombstone: float | None = None
    """Seconds after ``acleanup_run`` in which a late cancel is answered ``finished``. None: none are kept, or not known."""
    capacity: int | None = None
    """The most waiting intents, and the most tombstones, that are kept, give or take a fifth. None: no limit, or not known."""
    lease: float | None = None
    """Seconds after which a registration that nobody renewed counts as its owner's death. None: it never does."""
    poll_period: float = 0.5
    """Seconds between two looks of the default ``listen``."""
    safety_period: float = 2.0
    """Seconds after which ``watch`` reads again even if it heard nothing: a push is a hint, and hints get lost."""
    timeout: float = 5.0
    """Seconds that one call to the store may take, where nobody waits for it or the caller set no limit."""
    asyncio_only: ClassVar[bool] = False
    """Whether its client library runs on asyncio alone: then it is refused under trio, at once and with a clear error."""

    lifetime: Lifetime
    health_log: HealthLog

    def __new__(cls, *_args: Any, **_options: Any) -> Self:
        """Set up what the base class keeps, so that a backend need not call ``super().__init__``."""
        self = super().__new__(cls)
        lifetime = Lifetime(cls.__name__, asyncio_only=cls.asyncio_only)
        object.__setattr__(self, "lifetime", lifetime)  # past the guard of a frozen attrs class
        object.__setattr__(self, "health_log", HealthLog())
        return self

    # ---- what a backend gives -------------------------------------------------------------------------------------------

    @abstractmethod
    async def enroll(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        """Register a run, in one atomic step, and clear its tombstone.

        Args:
            run_id: the run.
            owner: who registers. The same owner (not empty) may register again: that is how an answer that was lost on its
                way is asked for once more.

        Returns:
            The intent that came before the run, which keeps counting; None if there is none.

        Raises:
            DuplicateRunError: it is registered already, by a living somebody else.
        """

    @abstractmethod
    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        """Store that this run shall end, in one atomic step. Repeating it changes nothing: the first reason stays.

        Args:
            run_id: the run.
            reason: why, for people.
            by: who asks.

        Returns:
            What it met; within the life of a tombstone ``finished``, with nothing stored.

        Raises:
            ManagerError: it could not be stored. A cancel is never lost silently.
        """

    @abstractmethod
    async def intents(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        """Read again: of these runs, registered or not, those that are cancelled."""

    @abstractmethod
    async def acleanup_run(self, run_id: str, *, owner: str = "") -> None:
        """Forget a run that ended, and its intent; leave a tombstone. Idempotent, also for runs that were never known.

        Args:
            run_id: the run.
            owner: if given, do nothing if somebody else has registered the run.
        """

    @abstractmethod
    async def aget_active_runs(self) -> dict[str, bool]:
        """All registered runs with a living owner, and whether each is cancelled. Intents without a run are not listed."""

    async def renew(self, run_ids: Collection[str], *, owner: str = "") -> None:
        """Extend the leases; called every third of ``lease``. A backend without leases has nothing to do.

        A run that the store no longer knows (it was emptied) and for which it has no tombstone is registered again.
        """

    async def runs(self) -> list[RunRecord]:
        """What ``aget_active_runs`` lists, with owner and age. The default knows neither; only people read it."""
        active = await self.aget_active_runs()
        intents = await self.intents([run_id for run_id, cancelled in active.items() if cancelled])
        return records(active, intents)

    async def listen(self, hint: Callable[[str | None], None]) -> None:
        """Subscribe, and report changes until cancelled. Returning or raising means that the connection broke.

        It is a coroutine that calls back, not an iterator: no cancel scope is open across a ``yield``. The default polls:
        it knows nothing, and so asks for everything to be read again every ``poll_period``.

        Args:
            hint: call it on the event loop; with None as soon as the subscription stands and whenever anything may have been
                missed, with a run id when that run was cancelled. Too many hints do no harm.
        """
        while True:
            hint(None)
            await anyio.sleep(self.poll_period)

    async def connect(self) -> None:
        """Called once, before the first use by a system or inside ``async with``."""

    async def disconnect(self) -> None:
        """Called once, when the last user has left; cut off after two seconds."""

    def fresh(self) -> CancellationManager:
        """An unopened manager with the same settings, for the private event loop in which a synchronous method runs.

        Raises:
            BlockingCallError: this manager has none, and so no synchronous methods.
        """
        raise BlockingCallError(f"{type(self).__name__} has no synchronous methods: await the asynchronous ones")

    # ---- what follows from that -----------------------------------------------------------------------------------------

    async def watch(self, watched: Callable[[], Collection[str]], cancelled: Callable[[CancelIntent], None]) -> None:
        """Report each cancelled run once, until this call is cancelled. One subscription, however many runs.

        Reconciles flag and push: reads again after each (re)connect, on each hint, and every ``safety_period``. A store that
        fails is logged, shown by ``health()`` and tried again, with growing pauses.

        Args:
            watched: the runs of interest at this moment. If that is a mapping, its values tell a run from a later one with the
                same id: what was read while there was another value is not reported, but read again.
            cancelled: called on the event loop.
        """
        self.lifetime.check()
        await Watcher(self, watched, cancelled).run()

    async def aregister_run(self, run_id: str) -> None:
        """Register a run as known and not cancelled, unless a cancel came first: that one is kept.

        Raises:
            DuplicateRunError: it is registered already.
        """
        await self.enroll(run_id)

    async def acancel_run(self, run_id: str, *, reason: str = "", by: str | None = None) -> bool:
        """Store that this run shall end. True if it was registered; see ``request_cancel`` for more.

        Raises:
            ManagerError: it could not be stored.
        """
        return bool(await self.request_cancel(run_id, reason=reason, by=by))

    async def ais_cancelled(self, run_id: str) -> bool:
        """Whether a cancel of this run is stored; False for a run nobody knows."""
        return run_id in await self.intents((run_id,))

    async def araise_if_cancelled(self, run_id: str) -> None:
        """Do nothing unless the run is cancelled.

        Raises:
            RunCancelledError: it is; with reason and author.
        """
        _raise_if(await self.intents((run_id,)), run_id)

    def health(self) -> ManagerHealth:
        """How the store has answered lately. Never waits."""
        return self.health_log.report()

    async def __aenter__(self) -> Self:
        """Connect, and keep it so until the block is left, whoever else uses it.

        Raises:
            WrongLoopError: it is open on another event loop.
            ManagerError: the store cannot be reached.
        """
        self.lifetime.join()
        try:
            await self.lifetime.ensure(self.connect)
        except BaseException:
            await self.lifetime.leave(self.disconnect)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.lifetime.leave(self.disconnect)

    # ---- the synchronous twins: each runs on a private event loop, in a thread of its own -------------------------------
    # All raise BlockingCallError on a thread that runs an event loop, and ManagerError after `timeout`.

    def enroll_sync(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        """Twin of ``enroll``."""
        return call_blocking(self, lambda fresh: fresh.enroll(run_id, owner=owner))

    def request_cancel_sync(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        """Twin of ``request_cancel``."""
        return call_blocking(self, lambda fresh: fresh.request_cancel(run_id, reason=reason, by=by))

    def intents_sync(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        """Twin of ``intents``."""
        return call_blocking(self, lambda fresh: fresh.intents(run_ids))

    def cleanup_run(self, run_id: str, *, owner: str = "") -> None:
        """Twin of ``acleanup_run``."""
        return call_blocking(self, lambda fresh: fresh.acleanup_run(run_id, owner=owner))

    def get_active_runs(self) -> dict[str, bool]:
        """Twin of ``aget_active_runs``."""
        return call_blocking(self, lambda fresh: fresh.aget_active_runs())

    def renew_sync(self, run_ids: Collection[str], *, owner: str = "") -> None:
        """Twin of ``renew``."""
        call_blocking(self, lambda fresh: fresh.renew(run_ids, owner=owner))

    def runs_sync(self) -> list[RunRecord]:
        """Twin of ``runs``."""
        return call_blocking(self, lambda fresh: fresh.runs())

    def register_run(self, run_id: str) -> None:
        """Twin of ``aregister_run``."""
        self.enroll_sync(run_id)

    def cancel_run(self, run_id: str, *, reason: str = "", by: str | None = None) -> bool:
        """Twin of ``acancel_run``."""
        return bool(self.request_cancel_sync(run_id, reason=reason, by=by))

    def is_cancelled(self, run_id: str) -> bool:
        """Twin of ``ais_cancelled``."""
        return run_id in self.intents_sync((run_id,))

    def raise_if_cancelled(self, run_id: str) -> None:
        """Twin of ``araise_if_cancelled``."""
        _raise_if(self.intents_sync((run_id,)), run_id)


def _raise_if(intents: dict[str, CancelIntent], run_id: str) -> None:
    intent = intents.get(run_id)
    if intent is not None:
        raise RunCancelledError(run_id, intent.reason, intent.by)


def records(active: dict[str, bool], intents: dict[str, CancelIntent]) -> list[RunRecord]:
    """What can be said of runs of which only a flag is known."""
    return [
        RunRecord(run_id, cancelled=cancelled, intent=intents.get(run_id) if cancelled else None)
        for run_id, cancelled in active.items()
    ]
