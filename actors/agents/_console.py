"""Where an agent shows what it says: standard output, unless it is switched off."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, cast

import attrs

from actors._logging import get_logger

if TYPE_CHECKING:
    from actors.agents._message import Msg

DISABLED = "ACTORS_DISABLE_CONSOLE_OUTPUT"
"""The environment variable that switches the console off for all agents that do not say otherwise: ``1``, ``true``,
``yes``, ``on``."""

logger = get_logger("actors.console")


def wanted(choice: bool | None) -> bool:  # noqa: FBT001 - its one argument
    """Whether to show anything: as the agent chose, else as the environment says, looked up each time."""
    if choice is not None:
        return choice
    return os.environ.get(DISABLED, "").strip().lower() not in {"1", "true", "yes", "on"}


@attrs.define
class Console:
    """One agent's lines on standard output. Text that grows goes on in its line; anything else begins a new one.

    A console that cannot be written to is given up with a warning in the log; it never fails a reply.
    """

    _line: tuple[str, str] | None = attrs.field(default=None, init=False)  # message and kind of the line that is open
    _broken: bool = attrs.field(default=False, init=False)

    def show(self, piece: Msg) -> None:
        """Write what is new of a message.

        Args:
            piece: a message of only what is new (see ``Increments``).
        """
        out: list[str] = []
        for each in piece.get_content_blocks():
            block = cast("dict[str, Any]", each)
            kind = block["type"]
            if kind in {"text", "thinking"}:
                if self._line != (piece.id, kind):
                    label = piece.name if kind == "text" else f"{piece.name}({kind})"
                    out += [*self._line_break(), f"{label}: "]
                    self._line = (piece.id, kind)
                out.append(block[kind])
            else:
                # Media would fill the screen with base64.
                shown = json.dumps(block, indent=4, ensure_ascii=False, default=repr) if "tool" in kind else f"[{kind}]"
                out += [*self._line_break(), f"{piece.name}: {shown}\n"]
        self._write("".join(out))

    def end_line(self) -> None:
        """End the line that is open, if one is: what it belongs to is complete, or will never be."""
        self._write("".join(self._line_break()))

    def _line_break(self) -> list[str]:
        open_line, self._line = self._line, None
        return [] if open_line is None else ["\n"]

    def _write(self, text: str) -> None:
        stream = sys.stdout
        if not text or self._broken or stream is None:  # None: a process without a console
            return
        try:
            try:
                stream.write(text)
            except UnicodeEncodeError:
                encoding = stream.encoding or "ascii"
                stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()
        except (OSError, ValueError) as error:  # a pipe that nobody reads any more, a file that was closed
            self._broken = True
            logger.warning("console.given_up", error=repr(error))
