"""One sample in a process of its own: ``python -m benchmarks.alone MEASURE SUBJECT LOOP COUNT``; prints the figures as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks._clean import clean
from benchmarks._subjects import subjects
from benchmarks.measures import MEASURES
from benchmarks.measures.growth import CURVES
from benchmarks.peers import PEERS

if TYPE_CHECKING:
    from benchmarks._measure import Figures


def main() -> None:
    """Take it."""
    name, who, loop, count = sys.argv[1:]
    measure = next(found for found in (*MEASURES, *(curve.measure for curve in CURVES)) if found.name == name)
    if who in PEERS:
        tell(PEERS[who].load().sample(measure, loop, int(count)))
    subject = next(subject for subject in subjects(measure, loop) if subject.name == who)

    async def work(stage: Any, count: int) -> Figures:
        tell(await measure.work(stage, count))
        return {}

    with clean():
        tell(subject.sample(attrs.evolve(measure, work=work), loop, int(count)))


def tell(figures: Figures) -> None:
    """Tell what came of it, and end at once: to end a million actors one by one would take longer than to start them."""
    print(json.dumps(figures), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
