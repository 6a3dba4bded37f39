"""Telling whether the process that registered a run still lives, without waiting for its lease to expire."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import attrs

PROC = Path("/proc")
STATE = 0  # fields of /proc/PID/stat, counted after the closing bracket of the command's name
STARTED = 19


@attrs.frozen
class Process:
    """A process as others can find it again.

    Args:
        pid: its id, which the system gives to another process some time after it has ended.
        started: when it started, in the system's own ticks since it booted: tells it from a later process with the same id.
            None where the system does not say (macOS): then a reused id is found out only when the lease expires.
        machine: where its id means something: host, boot and process namespace. Containers share a host name or a volume, but
            not these.
    """

    pid: int
    started: int | None
    machine: str

    @classmethod
    def current(cls) -> Process:
        """The process that calls. Not to be kept over a fork."""
        pid = os.getpid()
        return cls(pid, _look(pid)[1], machine())

    def known_dead(self) -> bool:
        """Whether it certainly has ended. False if it lives, and for processes of other machines, whose lease must do."""
        if self.machine != machine():
            return False
        try:
            os.kill(self.pid, 0)  # asks whether it exists; sends nothing
        except ProcessLookupError:
            return True
        except PermissionError:  # it exists, as somebody else's
            pass
        state, started = _look(self.pid)
        return state in {"Z", "X"} or (None not in {started, self.started} and started != self.started)

    def __str__(self) -> str:
        return f"{self.machine.partition('/')[0]}/{self.pid}"


@attrs.define
class OwnProcess:
    """Gives the process that calls; it is looked up once, and again after a fork."""

    _found: Process | None = None

    def __call__(self) -> Process:
        """This process."""
        if self._found is None or self._found.pid != os.getpid():
            self._found = Process.current()
        return self._found


def machine() -> str:
    """The place in which process ids are unique."""
    parts = [socket.gethostname()]
    try:
        parts.append((PROC / "sys/kernel/random/boot_id").read_text().strip())
        parts.append((PROC / "self/ns/pid").readlink().name)
    except OSError:  # no Linux, or a sandbox that hides it: the host's name has to do
        pass
    return "/".join(parts)


def _look(pid: int) -> tuple[str, int | None]:
    """State and start of a process, as far as the system tells."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return "", None
    fields = text.rpartition(")")[2].split()  # the command's name may hold spaces and brackets
    return fields[STATE], int(fields[STARTED])
