"""Event loops whose clock jumps as soon as nothing else can happen: tests about seconds take none.

Each turn of the loop takes a millisecond, so that time also passes for a task that keeps the loop busy. A module of such tests
replaces the fixture of tests/conftest.py::

    from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401

No threads there: the clock would not wait for them.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

import pytest
import trio.abc
import trio.testing

TURN = 0.001


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop would wait for its next timer, the time is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += TURN
        events = super().select(timeout if timeout is None else 0)
        if not events and timeout is not None:
            self.now += max(timeout, 0)
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """asyncio's event loop on virtual time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class _TurnsTakeTime(trio.abc.Instrument):
    """The same for trio's clock."""

    def __init__(self, clock: trio.testing.MockClock) -> None:
        self._clock = clock

    def before_io_wait(self, _timeout: float) -> None:
        self._clock.jump(TURN)


@pytest.fixture(params=["asyncio", "trio"])
def virtual_loops(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A backend on virtual time. (uvloop has its clock in C.)"""
    if request.param == "asyncio":
        return "asyncio", {"loop_factory": VirtualTimeLoop}
    clock = trio.testing.MockClock(autojump_threshold=0)
    return "trio", {"clock": clock, "instruments": [_TurnsTakeTime(clock)]}
