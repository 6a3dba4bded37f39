"""SIGTERM and Ctrl-C, sent to real processes: the first ends in order, the second at once, and no task is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from actors import UsageError, stop_on_signals
from tests.conftest import LOOPS

ROOT = Path(__file__).parents[2]
every_loop = pytest.mark.parametrize("loop", [parameter.id for parameter in LOOPS])
every_signal = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)


class Program:
    """The program, running."""

    def __init__(self, loop: str, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "_program.py"), loop, kind],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        self.said: list[str] = []

    def until(self, *lines: str) -> None:
        """Read until it has said all of these."""
        assert self._process.stdout is not None
        while not set(lines) <= set(self.said):
            line = self._process.stdout.readline()
            assert line, (self.said, self._process.stderr.read() if self._process.stderr else "")
            self.said.append(line.rstrip())

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it has said to stderr."""
        out, errors = self._process.communicate(timeout=25)
        self.said += out.splitlines()
        return self._process.returncode, errors

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def start():
    programs: list[Program] = []

    def started(loop, kind):
        programs.append(Program(loop, kind))
        programs[-1].until("ready", "working")
        return programs[-1]

    yield started
    for program in programs:
        program.kill()


@every_loop
@every_signal
def test_the_first_signal_ends_in_order(start, loop, number):
    """What runs and what is queued is answered, and the program goes on behind the block."""
    program = start(loop, "drains")
    program.send(number)
    assert program.end() == (0, "")
    assert program.said[2:] == [
        f"first signal: {number.name}",
        "answered slow",
        "answered one",
        "answered two",
        "stopped",
        "left queued:",
        "left tasks: 0",
        "went on",
    ]


@every_loop
def test_what_does_not_drain_in_time_is_interrupted_and_what_was_queued_is_reported(start, loop):
    program = start(loop, "short")
    program.send(signal.SIGTERM)
    assert program.end() == (0, "")
    assert program.said[2:] == [
        "first signal: SIGTERM",
        "interrupted endless the system is closing",
        "stopped",
        "left queued: 2 {'str': 2}",
        "left tasks: 0",
        "went on",
    ]


@every_loop
@every_signal
def test_the_second_signal_ends_at_once(start, loop, number):
    """Nothing is answered or interrupted; `on_stop` runs. The process ends as by the signal itself."""
    program = start(loop, "endless")
    program.send(number)
    program.until(f"first signal: {number.name}")
    program.send(number)
    code, errors = program.end()
    assert program.said[3:] == ["stopped", "left queued: 2 {'str': 2}", "left tasks: 0"]
    assert code == (128 + signal.SIGTERM if number == signal.SIGTERM else -signal.SIGINT)
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)


@every_loop
def test_a_plain_ctrl_c_leaves_no_task_behind_either(start, loop):
    """Promise 19: without any helper."""
    program = start(loop, "plain")
    program.send(signal.SIGINT)
    code, errors = program.end()
    assert program.said[2:] == ["stopped", "left queued: 2 {'str': 2}", "left tasks: 0"]
    assert code == -signal.SIGINT
    assert "KeyboardInterrupt" in errors


async def test_signals_are_for_the_main_thread(new_system):
    """Elsewhere it says so, instead of waiting for what never comes."""

    async def elsewhere():
        async with new_system() as system:
            with pytest.raises(UsageError, match="main thread"):
                async with stop_on_signals(system):
                    pass

    backend = "trio" if "trio" in repr(anyio.get_cancelled_exc_class()) else "asyncio"
    await anyio.to_thread.run_sync(lambda: anyio.run(elsewhere, backend=backend))


async def test_without_a_signal_nothing_happens(system):
    async with stop_on_signals(system) as stopping:
        await anyio.lowlevel.checkpoint()
    assert not stopping
    assert system.is_open
