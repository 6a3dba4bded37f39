"""What a change did: ``python benchmarks/compare.py OLD.json NEW.json``.

Where there is a floor, the ratios against it are compared, since two runs never meet the machine in the same mood; where there
is none, the figures themselves. A difference counts if the two middle halves of the samples do not overlap.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:1] = [str(Path(__file__).parent.parent)]  # as a script it is found in this folder, and its package beside it

from benchmarks._figures import Spread, ratios  # noqa: E402 - see above
from benchmarks._results import HERE, Results  # noqa: E402
from benchmarks._table import amount, as_ratio  # noqa: E402

if TYPE_CHECKING:
    from benchmarks._results import Key


def main() -> None:
    """Print what is in both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    options = parser.parse_args()
    old, new = Results.read(options.old), Results.read(options.new)
    for results in (old, new):
        where = results.circumstances
        print(f"{where.get('date')}  {where.get('commit')}  {where.get('python')}  {where.get('machine')}")
    rows = [("figure", "loop", "who", "against", "old", "new", "time", ""), *compare(old, new)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def compare(old: Results, new: Results) -> list[tuple[str, ...]]:
    """One row for each figure that both have, of those that are compared with something."""
    rows: list[tuple[str, ...]] = []
    for key in new.ordered():
        if key.place not in {HERE, key.subject}:
            continue  # measured again beside a peer
        baseline = new.baseline(key)
        if key not in old.samples or (baseline is None and not new.single(key)):
            continue
        if baseline is not None and not old.beside(key, baseline):
            continue
        before, after = relative(old, key, baseline), relative(new, key, baseline)
        change = after.median / before.median - 1
        apart = after.high < before.low or after.low > before.high
        word = ("faster" if change < 0 else "slower") if new.units[key.figure] == "s" else ""
        word = word or ("lighter" if change < 0 else "heavier")
        told = [as_text(spread, new.units[key.figure], baseline) for spread in (before, after)]
        who = (key.figure, key.loop, key.subject, baseline or "")
        rows.append((*who, *told, f"{change:+.1%}", word if apart else "within the noise"))
    return rows


def relative(results: Results, key: Key, baseline: str | None) -> Spread:
    """A figure, against the floor of its own rounds if it has one."""
    samples = results.samples[key]
    return Spread.of(samples if baseline is None else ratios(samples, results.beside(key, baseline)))


def as_text(spread: Spread, unit: str, baseline: str | None) -> str:
    """A ratio, or a figure."""
    if baseline is not None:
        return as_ratio(spread)
    return f"{amount(spread.median, unit)} ({amount(spread.low, unit)}-{amount(spread.high, unit)})"


if __name__ == "__main__":
    main()
