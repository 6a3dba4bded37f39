"""The chat, in a real terminal: Ctrl-C interrupts the reply, every time, and pressed twice it ends the program."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from tests.examples._scripts import EXAMPLES, environment, run_example

if TYPE_CHECKING:
    from collections.abc import Iterator

CTRL_C = b"\x03"
CTRL_D = b"\x04"

# Makes the terminal that the program is given its own one, so that Ctrl-C is a signal to it and to what it has started.
IN_TERMINAL = (
    "import fcntl, os, sys, termios; "
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@attrs.define
class Terminal:
    """A terminal with the chat in it, and somebody who sits before it."""

    process: subprocess.Popen[bytes]
    keyboard: int
    _seen: str = ""

    def types(self, keys: bytes) -> None:
        os.write(self.keyboard, keys)

    def sees(self, text: str, within: float = 20.0) -> str:
        """Wait for a text; return what came before it, since the last one."""
        deadline = time.monotonic() + within
        while text not in self._seen:
            ready, _, _ = select.select([self.keyboard], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} does not come; there is {self._seen!r}"
            try:
                self._seen += os.read(self.keyboard, 4096).decode(errors="replace")
            except OSError:  # the program has ended
                raise AssertionError(f"{text!r} never came; the last was {self._seen!r}") from None
        before, _, self._seen = self._seen.partition(text)
        return before

    def ended(self, within: float = 5.0) -> int:
        return self.process.wait(within)


@contextmanager
def chat() -> Iterator[Terminal]:
    keyboard, screen = pty.openpty()
    command = [sys.executable, "-c", IN_TERMINAL, str(EXAMPLES / "chat.py")]
    with subprocess.Popen(
        command, stdin=screen, stdout=screen, stderr=screen, start_new_session=True, env=environment()
    ) as process:
        os.close(screen)
        terminal = Terminal(process, keyboard)
        try:
            terminal.sees("you: ")
            yield terminal
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(keyboard)


def test_ctrl_c_interrupts_the_reply_every_time() -> None:
    with chat() as terminal:
        terminal.types(b"A story about a fox\n")
        terminal.sees("as if they")  # more than a second of words, so that no two presses count as twice
        terminal.types(CTRL_C)
        terminal.sees(" … [interrupted]")
        terminal.sees("you: ")
        terminal.types(b"Go on\n")
        assert "You stopped me at" in terminal.sees("carried a lamp")
        terminal.types(CTRL_C)
        terminal.sees(" … [interrupted]")
        terminal.sees("you: ")
        terminal.types(b"Go on, but shorter\n")
        reply = terminal.sees("you: ")
        assert "You stopped me at" in reply
        assert "interrupted" not in reply


def test_ctrl_c_twice_within_a_second_ends_the_program_also_in_the_middle_of_a_reply() -> None:
    with chat() as terminal:
        terminal.types(b"A story about a fox\n")
        terminal.sees("nobody")
        terminal.types(CTRL_C)
        terminal.sees(" … [interrupted]")
        terminal.types(CTRL_C)
        terminal.sees("Bye.")
        pressed = time.monotonic()
        assert terminal.ended() == 0
        assert time.monotonic() - pressed < 3
        assert "Traceback" not in terminal._seen


def test_ctrl_c_with_nothing_to_interrupt_says_so_and_the_chat_goes_on() -> None:
    with chat() as terminal:
        terminal.types(CTRL_C)
        terminal.sees("[there is no reply to interrupt; again to leave]")
        terminal.sees("you: ")
        terminal.types(b"A short story about a fox\n")
        assert "Once there was a fox" in terminal.sees("you: ")
        terminal.types(CTRL_D)
        assert terminal.ended() == 0


def test_the_chat_reads_a_pipe_to_its_end() -> None:
    done = run_example("chat.py", given="\nA short story about a fox")
    assert done.returncode == 0, done.stderr
    assert "“A short story about a fox”, you say? Once there was a fox" in done.stdout
    assert done.stdout.count("teller: ") == 1


def test_a_model_that_cannot_be_reached_is_said_in_one_line() -> None:
    done = run_example("chat.py", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert done.returncode == 1
    assert done.stderr == "No model could be asked for: Connection error.\n"
