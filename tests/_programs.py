"""Small programs in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent


@contextmanager
def programs(prelude: str = "") -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Gives a function that starts a program, whose text begins with `prelude`, with arguments. None is left at the end."""
    started = []

    def start(program: str, *args: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", f"{prelude}\n{program}", *map(str, args)]
        started.append(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        with process:
            pass  # closes the pipes and waits


def finish(process: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended well."""
    out, errors = process.communicate(timeout=50)
    assert process.returncode == 0, errors
    return out


def says(process: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    line = process.stdout.readline().rstrip("\n")
    assert line, process.stderr.read()
    return line


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that sets no event."""
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.002)
