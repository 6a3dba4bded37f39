"""A real server, as a process that a test may kill, start again over the same data, pause, and let go on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Self

PATIENCE = 30.0
"""Seconds that a server may take to come up: it shares the machine with whatever else runs there."""

# Runs beside the server: when whoever started it is gone, in whatever way, so is the server.
WATCHDOG = 'read _; kill -9 "$1"; sleep 0.5; rm -rf "$2"'


class Server(ABC):
    """One server on a port of this machine, which it keeps when it is started again.

    Args:
        program: the file to run.
    """

    kind: str

    def __init__(self, program: Path) -> None:
        self.program = program
        self.folder = Path(tempfile.mkdtemp(prefix=f"test-{self.kind}-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.watchdog: subprocess.Popen[bytes] | None = None
        self.paused: list[int] = []

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client connects to."""

    @abstractmethod
    def command(self) -> list[str | Path]:
        """How to start it."""

    @abstractmethod
    def answers(self, connection: socket.socket) -> bool:
        """Whether the server at the other end takes requests."""

    def prepare(self) -> None:
        """What has to be done before the first start."""

    def user(self) -> dict[str, object]:
        """As whom to run it."""
        return {}

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, again or for the first time, and wait until it answers."""
        deadline = time.monotonic() + PATIENCE
        while self.process is None:
            self._launch()
            while not self.ready():
                if self.process.poll() is not None:  # what the one before has left may be in its way for a moment
                    self._forget()
                    break
                if time.monotonic() > deadline:
                    raise RuntimeError(f"no answer from {self.program}:\n{self.said()}")
                time.sleep(0.01)
            if self.process is None and time.monotonic() > deadline:
                raise RuntimeError(f"{self.program} does not start:\n{self.said()}")

    def _launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = [str(part) for part in self.command()]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.user())
        watch = ["sh", "-c", WATCHDOG, "sh", str(self.process.pid), str(self.folder)]
        self.watchdog = subprocess.Popen(
            watch, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def _forget(self) -> None:
        assert self.process is not None
        assert self.watchdog is not None
        self.watchdog.kill()
        self.watchdog.stdin.close()
        self.watchdog.wait()
        self.process.wait()
        self.process = self.watchdog = None

    def ready(self) -> bool:
        """Whether it takes requests now."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            return self.answers(connection)
        return False

    def said(self) -> str:
        """The end of what it has written."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def kill(self) -> None:
        """End it at once, as a machine does that loses its power (but for what it has given to the system to write)."""
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self._forget()
        self.paused = []

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop it where it is: connections stay, and nobody answers."""
        self.paused = self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        for pid in self.paused:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.paused = []

    def well(self) -> None:
        """Make it run and answer, whatever was done to it."""
        self.go_on()
        if self.process is None or self.process.poll() is not None:
            self.kill()
            self.start()

    def signal(self, number: int) -> list[int]:
        """Send a signal to the server and to the processes it has started. Returns their ids."""
        assert self.process is not None, "it does not run"
        family = [self.process.pid, *children(self.process.pid)]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return family

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def children(parent: int) -> list[int]:
    """The processes that a process has started."""
    command = ["ps", "-axo", "pid=,ppid="]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pairs = [line.split() for line in listing.splitlines()]
    return [int(pid) for pid, of in pairs if int(of) == parent]


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
