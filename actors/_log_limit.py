"""A flood of events of one kind does not flood the log."""

from __future__ import annotations

import math

BURST = 20
"""Log entries of one kind that are written within ``WINDOW``."""

WINDOW = 10.0
"""Seconds."""


class LogLimit:
    """Counts the log entries of one kind: the first few in each window are written, the others left out.

    Args:
        burst: how many are written.
        window: seconds.
    """

    __slots__ = ("_burst", "_ends_at", "_left_out", "_window", "_written")

    def __init__(self, burst: int = BURST, window: float = WINDOW) -> None:
        self._burst = burst
        self._window = window
        self._ends_at = -math.inf
        self._written = 0
        self._left_out = 0

    def admits(self, now: float) -> bool:
        """Whether to write one more; if not, it is counted."""
        if now >= self._ends_at:
            self._ends_at = now + self._window
            self._written = 0
        if self._written < self._burst:
            self._written += 1
            return True
        self._left_out += 1
        return False

    def take_left_out(self) -> int:
        """How many were left out since somebody asked."""
        left_out, self._left_out = self._left_out, 0
        return left_out

    @property
    def first_left_out(self) -> bool:
        """Whether exactly one has been left out: time to see to it that the number will be told."""
        return self._left_out == 1

    @property
    def ends_at(self) -> float:
        """When the window is over."""
        return self._ends_at
