"""One JSON document in a file that others write too: read whole, replaced whole, and never mistaken for an empty one."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs

from actors._errors import ManagerError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")

TORN_TIME = 0.5
"""Seconds for which a file that makes no sense is read again: somebody may be writing it in place, again and again."""
LONGEST_PAUSE = 0.005


@attrs.frozen
class JsonFile:
    """The file, without a lock.

    Args:
        path: absolute, and no link: replacing a link would leave its target behind.
        fsync: force what is written to disk before it counts.

    Raises:
        ManagerError: from any method: the system will not let us, or the file stays damaged.
    """

    path: Path
    fsync: bool = False

    @classmethod
    def at(cls, path: str | os.PathLike[str], *, fsync: bool = False) -> JsonFile:
        """The file at a path, which may be relative or a link."""
        return cls(Path(path).resolve(), fsync)

    def signature(self) -> tuple[int, int, int] | None:
        """What differs after each change, or nearly so; None if there is no file. Costs one ``stat``."""
        with self.explained("look at"):
            try:
                found = self.path.stat()
            except FileNotFoundError:
                return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self, parse: Callable[[object], T], missing: Callable[[], T]) -> T:
        """What the file says.

        Args:
            parse: makes sense of the document; raises ``ValueError`` if it is none of ours.
            missing: what a file that is not there says.

        Raises:
            ManagerError: it cannot be read, or is still damaged after half a second.
        """
        deadline, pause = time.monotonic() + TORN_TIME, 0.000_5
        while True:
            with self.explained("read"):
                try:
                    content = self.path.read_bytes()
                except FileNotFoundError:
                    return missing()
            try:
                return parse(json.loads(content))
            except ValueError as error:  # also what json and utf-8 raise
                if time.monotonic() > deadline:
                    raise ManagerError(
                        f"{self.path}: damaged, or being written in place for longer than {TORN_TIME:g} s ({error}). "
                        f"It was left as it is: repair it, or remove it to begin with no runs"
                    ) from error
            pause = min(pause * 2, LONGEST_PAUSE)
            time.sleep(pause)

    def replace(self, document: object) -> None:
        """Put a document in the place of the old one, in one step. To be called under a lock.

        Raises:
            ManagerError: it cannot be written; the file is as it was.
        """
        content = json.dumps(document, separators=(",", ":")).encode()
        # One name for all: who writes it holds the lock, so what is found there was left by somebody who died.
        draft = self.path.with_name(f"{self.path.name}.tmp")
        with self.explained("change"):
            try:
                draft.unlink(missing_ok=True)
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    with suppress(FileNotFoundError):  # the first one has no mode to keep
                        os.fchmod(descriptor, stat.S_IMODE(self.path.stat().st_mode))
                    if self.fsync:
                        file.flush()
                        os.fsync(descriptor)
                draft.replace(self.path)
            except OSError:
                with suppress(OSError):  # the first error is the one to tell
                    draft.unlink(missing_ok=True)
                raise
            if self.fsync:
                _sync_folder(self.path.parent)

    @contextmanager
    def explained(self, what: str) -> Generator[None]:
        """Turn the system's errors into ours.

        Args:
            what: is being done, for the text.
        """
        try:
            yield
        except OSError as error:
            advice = _ADVICE.get(error.errno or 0, "Nothing was changed")
            raise ManagerError(f"{self.path}: cannot {what} the file: {error.strerror or error}. {advice}") from error


def _sync_folder(folder: Path) -> None:
    """Force the new name of a file to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Nothing was changed: make room, and try again"),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "This process must be able to read the file, and to create files in its folder, since it replaces the file",
    ),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "Create its folder first"),
    errno.EISDIR: "Name a file, not a folder",
}
