"""The command line: ``python -m benchmarks --only ask,tell --loops asyncio``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks._circumstances import circumstances
from benchmarks._loops import LOOPS
from benchmarks._rounds import Plan, take
from benchmarks._table import as_text, lines
from benchmarks.measures import MEASURES

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure, print the table, write the JSON."""
    options = parser().parse_args()
    results = take(plan(options))
    results.circumstances = circumstances(sys.argv[1:])
    print(as_text(lines(results)))
    results.write(options.json)
    print(f"\n{options.json}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join(measure.name for measure in MEASURES)
    parser.add_argument("--only", default="", metavar="A,B", help=f"measures, or what their names begin with: {names}")
    parser.add_argument("--loops", default=",".join(LOOPS), metavar="A,B", help="event loops (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="the main ratios, in less than two minutes")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (15; 7 if quick)")
    parser.add_argument("--scale", type=float, default=1.0, help="the share of the usual counts to do (1.0)")
    parser.add_argument("--json", type=Path, default=RESULTS / "latest.json", help="where to write it (%(default)s)")
    return parser


def plan(options: argparse.Namespace) -> Plan:
    """What the options ask for."""
    only = tuple(filter(None, options.only.split(",")))
    chosen = [measure for measure in MEASURES if measure.name.startswith(only)] if only else list(MEASURES)
    if options.quick:
        chosen = [measure for measure in chosen if measure.quick or only]
    unknown = set(options.loops.split(",")) - set(LOOPS)
    if not chosen or unknown:
        sys.exit(f"no such measure: {options.only}" if not chosen else f"no such loop: {', '.join(unknown)}")
    return Plan(
        measures=chosen,
        loops=options.loops.split(","),
        rounds=options.rounds or (7 if options.quick else 15),
        rare_rounds=1 if options.quick else 5,
        scale=options.scale,
        say=lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True),
    )


if __name__ == "__main__":
    main()
