"""Managers that touch nothing but this machine: written synchronously, made asynchronous here."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from actors._cancellation._manager import CancellationManager, records
from actors._cancellation._worker_lane import WorkerLane
from actors._compat import override

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

    from actors._cancellation._intent import CancelIntent, CancelResult, RunRecord

T = TypeVar("T")


class LocalCancellationManager(CancellationManager):
    """A manager over a local file or database: a backend gives synchronous primitives, each at most a few milliseconds.

    The synchronous methods may be called from any thread, also on a running event loop. The asynchronous ones do the same
    work in a thread, so a disk that hangs stops neither the event loop nor more than that one thread.
    """

    _lane: WorkerLane

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Set up what this base class keeps."""
        self = super().__new__(cls, *args, **options)
        object.__setattr__(self, "_lane", WorkerLane(cls.__name__, self.batch))
        return self

    @abstractmethod
    @override
    def enroll_sync(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        """What ``enroll`` promises, synchronously."""

    @abstractmethod
    @override
    def request_cancel_sync(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        """What ``request_cancel`` promises, synchronously."""

    @abstractmethod
    @override
    def intents_sync(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        """What ``intents`` promises, synchronously."""

    @abstractmethod
    @override
    def cleanup_run(self, run_id: str, *, owner: str = "") -> None:
        """What ``acleanup_run`` promises, synchronously."""

    @abstractmethod
    @override
    def get_active_runs(self) -> dict[str, bool]:
        """What ``aget_active_runs`` promises, synchronously."""

    @override
    def renew_sync(self, run_ids: Collection[str], *, owner: str = "") -> None:
        """What ``renew`` promises, synchronously; nothing, for a backend without leases."""

    @override
    def runs_sync(self) -> list[RunRecord]:
        active = self.get_active_runs()
        return records(active, self.intents_sync([run_id for run_id, cancelled in active.items() if cancelled]))

    @contextmanager
    def batch(self) -> Generator[object]:
        """A context in which several changes can share one read and one write. Entered on the worker thread."""
        yield None

    async def _off_loop(self, call: Callable[[], T], *, batched: bool) -> T:
        self.lifetime.check()
        return await self._lane.run(call, timeout=self.timeout, batched=batched)

    @override
    async def enroll(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        return await self._off_loop(partial(self.enroll_sync, run_id, owner=owner), batched=True)

    @override
    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        return await self._off_loop(partial(self.request_cancel_sync, run_id, reason=reason, by=by), batched=True)

    @override
    async def intents(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        return await self._off_loop(partial(self.intents_sync, run_ids), batched=False)

    @override
    async def acleanup_run(self, run_id: str, *, owner: str = "") -> None:
        await self._off_loop(partial(self.cleanup_run, run_id, owner=owner), batched=True)

    @override
    async def aget_active_runs(self) -> dict[str, bool]:
        return await self._off_loop(self.get_active_runs, batched=False)

    @override
    async def runs(self) -> list[RunRecord]:
        return await self._off_loop(self.runs_sync, batched=False)

    @override
    async def renew(self, run_ids: Collection[str], *, owner: str = "") -> None:
        if self.lease is not None:
            await self._off_loop(partial(self.renew_sync, run_ids, owner=owner), batched=True)


class InlineCancellationManager(LocalCancellationManager):
    """A manager that never waits, because it only touches memory, and that tells of a cancel by itself.

    A system uses the ``_nowait`` forms, and needs no task to watch it.
    """

    @abstractmethod
    def enroll_nowait(
        self, run_id: str, cancelled: Callable[[CancelIntent], None] | None = None, *, owner: str = ""
    ) -> CancelIntent | None:
        """What ``enroll`` promises, without waiting.

        Args:
            run_id: the run.
            cancelled: called once if the run is cancelled while it is registered, in the thread of whoever cancels, before
                that call returns.
            owner: who registers.
        """

    def release_nowait(self, run_id: str) -> None:
        """What ``acleanup_run`` promises, without waiting."""
        self.cleanup_run(run_id)

    @override
    def enroll_sync(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        return self.enroll_nowait(run_id, owner=owner)

    @override
    async def _off_loop(self, call: Callable[[], T], *, batched: bool) -> T:
        self.lifetime.check()
        return call()
