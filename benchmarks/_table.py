"""The table: what was measured, and how far that is from what is to be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from benchmarks._figures import Spread, ratios
from benchmarks._results import HERE
from benchmarks._targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks._results import Key, Results
    from benchmarks._targets import Target

MEGABYTE = 1e6


@attrs.frozen
class Line:
    """One line of the table, as text."""

    figure: str
    loop: str
    subject: str
    absolute: str
    ratio: str = ""
    against: str = ""
    must: str = ""
    then: str = ""
    verdict: str = ""


HEAD = Line("figure", "loop", "who", "median", "ratio (quartiles)", "against", "must", "then", "verdict")


def lines(results: Results) -> list[Line]:
    """Everything that was measured; a line for each bound that somebody is to reach, one for everybody else."""
    table: list[Line] = []
    for key in results.ordered():
        median = Spread.of(results.samples[key]).median
        line = Line(key.figure, key.loop, key.subject, amount(median, results.units[key.figure]))
        judged = [judge(results, key, line, target) for target in TARGETS if target.is_for(key) and shown(key, target)]
        found = [line for line in judged if line is not None]
        if not found and shown(key):
            found = [compared(results, key, line)]
        table += found
    return table


def shown(key: Key, target: Target | None = None) -> bool:
    """From another environment only what concerns the peer for which it is there."""
    return key.place in {HERE, key.subject} or (target is not None and target.against == key.place)


def compared(results: Results, key: Key, line: Line) -> Line:
    """A line in which nothing is to be reached, beside the floor of the same rounds, if there is one."""
    baseline = results.baseline(key)
    if baseline is None:
        return line
    spread = Spread.of(ratios(results.samples[key], results.beside(key, baseline)))
    return attrs.evolve(line, ratio=as_ratio(spread), against=baseline)


def judge(results: Results, key: Key, line: Line, target: Target) -> Line | None:
    """A line with a bound; None if what it is compared with was not measured there."""
    found = measured(results, key, target)
    if found is None:
        return None
    unit = results.units[key.figure] if target.against is None else None
    must, then = (bound_text(bound, unit, target) for bound in (target.must, target.then))
    return attrs.evolve(
        line,
        ratio="" if target.against is None else as_ratio(found),
        against=target.against or "",
        must=must,
        then=then,
        verdict=target.verdict(found.median),
    )


def measured(results: Results, key: Key, target: Target) -> Spread | None:
    """The figure that a bound is about; None if what it is compared with was not measured there."""
    ours = results.samples[key]
    if target.against is None:
        return Spread.of(ours)
    theirs = results.beside(key, target.against)
    if not theirs:
        return None
    return Spread.of(ratios(theirs, ours) if target.at_least else ratios(ours, theirs))


def bound_text(bound: float | None, unit: str | None, target: Target) -> str:
    """A bound, to be read."""
    if bound is None:
        return ""
    return f"{'≥' if target.at_least else '≤'} {f'{bound:g}' if unit is None else amount(bound, unit)}"


def as_ratio(spread: Spread) -> str:
    """A ratio with its quartiles."""
    digits = 3 if spread.median < 1 else 2 if spread.median < 100 else 0  # noqa: PLR2004
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f}-{spread.high:.{digits}f})"


def amount(value: float, unit: str) -> str:
    """Seconds or bytes, to be read."""
    if unit == "B":
        return f"{value:,.0f} B" if value < MEGABYTE else f"{value / MEGABYTE:,.0f} MB"
    for factor, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= factor:
            return f"{value / factor:.3g} {name}"
    return f"{value * 1e6:.3g} µs"


def as_text(rows: Iterable[Line]) -> str:
    """In columns."""
    texts = [[str(cell) for cell in attrs.astuple(line)] for line in (HEAD, *rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in texts)
