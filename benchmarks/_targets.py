"""The figures to reach. ``must`` holds before anything is built on it; ``then`` is where the sum of the parts lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from benchmarks._results import Key

ASYNCIO, UVLOOP, TRIO = ("asyncio",), ("uvloop",), ("trio",)
BOTH = ("asyncio", "uvloop")
ALL = ("asyncio", "uvloop", "trio")


@attrs.frozen
class Target:
    """One figure to reach.

    Args:
        figure: which.
        loops: where.
        must: the bound; None: there is only the next one.
        then: the bound after that; None: there is none.
        against: whose figure of the same round it is compared with; None: the bound is absolute, in seconds or bytes.
        at_least: the bound is one from below, for how many times faster than the other it is; otherwise it is one from above,
            for how many times as long it takes.
        who: whose figure it is.
    """

    figure: str
    loops: tuple[str, ...]
    must: float | None
    then: float | None = None
    against: str | None = "floor"
    at_least: bool = False
    who: str = "bargein"

    def is_for(self, key: Key) -> bool:
        """Whether it is about this row."""
        return (key.figure, key.subject) == (self.figure, self.who) and key.loop in self.loops

    def missed_by(self, found: float, bound: float) -> float:
        """The share by which a figure misses a bound; not above zero if it reaches it."""
        if not found:
            return 0.0
        return (bound / found if self.at_least else found / bound) - 1

    def verdict(self, found: float) -> str:
        """Reached, or by how much it is missed."""
        must, then = (None if bound is None else self.missed_by(found, bound) for bound in (self.must, self.then))
        if must is not None and must > 0:
            return f"misses must by {must:.0%}"
        if then is None:
            return "must reached"
        if then <= 0:
            return "then reached"
        return f"{'misses then' if must is None else 'must reached, then missed'} by {then:.0%}"


TARGETS = (
    Target("tell", BOTH, 0.055, 0.12, at_least=True),
    Target("tell", ASYNCIO, 1.5, against="pykka", at_least=True),
    Target("tell", ASYNCIO, 10, against="xoscar", at_least=True),
    Target("tell", ASYNCIO, 25, against="autogen-core", at_least=True),
    Target("tell", ASYNCIO, None, 1, against="astage", at_least=True),
    Target("ask", ASYNCIO, 1.6, 1.2),
    Target("ask", UVLOOP, 2.2, 1.6),
    Target("ask", TRIO, 2.5, 1.5),
    Target("ask", ASYNCIO, 1.4, 6, against="astage", at_least=True),
    Target("ask", ASYNCIO, 5, 25, against="xoscar", at_least=True),
    Target("ask", ASYNCIO, 10, 70, against="autogen-core", at_least=True),
    Target("ask-suspending", ASYNCIO, 1.9, 1.4),
    Target("ask-suspending", UVLOOP, 2.8, 2.0),
    Target("ask-managers", ALL, 1.3, 1.1, against="bargein", who="memory"),
    Target("fan-out", ASYNCIO, 3.2, 1.8),
    Target("fan-out", UVLOOP, 4.3, 1.8),
    Target("interrupt-p50", ASYNCIO, 4.5, 3.1),
    Target("interrupt-p50", UVLOOP, 7.0, 4.5),
    Target("interrupt-p50", TRIO, 2.5, 1.5, against="scope"),
    Target("interrupt-p99", ASYNCIO, 9.0, 5.0),
    Target("interrupt-p99", UVLOOP, 12.0, 5.0),
    Target("load-p99", ALL, 1e-3, 0.3e-3, against=None),
    Target("storm-10k", BOTH, 11.0, 6.0),
    Target("pause", ALL, 2e-3, 0.5e-3, against=None),
    Target("bytes-new", ALL, 700, 400, against=None),
    Target("bytes-used", ALL, 700, 400, against=None),
    Target("bytes-suspended", ALL, 14_000, 8_000, against=None),
    Target("million-bytes", ASYNCIO, 0.9e9, 0.4e9, against=None),
    Target("million-time", ASYNCIO, 8, 3, against=None),
)
