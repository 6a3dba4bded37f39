"""What a SQLite file says of runs, and how each operation changes it. Every function is called inside a transaction.

One row for each run id, in one of three states: ``running`` (registered, cancelled or not), ``waiting`` (cancelled, and not
registered so far), ``finished`` (a tombstone). ``until`` is the end of its lease, of the intent's time, of the tombstone's time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from actors._cancellation._intent import CancelIntent, CancelResult, RunRecord
from actors._errors import DuplicateRunError

from ._process import Process
from ._sqlite_database import rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Generator

VERSION = 1
AT_ONCE = 500
"""Run ids in one question: older SQLites take no more than 999 parameters."""

COLUMNS = "run_id, state, until, owner, pid, started, machine, since, requested_at, reason, author"
TABLES = (
    """CREATE TABLE IF NOT EXISTS bargein_runs (
        namespace TEXT NOT NULL, run_id TEXT NOT NULL,
        state TEXT NOT NULL, until REAL NOT NULL,
        owner TEXT, pid INTEGER, started INTEGER, machine TEXT, since REAL,
        requested_at REAL, reason TEXT, author TEXT, serial INTEGER,
        PRIMARY KEY (namespace, run_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS bargein_runs_until ON bargein_runs (namespace, state, until)",
    "CREATE INDEX IF NOT EXISTS bargein_runs_serial ON bargein_runs (serial) WHERE serial IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS bargein_meta (version INTEGER NOT NULL, cancels INTEGER NOT NULL)",
)


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, if they are missing. Of many processes that come at once, one makes them, and the others find them.

    Raises:
        ValueError: they are of another version.
    """
    if not rows(connection, "SELECT 1 FROM sqlite_master WHERE name = 'bargein_meta'"):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for table in TABLES:
                connection.execute(table)
            connection.execute(
                "INSERT INTO bargein_meta SELECT ?, 0 WHERE NOT EXISTS (SELECT 1 FROM bargein_meta)", (VERSION,)
            )
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    (found,) = rows(connection, "SELECT version FROM bargein_meta")[0]
    if found != VERSION:
        raise ValueError(
            f"the tables in this database are of version {found}, and this bargein knows version {VERSION}"
        )


@attrs.frozen
class Row:
    """What is known of one run id, in the order of ``COLUMNS``."""

    run_id: str
    state: str
    until: float
    owner: str | None = None
    pid: int | None = None
    started: int | None = None
    machine: str | None = None
    since: float | None = None
    requested_at: float | None = None
    reason: str | None = None
    author: str | None = None

    def intent(self) -> CancelIntent | None:
        """The cancel of it, if there is one."""
        if self.requested_at is None:
            return None
        return CancelIntent(self.run_id, self.reason or "", self.author, self.requested_at)

    def process(self) -> Process:
        """The process that registered it."""
        return Process(self.pid or 0, self.started, self.machine or "")

    def gone(self, now: float) -> bool:
        """Whether the owner of a registered run is known to be dead, or has not renewed its lease."""
        return self.until <= now or self.process().known_dead()

    def record(self) -> RunRecord:
        """It as others see it."""
        owner = self.owner or str(self.process())
        return RunRecord(self.run_id, owner, self.since, self.requested_at is not None, self.intent())


@attrs.frozen
class Runs:
    """The runs of one namespace. Times are seconds; see ``SQLiteCancellationManager``."""

    namespace: str
    lease: float
    tombstone: float
    intent_ttl: float
    capacity: int

    # ---- asking ---------------------------------------------------------------------------------------------------------

    def find(self, connection: sqlite3.Connection, run_ids: Collection[str], now: float) -> dict[str, Row]:
        """What is known of some runs; what is over is not."""
        found: dict[str, Row] = {}
        for some in _chunks(list(run_ids)):
            marks = ",".join("?" * len(some))
            query = f"SELECT {COLUMNS} FROM bargein_runs WHERE namespace = ? AND run_id IN ({marks})"  # noqa: S608 - marks
            for row in map(_row, rows(connection, query, (self.namespace, *some))):
                if row.state == "running" or row.until > now:
                    found[row.run_id] = row
        return found

    def active(self, connection: sqlite3.Connection, now: float) -> list[Row]:
        """Registered runs whose owners are not gone."""
        query = f"SELECT {COLUMNS} FROM bargein_runs WHERE namespace = ? AND state = 'running' AND until > ?"  # noqa: S608
        found = [_row(each) for each in rows(connection, query, (self.namespace, now))]
        dead = {process for process in {row.process() for row in found} if process.known_dead()}
        return [row for row in found if row.process() not in dead]

    def cancels_after(self, connection: sqlite3.Connection, serial: int) -> list[tuple[str, int]]:
        """Runs cancelled after the cancel of that number, with the number of theirs, in order."""
        query = "SELECT run_id, serial FROM bargein_runs WHERE serial > ? AND namespace = ? ORDER BY serial"
        return rows(connection, query, (serial, self.namespace))

    # ---- changing -------------------------------------------------------------------------------------------------------

    def enroll(
        self, connection: sqlite3.Connection, run_id: str, owner: str, process: Process, now: float
    ) -> CancelIntent | None:
        """Register a run.

        Raises:
            DuplicateRunError: somebody else has it, and lives.
        """
        row = self.find(connection, (run_id,), now).get(run_id)
        since = now
        if row is not None and row.state == "running" and not row.gone(now):
            if not owner or row.owner != owner:
                raise DuplicateRunError(run_id, "the database")
            since = now if row.since is None else row.since
        self._hold(connection, run_id, owner, process, now, since=since)
        return None if row is None else row.intent()

    def cancel(
        self, connection: sqlite3.Connection, run_id: str, reason: str, by: str | None, now: float
    ) -> CancelResult:
        """Mark a run as cancelled, or store that for later."""
        row = self.find(connection, (run_id,), now).get(run_id)
        running = row is not None and row.state == "running"
        if row is not None and running and row.gone(now):
            return CancelResult(run_id, "owner_gone")
        if row is not None and row.state == "finished":
            return CancelResult(run_id, "finished")
        intent = None if row is None else row.intent()
        if intent is None:
            intent = CancelIntent(run_id, reason, by, now)
            connection.execute("UPDATE bargein_meta SET cancels = cancels + 1")
            cancel = (now, reason, by, self.namespace, run_id)
            if not running:
                self._put(connection, run_id, "waiting", now + self.intent_ttl)
            connection.execute(
                "UPDATE bargein_runs SET serial = (SELECT cancels FROM bargein_meta), requested_at = ?, reason = ?, "
                "author = ? WHERE namespace = ? AND run_id = ?",
                cancel,
            )
        elif not running:
            connection.execute(
                "UPDATE bargein_runs SET until = ? WHERE namespace = ? AND run_id = ?",
                (now + self.intent_ttl, self.namespace, run_id),
            )
        return CancelResult(run_id, "registered" if running else "stored", intent)

    def cleanup(self, connection: sqlite3.Connection, run_id: str, owner: str, now: float) -> None:
        """Forget a run, and leave a tombstone; not if ``owner`` is given and somebody else has it."""
        if owner:
            row = self.find(connection, (run_id,), now).get(run_id)
            if row is not None and row.state == "running" and row.owner != owner:
                return
        self._put(connection, run_id, "finished", now + self.tombstone)

    def renew(
        self, connection: sqlite3.Connection, run_ids: Collection[str], owner: str, process: Process, now: float
    ) -> None:
        """Extend leases, and register again what is not there any more and has no tombstone."""
        found = self.find(connection, run_ids, now)
        for run_id in run_ids:
            row = found.get(run_id)
            if row is None or row.state == "waiting":
                self._hold(connection, run_id, owner, process, now, since=now)
            elif row.state == "running" and row.owner == owner:
                connection.execute(
                    "UPDATE bargein_runs SET until = ? WHERE namespace = ? AND run_id = ?",
                    (now + self.lease, self.namespace, run_id),
                )

    def tidy(self, connection: sqlite3.Connection, now: float) -> None:
        """Drop what is over, and of the rest the oldest, so that the file stays small whatever ids others make up."""
        over = "DELETE FROM bargein_runs WHERE namespace = ? AND state = ? AND until <= ?"
        connection.execute(over, (self.namespace, "waiting", now))
        connection.execute(over, (self.namespace, "finished", now))
        connection.execute(
            over, (self.namespace, "running", now - self.intent_ttl)
        )  # nobody will take it over any more
        for state in ("waiting", "finished"):
            connection.execute(
                "DELETE FROM bargein_runs WHERE namespace = ? AND run_id IN (SELECT run_id FROM bargein_runs "
                "WHERE namespace = ? AND state = ? ORDER BY until DESC LIMIT -1 OFFSET ?)",
                (self.namespace, self.namespace, state, self.capacity),
            )

    def _hold(
        self, connection: sqlite3.Connection, run_id: str, owner: str, process: Process, now: float, *, since: float
    ) -> None:
        """Make it a registered run. A cancel that counts stays; what is left of an earlier run with that id goes."""
        holder = (now + self.lease, owner, process.pid, process.started, process.machine, since)
        connection.execute(
            "DELETE FROM bargein_runs WHERE namespace = ? AND run_id = ? AND state <> 'running' "
            "AND (state = 'finished' OR until <= ?)",
            (self.namespace, run_id, now),
        )
        connection.execute(
            "INSERT INTO bargein_runs (namespace, run_id, state, until, owner, pid, started, machine, since) "
            "VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, run_id) DO UPDATE SET state = 'running', "
            "until = excluded.until, owner = excluded.owner, pid = excluded.pid, started = excluded.started, "
            "machine = excluded.machine, since = excluded.since",
            (self.namespace, run_id, *holder),
        )

    def _put(self, connection: sqlite3.Connection, run_id: str, state: str, until: float) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO bargein_runs (namespace, run_id, state, until) VALUES (?, ?, ?, ?)",
            (self.namespace, run_id, state, until),
        )


def _row(values: tuple[Any, ...]) -> Row:
    return Row(*values)


def _chunks(run_ids: list[str]) -> Generator[list[str]]:
    for start in range(0, len(run_ids), AT_ONCE):
        yield run_ids[start : start + AT_ONCE]
