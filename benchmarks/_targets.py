"""The figures to reach. ``must`` holds before anything else is built on it; ``then`` is where the sum of the parts lies."""

from __future__ import annotations

import attrs

ASYNCIO, UVLOOP, TRIO = ("asyncio",), ("uvloop",), ("trio",)
BOTH = ("asyncio", "uvloop")
ALL = ("asyncio", "uvloop", "trio")


@attrs.frozen
class Target:
    """One figure to reach.

    Args:
        figure: which.
        loops: where.
        must: the bound.
        then: the bound after that; None: there is none.
        against: whose figure of the same round it is compared with; None: the bound is absolute, in seconds or bytes.
        at_least: the bound is one from below, for how many times faster than the other it is; otherwise it is one from above,
            for how many times as long it takes.
    """

    figure: str
    loops: tuple[str, ...]
    must: float
    then: float | None
    against: str | None = "floor"
    at_least: bool = False


TARGETS = (
    Target("tell", BOTH, 0.055, 0.12, at_least=True),
    Target("ask", ASYNCIO, 1.6, 1.2),
    Target("ask", UVLOOP, 2.2, 1.6),
    Target("ask", TRIO, 2.5, 1.5),
    Target("ask-suspending", ASYNCIO, 1.9, 1.4),
    Target("ask-suspending", UVLOOP, 2.8, 2.0),
    Target("fan-out", ASYNCIO, 3.2, 1.8),
    Target("fan-out", UVLOOP, 4.3, 1.8),
    Target("interrupt-p50", ASYNCIO, 4.5, 3.1),
    Target("interrupt-p50", UVLOOP, 7.0, 4.5),
    Target("interrupt-p50", TRIO, 2.5, 1.5, against="scope"),
    Target("interrupt-p99", ASYNCIO, 9.0, 5.0),
    Target("interrupt-p99", UVLOOP, 12.0, 5.0),
    Target("storm-10k", BOTH, 11.0, 6.0),
    Target("pause", ALL, 2e-3, 0.5e-3, against=None),
    Target("bytes-new", ALL, 700, 400, against=None),
    Target("bytes-used", ALL, 700, 400, against=None),
    Target("bytes-suspended", ALL, 14_000, 8_000, against=None),
)
