"""How often something may be restarted: at most so many times within so many seconds."""

from __future__ import annotations

from collections import deque


class RestartBudget:
    """Restarts that are allowed, in a window that moves with the time.

    Args:
        times: how many restarts any window may hold; None for any number.
        within: the length of the window, in seconds.
    """

    __slots__ = ("_spent", "_times", "_within")

    def __init__(self, times: int | None, within: float) -> None:
        self._times = times
        self._within = within
        self._spent: deque[float] = deque(maxlen=times)

    def spend(self, now: float) -> bool:
        """One restart more, at this time; False: that would be one too many, and nothing is spent."""
        if self._times is None:
            return True
        while self._spent and self._spent[0] <= now - self._within:
            self._spent.popleft()
        if len(self._spent) >= self._times:
            return False
        self._spent.append(now)
        return True
