"""Cancellation through one SQLite file that any process on the machine can read and write."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from actors._cancellation._local import LocalCancellationManager
from actors._cancellation._worker_lane import WorkerLane
from actors._compat import override
from actors._errors import ManagerError

from ._process import OwnProcess
from ._sqlite_database import Database, rows
from ._sqlite_runs import Runs, prepare
from ._watch_thread import watch_in_thread

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable, Collection, Generator

    from actors._cancellation._intent import CancelIntent, CancelResult, RunRecord

    from ._watch_thread import WatchThread

T = TypeVar("T")

TIDY_PERIOD = 1.0
"""Seconds between two sweeps of one manager, unless it makes so many changes meanwhile that one is due earlier."""


class SQLiteCancellationManager(LocalCancellationManager):
    """Registers and cancels runs in a SQLite file: for many runs, many processes of one machine, and any event loop.

    Changes are transactions, so no process ever sees half of one, and one that is killed in the middle leaves nothing behind.
    The file is in WAL mode: whoever reads never waits for whoever writes. With ``synchronous=NORMAL`` a change survives the
    death of its process, but perhaps not a power cut, as the runs that it tells of do not either.

    The owner of runs asks every ``poll_period`` whether the file has changed (``PRAGMA data_version``, some microseconds, in a
    thread), and only while runs are registered. What it then reads is only what was cancelled since, however many runs there are.

    The tables are made at the first use, and their names begin with ``bargein_``. Give it a file of its own: in a database that
    an application uses as well, long transactions of the one make the other wait. A file on a network drive is not safe.

    All methods may be called without opening the manager, the synchronous ones from any thread.

    Args:
        path: of the file; its folder must exist and be writable, for the files that SQLite puts beside it.
        namespace: tells apart users who share a file and must not see each other's runs.
        poll_period: seconds between two looks for cancels, while runs are registered.
        lease: seconds after which a registration that was not renewed counts as its owner's death. On the same machine the
            death of the process is noticed at once.
        tombstone: seconds after a run's end in which a late cancel of it is answered ``finished``.
        intent_ttl: seconds that the cancel of a run nobody has registered waits for it.
        capacity: the most tombstones, and the most waiting cancels, to be kept, give or take a tenth; the oldest go first.
        timeout: seconds that an operation waits at most for others who write, and an asynchronous one for the disk.
        clock: seconds since the epoch. The time of day, since what it stamps is read by other processes, after other boots.

    Raises:
        ManagerError: from any method: the file cannot be opened, read or written, is damaged, or somebody else keeps it locked.
            The text says which, and what to do.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        namespace: str = "",
        poll_period: float = 0.02,
        lease: float = 30.0,
        tombstone: float = 60.0,
        intent_ttl: float = 3600.0,
        capacity: int = 10_000,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, and must be at least 1")
        if str(path) in {"", ":memory:"}:
            raise ValueError("a database in memory is seen by nobody else: use InMemoryCancellationManager")
        self.path = Path(path).absolute()
        self.poll_period = poll_period
        self.lease = lease
        self.tombstone = tombstone
        self.intent_ttl = intent_ttl
        self.capacity = capacity
        self.timeout = timeout
        self._runs = Runs(namespace, lease, tombstone, intent_ttl, capacity)
        self._clock = clock
        self._process = OwnProcess()
        self._writer = self._database()
        # Of its own, with a thread of its own: who reads must not wait behind somebody here who waits to write.
        self._reader = self._database()
        self._read_lane = WorkerLane(f"{type(self).__name__} reading", nullcontext)
        self._changes = capacity  # the first change sweeps what earlier processes have left
        self._swept = 0.0

    @override
    def enroll_sync(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        with self.batch() as connection:
            return self._runs.enroll(connection, run_id, owner, self._process(), self._clock())

    @override
    def request_cancel_sync(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        with self.batch() as connection:
            return self._runs.cancel(connection, run_id, reason, by, self._clock())

    @override
    def cleanup_run(self, run_id: str, *, owner: str = "") -> None:
        with self.batch() as connection:
            self._runs.cleanup(connection, run_id, owner, self._clock())

    @override
    def renew_sync(self, run_ids: Collection[str], *, owner: str = "") -> None:
        with self.batch() as connection:
            self._runs.renew(connection, run_ids, owner, self._process(), self._clock())

    @override
    def intents_sync(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        if not self._reader.exists():  # a question makes no file
            return {}
        with self._reader.reading() as connection:
            found = self._runs.find(connection, run_ids, self._clock())
        intents = ((run_id, row.intent()) for run_id, row in found.items())
        return {run_id: intent for run_id, intent in intents if intent is not None}

    @override
    def get_active_runs(self) -> dict[str, bool]:
        """Registered runs whose owners live, as far as can be known: expired leases and dead processes are left out."""
        return {record.run_id: record.cancelled for record in self.runs_sync()}

    @override
    def runs_sync(self) -> list[RunRecord]:
        if not self._reader.exists():
            return []
        with self._reader.reading() as connection:
            found = self._runs.active(connection, self._clock())
        return [row.record() for row in found]

    @contextmanager
    @override
    def batch(self) -> Generator[sqlite3.Connection]:
        """One transaction, for any number of changes. Entered again by the same thread it is the same one."""
        with self._writer.transaction() as connection:
            self._changes += 1
            if self._changes > self._runs.capacity / 10 or time.monotonic() - self._swept > TIDY_PERIOD:
                self._changes, self._swept = 0, time.monotonic()
                self._runs.tidy(connection, self._clock())
            yield connection

    @override
    async def listen(self, hint: Callable[[str | None], None]) -> None:
        await watch_in_thread(str(self.path), self._look, hint)

    def _look(self, watching: WatchThread) -> None:
        database = self._database()
        try:
            version, serial = self._state(database)
            watching.tell(None)
            while watching.goes_on(self.poll_period):
                if database.replaced():
                    raise ManagerError(f"{self.path}: the file was removed or replaced; looking at the new one")
                with database.reading() as connection:
                    ((found,),) = rows(connection, "PRAGMA data_version")
                    if found == version:
                        continue
                    version, cancels = found, self._runs.cancels_after(connection, serial)
                for run_id, serial in cancels:  # noqa: B007 - the last one counts
                    watching.tell(run_id)
        finally:
            database.close()

    @staticmethod
    def _state(database: Database) -> tuple[int, int]:
        """What tells of a change, and how many cancels there have been. In this order: a change in between is seen as one."""
        with database.reading() as connection:
            ((version,),) = rows(connection, "PRAGMA data_version")
            ((cancels,),) = rows(connection, "SELECT cancels FROM bargein_meta")
        return version, cancels

    @override
    async def disconnect(self) -> None:
        # In the thread, since whoever closes last writes what is still in the journal.
        await self._lane.run(self.close, timeout=self.timeout, batched=False)

    def close(self) -> None:
        """Give the file back, until the next use. Not needed; a manager that is dropped does it too."""
        self._writer.close()
        self._reader.close()

    @override
    async def _off_loop(self, call: Callable[[], T], *, batched: bool) -> T:
        if batched:
            return await super()._off_loop(call, batched=True)
        self.lifetime.check()
        return await self._read_lane.run(call, timeout=self.timeout, batched=False)

    def _database(self) -> Database:
        return Database(self.path, self.timeout, prepare)
