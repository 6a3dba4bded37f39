"""Put the figures of a run into docs/benchmarks.md: ``python -m benchmarks.report [RESULTS.json]``.

Tables go between the markers of the page, plots into docs/benchmarks/. The text around them is written by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from benchmarks._results import Results
from benchmarks._table import HEAD, Line, amount, lines
from benchmarks.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BASES = {"floor", "scope"}


def main() -> None:
    """Fill the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, nargs="?", default=Path(__file__).parent / "results" / "latest.json")
    results = Results.read(parser.parse_args().results)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    from benchmarks._plots import draw  # noqa: PLC0415 - the tables need no matplotlib

    for path in (PAGE, *draw(results, PAGE.with_suffix(""))):
        print(path, file=sys.stderr)


def filled(page: str, results: Results) -> str:
    """The page with these figures between its markers.

    Raises:
        ValueError: a marker is missing.
    """
    parts: dict[str, Callable[[Results], str]] = {
        "machine": machine,
        "targets": targets,
        "floors": floors,
        "peers": peers,
        "growth": growth,
    }
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"the page has no place for {name}: <!-- {name}: ... --> and <!-- end of {name} -->")
        text = part(results).replace("\\", r"\\")
        page = pattern.sub(rf"\g<1>{text}\n\g<2>", page)
    return page


def machine(results: Results) -> str:
    """Where and when."""
    where = results.circumstances
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    return (
        f"{where['machine']['system']}, {where['machine']['processor']}, {where['machine']['cores']} cores "
        f"(load {where['machine']['load']:.1f} when it ended); {where['python']}; {versions}; "
        f"commit {where['commit']}, {where['date']}."
    )


def targets(results: Results) -> str:
    """What is to be reached, and whether it is."""
    return as_markdown(
        [line for line in lines(results) if line.verdict],
        "figure loop subject absolute ratio against must then verdict",
    )


def floors(results: Results) -> str:
    """Everything that was measured of floors and bargein."""
    rows = [line for line in lines(results) if line.subject not in PEERS and line.against not in PEERS]
    return as_markdown(rows, "figure loop subject absolute ratio against", titles=results.titles)


def peers(results: Results) -> str:
    """The others: what they take, and how many times that is of what bargein takes."""
    rows = [line for line in lines(results) if line.subject in PEERS]
    return as_markdown(rows, "figure subject absolute ratio")


def growth(results: Results) -> str:
    """One line for each curve, one column for each size."""
    sizes = sorted({point.size for point in results.growth})
    if not sizes:
        return "Not measured."
    table: dict[tuple[str, str], dict[int, str]] = {}
    for point in results.growth:
        unit = "B" if point.figure.endswith("bytes") else "s"
        table.setdefault((point.figure, point.subject), {})[point.size] = amount(point.value, unit)
    head = ["for one", "who", *(f"{size:,}" for size in sizes)]
    rows = [[*names, *(cells.get(size, "") for size in sizes)] for names, cells in table.items()]
    return markdown([head, *rows])


def as_markdown(rows: Iterable[Line], columns: str, titles: dict[str, str] | None = None) -> str:
    """Some columns of the table, each row once."""
    names = columns.split()
    head = [attrs.asdict(HEAD)[name] for name in names]
    cells = [[attrs.asdict(line)[name] for name in names] for line in rows]
    if titles is not None:
        cells = [[titles[row[0]], *row[1:]] for row in cells]
    return markdown([head, *dict.fromkeys(map(tuple, cells))])


def markdown(rows: Iterable[Iterable[str]]) -> str:
    """A table."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"|{'---|' * (head.count('|') - 1)}", *body])


if __name__ == "__main__":
    main()
