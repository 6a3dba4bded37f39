"""How `demo.py` tells what happens: each line that begins with a tick has been checked."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WIDTH = 100
INDENT = "   "
PATIENCE = 10.0  # seconds to wait for a line of the model server


class NotAsToldError(Exception):
    """Something did not happen as the demo says it does."""


@attrs.define
class Stage:
    """Prints the demo line by line, and listens to the model server.

    Args:
        has_server: whether the model is our own server, which says what becomes of each stream.
    """

    has_server: bool
    _speaker: str = attrs.field(default="", init=False)  # whose line is open
    _column: int = attrs.field(default=0, init=False)
    _server_lines: list[str] = attrs.field(factory=list[str], init=False)
    _more: anyio.Event = attrs.field(factory=anyio.Event, init=False)

    def act(self, title: str) -> None:
        """Begin another part."""
        self.end_line()
        print(f"\n{title}")

    def say(self, text: str) -> None:
        """Say what is about to happen."""
        self.end_line()
        print(textwrap.fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT), flush=True)

    def proves(self, truth: object, text: str) -> None:
        """Say what has happened, if it has.

        Raises:
            NotAsToldError: it has not.
        """
        if not truth:
            raise NotAsToldError(text)
        self.end_line()
        print(textwrap.fill(text, WIDTH, initial_indent=f"{INDENT}✓ ", subsequent_indent=f"{INDENT}  "), flush=True)

    def write(self, speaker: str, words: str) -> None:
        """Show the next words of somebody."""
        begin = len(f"{INDENT}{speaker}: ")
        if speaker != self._speaker:
            self.end_line()
            print(f"{INDENT}{speaker}: ", end="")
            self._speaker, self._column = speaker, begin
        if self._column + len(words.rstrip()) > WIDTH:
            print(f"\n{' ' * begin}", end="")
            self._column = begin
        words = words.lstrip() if self._column == begin else words
        print(words, end="", flush=True)
        self._column += len(words)

    def end_line(self) -> None:
        """Whoever was speaking has been shown."""
        if self._speaker:
            print()
        self._speaker = ""

    async def show(self, chunks: AsyncIterator[object], speaker: str, *, pieces: int | None = None) -> None:
        """Show a reply as it comes, until it ends or so many more pieces of it have come."""
        count = 0
        async for words in chunks:
            self.write(speaker, str(words))
            count += 1
            if count == pieces:
                break
        self.end_line()

    def hear_server(self, line: str) -> None:
        """Remember a line of the model server."""
        self._server_lines.append(line)
        self._more.set()
        self._more = anyio.Event()

    async def server_says(self, words: str) -> None:
        """Wait until the model server prints a line with these words, and show it.

        Raises:
            NotAsToldError: it does not.
        """
        if not self.has_server:
            self.say(f"(The model is your own. Ours says “stream … {words}” at this point.)")
            return
        with anyio.move_on_after(PATIENCE):
            while True:
                for line in self._server_lines:
                    if words in line:
                        self._server_lines.remove(line)
                        self.proves(line, f"the model server says: {line}")
                        return
                await self._more.wait()
        raise NotAsToldError(f"the model server says {words!r}; it said {self._server_lines}")

    def forget_server(self) -> None:
        """What the model server has said so far is of no interest any more."""
        self._server_lines.clear()
