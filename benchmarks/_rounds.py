"""Samples taken in turns: in each round everybody does the same work, one after the other, each time beginning with another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from benchmarks._clean import clean
from benchmarks._results import Results
from benchmarks._subjects import subjects

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks._measure import Figures, Measure
    from benchmarks._stage import Subject
    from benchmarks.peers._peer import Peer

ROOT = Path(__file__).parent.parent


@attrs.frozen
class Plan:
    """What to measure.

    Args:
        measures: which.
        loops: on which event loops.
        rounds: how often.
        peers: beside the floors and bargein, in this process.
        rare_rounds: how often what is rare.
        scale: the share of each measure's count to do; 0 does the smallest number that shows that it works.
        say: told what is going on.
    """

    measures: Sequence[Measure]
    loops: Sequence[str]
    rounds: int
    peers: Sequence[Peer] = ()
    rare_rounds: int = 5
    scale: float = 1.0
    say: Callable[[str], object] = lambda _text: None

    def count(self, measure: Measure) -> int:
        """How many operations make a sample."""
        return max(measure.smallest, int(measure.count * self.scale))


def take(plan: Plan) -> Results:
    """Take all samples."""
    results = Results()
    for measure in plan.measures:
        results.name(measure.figures)
    for number in range(plan.rounds):
        for loop in plan.loops:
            for measure in plan.measures:
                if loop not in measure.loops or (measure.rare and number >= plan.rare_rounds):
                    continue
                plan.say(f"round {number + 1} of {plan.rounds}: {measure.name} on {loop}")
                for subject in in_turn(subjects(measure, loop, plan.peers), number):
                    sample = sample_alone if measure.alone else sample_here
                    results.add(loop, subject.name, sample(measure, subject, loop, plan.count(measure)))
    return results


def in_turn(everybody: Sequence[Subject], number: int) -> list[Subject]:
    """Another one is the first in each round."""
    first = number % max(1, len(everybody))
    return [*everybody[first:], *everybody[:first]]


def sample_here(measure: Measure, subject: Subject, loop: str, count: int) -> Figures:
    """Take one sample in this process."""
    with clean():
        return subject.sample(measure, loop, count)


def sample_alone(measure: Measure, subject: Subject, loop: str, count: int) -> Figures:
    """Take one sample in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.alone", measure.name, subject.name, loop, str(count)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    figures: Figures = json.loads(done.stdout)
    return figures
