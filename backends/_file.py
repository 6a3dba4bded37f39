"""Cancellation through one JSON file that any process on the machine can read and write."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from actors._cancellation._local import LocalCancellationManager
from actors._compat import override
from actors._errors import ManagerError

from ._file_lock import locked
from ._file_state import RESERVED, FileState, Rules
from ._json_file import JsonFile
from ._process import OwnProcess
from ._watch_thread import watch_in_thread

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Generator

    from actors._cancellation._intent import CancelIntent, CancelResult, RunRecord

    from ._watch_thread import WatchThread

SETTLING = 0.05
"""Seconds for which a file that has just changed is looked at again: clocks of file systems tick as slowly as 10 ms."""


class FileCancellationManager(LocalCancellationManager):
    """Registers and cancels runs in a JSON file: ``{"run_id": false}``, and ``true`` once the run is cancelled.

    That is the layout of agno's cookbook example, so its readers and writers can share the file; what else there is to keep is
    under the one key ``"__bargein__"``. Changes are made under a lock between processes (``flock`` on ``PATH.lock``, given back
    by the system when its holder is killed), and by replacing the file, so that no reader of ours or of others ever sees half
    a file. Writers that do not take this lock can overwrite each other's changes and ours: a lost registration is put back
    when the lease is renewed, a lost cancel is lost.

    A file that is being written in place is read again until it is whole, and never taken for an empty one; one that stays
    damaged raises, and is left as it is. A missing file is an empty one.

    The file is not forced to disk (``fsync``) unless asked for: it tells of runs that live in processes, and none of these
    survives a power cut either. Killed processes need no ``fsync``.

    All methods may be called without opening the manager, the synchronous ones from any thread. Linux and macOS.

    Args:
        path: of the file; its folder must exist, and be writable, since the file is replaced.
        poll_period: seconds between two looks for changes, while runs are registered. A look is one ``stat``, in a thread.
        lease: seconds after which a registration that was not renewed counts as its owner's death. On the same machine the
            death of the process is noticed at once.
        tombstone: seconds after a run's end in which a late cancel of it is answered ``finished``.
        intent_ttl: seconds that the cancel of a run nobody has registered waits for it.
        capacity: the most tombstones, and the most waiting cancels that came through us, to be kept; the oldest go first.
        timeout: seconds that an operation waits for the lock at most, and an asynchronous one for the disk.
        fsync: force each change to disk before it counts.
        clock: seconds since the epoch. The time of day, since what it stamps is read by other processes, after other boots.

    Raises:
        ManagerError: from any method: the file or its folder cannot be read or written, is damaged, or the lock is kept by
            somebody else. The text says which, and what to do.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        poll_period: float = 0.02,
        lease: float = 30.0,
        tombstone: float = 60.0,
        intent_ttl: float = 3600.0,
        capacity: int = 1000,
        timeout: float = 5.0,
        fsync: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, and must be at least 1")
        self._file = JsonFile.at(path, fsync=fsync)
        self.path = self._file.path
        self.poll_period = poll_period
        self.lease = lease
        self.tombstone = tombstone
        self.intent_ttl = intent_ttl
        self.capacity = capacity
        self.timeout = timeout
        self._lock = self.path.with_name(f"{self.path.name}.lock")
        self._rules = Rules(lease, tombstone, intent_ttl, capacity)
        self._clock = clock
        self._mutex = threading.RLock()  # flock does not queue threads fairly, and the thread that has it comes back in
        self._session: FileState | None = None
        self._process = OwnProcess()

    @override
    def enroll_sync(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        if run_id == RESERVED:
            raise ValueError(f"{RESERVED!r} is reserved in the file, and cannot be a run id")
        with self.batch() as state:
            return state.enroll(run_id, self._holder(owner), self._clock(), self._rules)

    @override
    def request_cancel_sync(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        if run_id == RESERVED:
            raise ValueError(f"{RESERVED!r} is reserved in the file, and cannot be a run id")
        with self.batch() as state:
            return state.cancel(run_id, reason, by, self._clock(), self._rules)

    @override
    def cleanup_run(self, run_id: str, *, owner: str = "") -> None:
        with self.batch() as state:
            state.cleanup(run_id, owner, self._clock(), self._rules)

    @override
    def renew_sync(self, run_ids: Collection[str], *, owner: str = "") -> None:
        with self.batch() as state:
            state.renew(run_ids, self._holder(owner), self._clock(), self._rules)

    @override
    def intents_sync(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        state, now = self._read(), self._clock()
        found = ((run_id, state.intent(run_id, now)) for run_id in run_ids)
        return {run_id: intent for run_id, intent in found if intent is not None}

    @override
    def get_active_runs(self) -> dict[str, bool]:
        """Registered runs whose owners live, as far as can be known: expired leases and dead processes are left out."""
        return self._read().active(self._clock())

    @override
    def runs_sync(self) -> list[RunRecord]:
        return self._read().records(self._clock())

    @contextmanager
    @override
    def batch(self) -> Generator[FileState]:
        """One locked read and one write, for any number of changes. Entered again by the same thread it is the same one."""
        if not self._mutex.acquire(timeout=self.timeout):
            raise ManagerError(
                f"{self.path}: another thread has been writing for {self.timeout:g} s; does the disk hang?"
            )
        try:
            if self._session is not None:
                yield self._session
                return
            with self._file.explained("lock"), locked(self._lock, self.timeout):
                self._session = state = self._read()
                state.tidy(self._clock(), self._rules)
                try:
                    yield state
                finally:
                    self._session = None
                if state.changed:
                    self._file.replace(state.to_document())
        finally:
            self._mutex.release()

    @override
    async def listen(self, hint: Callable[[str | None], None]) -> None:
        await watch_in_thread(str(self.path), self._look, hint)

    def _look(self, watching: WatchThread) -> None:
        seen, settled = self._file.signature(), 0.0
        watching.tell(None)
        while watching.goes_on(self.poll_period):
            found = self._file.signature()
            if found != seen:
                seen, settled = found, time.monotonic() + SETTLING
            elif time.monotonic() > settled:
                continue
            watching.tell(None)

    def _holder(self, owner: str) -> dict[str, Any]:
        return {"owner": owner, **attrs.asdict(self._process())}

    def _read(self) -> FileState:
        return self._file.read(FileState.from_document, FileState)
