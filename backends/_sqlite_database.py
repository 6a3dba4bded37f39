"""One SQLite file: opened when it is needed, changed in one transaction at a time, its errors said in words."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from actors._errors import ManagerError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

RETRY_PAUSE = 0.005


class Database:
    """A connection to a file, for any number of threads of one process, one at a time.

    It is opened at the first use, and again after an error, after a fork, and when somebody has put another file in its place.

    Args:
        path: absolute.
        timeout: seconds to wait at most for other threads, and for other processes that write.
        prepare: makes the tables in a file that does not have them, and raises ``ValueError`` if it has others. It must be
            safe to run in several processes at once.

    Raises:
        ManagerError: from any method: the system or SQLite will not let us, the file is damaged, or somebody else keeps it
            locked.
    """

    def __init__(self, path: Path, timeout: float, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._path = path
        self._timeout = timeout
        self._prepare = prepare
        self._mutex = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._closer: weakref.finalize[..., Any] | None = None
        self._identity: tuple[int, int] | None = None
        self._pid = 0
        self._inside = False
        self._broken: ManagerError | None = None
        self._doubtful = False

    def exists(self) -> bool:
        """Whether there is a file at all."""
        return self._look() is not None

    def replaced(self) -> bool:
        """Whether the file that is open is not the one that others will find. Costs one ``stat``."""
        return self._connection is not None and self._look() != self._identity

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """The connection, inside a transaction that holds the lock for writing; all of it is done, or nothing.

        Entered again by the same thread it is the same one. Once SQLite has failed inside of it, whatever else is tried in it
        fails too, and so does the whole: nothing of it is kept, whoever has caught the error.
        """
        with self._held():
            if self._inside:
                with self._explained("change"):
                    yield self._usable()
                return
            with self._explained("lock"):
                connection = self._opened()
                connection.execute("BEGIN IMMEDIATE")  # a read that becomes a write could be refused without waiting
            self._inside, self._broken = True, None
            try:
                with self._explained("change"):
                    yield connection
                    self._usable().execute("COMMIT")
            finally:
                self._inside = False
                if connection.in_transaction:
                    with suppress(sqlite3.Error):  # then SQLite has undone it by itself
                        connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """The connection, to be asked for one answer, which is of one moment. Never waits for those who write."""
        with self._held(), self._explained("read"):
            yield self._opened()

    def close(self) -> None:
        """Give the file back, until the next use."""
        with self._held():
            closer, self._connection, self._closer = self._closer, None, None
            if closer is not None:
                with self._explained("close"):
                    closer()

    # ---- opening --------------------------------------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._pid != os.getpid():
            self._connection = self._closer = None  # the parent's: even closing it here would be wrong
        if self._connection is not None and not self._doubtful and not self.replaced():
            return self._connection
        with suppress(ManagerError):
            self.close()
        before = self._look()
        connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous=NORMAL")
            self._patiently(lambda: _use_wal(connection))
            self._patiently(lambda: self._prepare(connection))
        except BaseException as error:
            connection.close()
            if isinstance(error, ValueError):
                raise ManagerError(f"{self._path}: {error}") from error
            raise
        # Python warns of connections that are dropped without being closed; a manager need not be.
        self._closer = weakref.finalize(self, _close, connection, os.getpid())
        self._connection, self._pid = connection, os.getpid()
        self._identity = before or self._look()
        self._doubtful = False
        return connection

    def _patiently(self, call: Callable[[], None]) -> None:
        """SQLite does not wait for everything by itself: not for a change of the journal's mode, for one."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                call()
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_PAUSE)
            else:
                return

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ManagerError(f"{self._path}: cannot look at the file: {error.strerror or error}") from error
        return found.st_dev, found.st_ino

    # ---- errors ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def _held(self) -> Generator[None]:
        if not self._mutex.acquire(timeout=self._timeout):
            raise ManagerError(
                f"{self._path}: another thread has been using the file for {self._timeout:g} s; does the disk hang?"
            )
        try:
            yield
        finally:
            self._mutex.release()

    def _usable(self) -> sqlite3.Connection:
        if self._broken is not None:
            raise ManagerError(str(self._broken)) from self._broken
        assert self._connection is not None, "inside of a transaction"
        return self._connection

    @contextmanager
    def _explained(self, what: str) -> Generator[None]:
        """Turn SQLite's errors into ours, and remember them for the transaction."""
        try:
            yield
        except sqlite3.Error as error:
            self._broken = ManagerError(
                f"{self._path}: cannot {what} the database: {error}. {_advice(error, self._timeout)}"
            )
            self._doubtful = not _is_busy(error)
            raise self._broken from error


def rows(connection: sqlite3.Connection, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
    """All rows of a query, taken at once: a query that is left half read would keep its snapshot."""
    return connection.execute(sql, parameters).fetchall()


def _use_wal(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        # Where this cannot be (some file systems) SQLite says so by leaving it as it is, which is slower and just as right.
        connection.execute("PRAGMA journal_mode=WAL").fetchall()


def _close(connection: sqlite3.Connection, pid: int) -> None:
    if pid == os.getpid():
        connection.close()


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the details in the upper bytes


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _advice(error: sqlite3.Error, timeout: float) -> str:
    if _is_busy(error):
        return (
            f"Another process has kept it locked for {timeout:g} s: look for one that is stopped or hangs (`fuser`). "
            f"When it ends, the system gives the lock back"
        )
    return _ADVICE.get(_code(error), "Nothing was changed")


_ADVICE = {
    **dict.fromkeys(
        (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
        "It is damaged, or no SQLite database, and was left as it is: repair it, or remove it, together with the files "
        "beside it that end in -wal and -shm, to begin with no runs",
    ),
    **dict.fromkeys(
        (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR),
        "Nothing was changed: make room on the disk, or look whether it is failing, and try again",
    ),
    **dict.fromkeys(
        (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH),
        "This process must be able to write the file, and to create files in its folder",
    ),
    sqlite3.SQLITE_CANTOPEN: "Its folder must exist, and this process must be able to write in it",
}
