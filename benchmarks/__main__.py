"""The command line: ``python -m benchmarks --only ask,tell --loops asyncio``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks._circumstances import circumstances
from benchmarks._elsewhere import measure_elsewhere
from benchmarks._growth import grow
from benchmarks._loops import LOOPS
from benchmarks._rounds import Plan, take
from benchmarks._table import as_text, lines
from benchmarks.measures import MEASURES
from benchmarks.peers import PEERS

RESULTS = Path(__file__).parent / "results"
ROUNDS, QUICK_ROUNDS = 15, 7


def main() -> None:
    """Measure, print the table, write the JSON."""
    options = parser().parse_args()
    plan = planned(options)
    results = take(plan)
    for name in options.peers:
        peer = PEERS[name]
        if not peer.is_here and peer.environment is not None:
            found = measure_elsewhere(plan, peer)
            if found is not None:
                results.take_in(found, name)
    if options.growth:
        results.growth = grow(plan.say, largest=max(1, int(10**6 * options.scale)))
    results.circumstances = circumstances(sys.argv[1:])
    print("\r\x1b[K", end="", file=sys.stderr)
    print(as_text(lines(results)))
    results.write(options.json)
    print(f"\n{options.json}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join(measure.name for measure in MEASURES)
    usual = ",".join(name for name, peer in PEERS.items() if peer.by_default)
    option = parser.add_argument
    option("--only", default="", metavar="A,B", help=f"measures, or what their names begin with: {names}, growth")
    option("--loops", type=listed, default=",".join(LOOPS), metavar="A,B", help="event loops (%(default)s)")
    option(
        "--peers",
        type=listed,
        metavar="A,B",
        help=f"others to measure, of {', '.join(PEERS)}; '' for none ({usual}; if quick, those that need no environment)",
    )
    option("--quick", action="store_true", help="the main ratios, in less than two minutes")
    option("--rounds", type=int, help=f"how often everything is measured ({ROUNDS}; {QUICK_ROUNDS} if quick)")
    option("--rare-rounds", type=int, help="how often what takes long is measured (5; 1 if quick)")
    option("--scale", type=float, default=1.0, help="the share of the usual counts to do (%(default)s)")
    option(
        "--growth",
        action=argparse.BooleanOptionalAction,
        help="how time and memory grow with the number of things (if all is measured)",
    )
    option("--json", type=Path, default=RESULTS / "latest.json", help="where to write the figures (%(default)s)")
    option("--only-peer", default="", help=argparse.SUPPRESS)  # in the environment of that peer
    return parser


def listed(text: str) -> list[str]:
    """What stands between commas."""
    return list(filter(None, text.split(",")))


def planned(options: argparse.Namespace) -> Plan:
    """What the options ask for; says so if they ask for something that there is not."""
    if options.peers is None:
        options.peers = [
            name for name, peer in PEERS.items() if peer.by_default and (peer.is_here or not options.quick)
        ]
    only = listed(options.only)
    if options.growth is None:
        options.growth = "growth" in only or not (options.quick or only or options.only_peer)
    if options.only_peer:
        options.peers = [options.only_peer]
    for kind, wanted, known in (("event loop", options.loops, LOOPS), ("peer", options.peers, PEERS)):
        for name in wanted:
            if name not in known:
                sys.exit(f"there is no {kind} {name!r}; there are {', '.join(known)}")
    peers = [PEERS[name].load() for name in options.peers if PEERS[name].is_here]
    chosen = [measure for measure in MEASURES if is_chosen(measure.name, only)]
    if options.quick and not only:
        chosen = [measure for measure in chosen if measure.quick]
    if options.only_peer:
        chosen = [measure for measure in chosen if measure.name in peers[0].works]
    elif not chosen and not options.growth:
        sys.exit(
            f"there is no measure {options.only!r}; there are {', '.join(measure.name for measure in MEASURES)}, growth"
        )
    return Plan(
        measures=chosen,
        loops=options.loops,
        rounds=options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS),
        peers=peers,
        rare_rounds=options.rare_rounds or (1 if options.quick else 5),
        scale=options.scale,
        say=lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True),
    )


def is_chosen(name: str, only: list[str]) -> bool:
    """Whether ``--only`` names it: its beginning, or all of it behind an equals sign."""
    return not only or any(name == word[1:] if word.startswith("=") else name.startswith(word) for word in only)


if __name__ == "__main__":
    main()
