"""The table: what was measured, and how far that is from what is to be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from benchmarks._figures import Spread, ratios
from benchmarks._targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks._results import Results
    from benchmarks._targets import Target

OURS = "bargein"


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


HEAD = Line("figure", "loop", "who", "measured", "ratio (quartiles)", "against", "must", "then", "verdict")


def lines(results: Results) -> list[Line]:
    """Everything that was measured, and behind ours what is to be reached."""
    table: list[Line] = []
    order = list(results.titles)
    loops = list(dict.fromkeys(key.loop for key in results.samples))
    for key in sorted(results.samples, key=lambda key: (order.index(key.figure), loops.index(key.loop))):
        spread = Spread.of(results.samples[key])
        line = Line(key.figure, key.loop, key.subject, amount(spread.median, results.units[key.figure]))
        if key.subject != OURS:
            table.append(line)
            continue
        targets = [target for target in TARGETS if target.figure == key.figure and key.loop in target.loops]
        judged = [judge(results, line, target) for target in targets]
        table += [found for found in judged if found is not None] or [beside(results, line)]
    return table


def beside(results: Results, line: Line) -> Line:
    """A line that nothing is to be reached in: beside the floor, if that was measured."""
    ours = results.of(line.figure, line.loop, OURS)
    for against in ("floor", "scope"):
        theirs = results.of(line.figure, line.loop, against)
        if theirs:
            return attrs.evolve(line, ratio=as_ratio(Spread.of(ratios(ours, theirs))), against=against)
    return line


def judge(results: Results, line: Line, target: Target) -> Line | None:
    """A line with a target; None if what it is compared with was not measured."""
    ours = results.of(line.figure, line.loop, OURS)
    unit = results.units[line.figure]
    if target.against is None:
        found = Spread.of(ours)
        texts = [amount(bound, unit) if bound is not None else "" for bound in (target.must, target.then)]
    else:
        theirs = results.of(line.figure, line.loop, target.against)
        if not theirs:
            return None
        found = Spread.of(ratios(theirs, ours) if target.at_least else ratios(ours, theirs))
        texts = [f"{bound:g}" if bound is not None else "" for bound in (target.must, target.then)]
    sign = ">= " if target.at_least else "<= "
    return attrs.evolve(
        line,
        ratio="" if target.against is None else as_ratio(found),
        against=target.against or "",
        must=sign + texts[0],
        then=sign + texts[1] if texts[1] else "",
        verdict=verdict(found.median, target),
    )


def verdict(found: float, target: Target) -> str:
    """Reached, or by how much it is missed."""
    miss, then = (
        (bound / found if target.at_least else found / bound) if bound is not None and found else 1.0
        for bound in (target.must, target.then)
    )
    if miss > 1:
        return f"misses must by {100 * (miss - 1):.0f} %"
    if target.then is None or then <= 1:
        return "reached" if target.then is None else "then reached"
    return f"must reached, then misses by {100 * (then - 1):.0f} %"


def as_ratio(spread: Spread) -> str:
    """A ratio with its quartiles."""
    digits = 3 if spread.median < 1 else 2
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f}-{spread.high:.{digits}f})"


def amount(value: float, unit: str) -> str:
    """Seconds or bytes, to be read."""
    if unit == "B":
        return f"{value:,.0f} B" if value < 1e6 else f"{value / 1e6:,.0f} MB"  # noqa: PLR2004
    for factor, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= factor:
            return f"{value / factor:.3g} {name}"
    return f"{value * 1e6:.3g} µs"


def as_text(rows: Iterable[Line]) -> str:
    """In columns."""
    texts = [[str(cell) for cell in attrs.astuple(line)] for line in (HEAD, *rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in texts)
