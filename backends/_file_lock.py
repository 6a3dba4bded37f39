"""A lock between processes that the operating system gives back when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from actors._errors import ManagerError

if sys.platform != "win32":  # importing the backends must work there too
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FIRST_PAUSE = 0.000_2
LONGEST_PAUSE = 0.005


@contextmanager
def locked(path: Path, timeout: float) -> Generator[None]:
    """Hold the lock file exclusively.

    ``flock`` belongs to the open file, not to the process: two managers in one process exclude each other too, and closing
    some other descriptor of the same file does not give it up, as it would with ``lockf``.

    Args:
        path: of the lock file, made if needed and never removed. It is not the file that it protects: that one is replaced,
            and a lock on a replaced file protects nothing.
        timeout: seconds to wait at most.

    Raises:
        ManagerError: somebody else kept it all that time.
        OSError: it cannot be opened.
    """
    if sys.platform == "win32":
        raise ManagerError("the file manager needs flock, which Windows does not have: use another manager there")
    deadline = time.monotonic() + timeout
    pause = FIRST_PAUSE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            # Not the waiting form: that one cannot be given up, and a stopped process can hold a lock for ever.
            while not _taken(descriptor):
                if time.monotonic() > deadline:
                    raise ManagerError(
                        f"{path}: another process has kept this lock for {timeout:g} s; look for one that is stopped or hangs "
                        f"(`fuser {path}`). When it ends, the system gives the lock back"
                    )
                time.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE)
            if _still_there(path, descriptor):
                yield
                return
        finally:
            os.close(descriptor)  # this gives the lock back


def _taken(descriptor: int) -> bool:
    assert sys.platform != "win32"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_there(path: Path, descriptor: int) -> bool:
    """Whether the file we locked is the one that others will open: somebody may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
