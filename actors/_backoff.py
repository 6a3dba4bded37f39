"""How long to wait before a restart: longer from one to the next, until it has gone well for a while."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable


def _seconds(_backoff: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not value >= 0:
        raise ValueError(f"a backoff's {attribute.name} is a number of seconds, not {value!r}")


def _factor(_backoff: object, _attribute: object, value: float) -> None:
    if not value >= 1:
        raise ValueError(f"a backoff's factor is a number from 1 on, not {value!r}")


def _jitter(_backoff: object, _attribute: object, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"a backoff's jitter is a part of the pause, from 0 to 1, not {value!r}")


@attrs.frozen(kw_only=True)
class Backoff:
    """How long to wait before each restart. Messages wait meanwhile.

    Args:
        first: seconds before the first restart; 0 restarts at once, every time.
        factor: how much longer each pause is than the one before.
        maximum: seconds; no pause is longer.
        jitter: by which part of it a pause is at most shorter or longer, by chance, so that what failed together does not
            come back together.
        reset_after: seconds that the actor has to live after a restart for the next pause to be ``first`` again.

    Raises:
        ValueError: if one of them cannot be right.
    """

    first: float = attrs.field(default=0.1, validator=_seconds)
    factor: float = attrs.field(default=2.0, validator=_factor)
    maximum: float = attrs.field(default=30.0, validator=_seconds)
    jitter: float = attrs.field(default=0.1, validator=_jitter)
    reset_after: float = attrs.field(default=60.0, validator=_seconds)

    def pause(self, attempt: int, chance: float) -> float:
        """Seconds before this restart.

        Args:
            attempt: how many restarts went before it without a healthy period since.
            chance: a random number from 0 to 1.
        """
        try:
            pause = min(self.maximum, self.first * self.factor**attempt)
        except OverflowError:
            pause = self.maximum if self.first else 0.0
        return min(self.maximum, pause * (1 + self.jitter * (2 * chance - 1)))


class Pauses:
    """The pauses of something that is restarted again and again.

    Args:
        backoff: how long they are.
        chance: gives a random number from 0 to 1.
    """

    __slots__ = ("_attempts", "_backoff", "_chance", "_up_since")

    def __init__(self, backoff: Backoff, chance: Callable[[], float] = random.random) -> None:
        self._backoff = backoff
        self._chance = chance
        self._attempts = 0
        self._up_since: float | None = None

    def up(self, now: float) -> None:
        """It has come up, at this time."""
        self._up_since = now

    def next(self, now: float) -> float:
        """It has failed, at this time: the seconds to wait before it is started again."""
        up_since, self._up_since = self._up_since, None
        if up_since is not None and now - up_since >= self._backoff.reset_after:
            self._attempts = 0
        pause = self._backoff.pause(self._attempts, self._chance())
        self._attempts += 1
        return pause
