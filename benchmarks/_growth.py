"""The curves: each point in a process of its own, and small ones several times."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from benchmarks._results import Point
from benchmarks._rounds import sample_alone
from benchmarks._subjects import subjects
from benchmarks.measures.growth import CURVES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.measures.growth import Curve

OFTEN, SMALL = 3, 10_000


def grow(say: Callable[[str], object], *, largest: int = 10**6, curves: Iterable[Curve] = CURVES) -> list[Point]:
    """Take all points up to a size."""
    points: list[Point] = []
    for curve in curves:
        for subject in subjects(curve.measure, "asyncio"):
            for size in curve.sizes:
                if size > largest:
                    break
                say(f"growth: {curve.measure.name} of {subject.name}, {size:,}")
                often = OFTEN if size <= SMALL else 1
                samples = [sample_alone(curve.measure, subject, "asyncio", size) for _ in range(often)]
                points += [
                    Point(figure.name, subject.name, size, median(sample[figure.name] for sample in samples))
                    for figure in curve.measure.figures
                ]
    return points
