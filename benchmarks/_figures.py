"""What is made of samples: medians, percentiles, ratios."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that is not exceeded by so many of a hundred."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@attrs.frozen
class Spread:
    """A median, with the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of these values, at least one."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, statistics.median(values), high)


def ratios(values: Sequence[float], against: Sequence[float]) -> list[float]:
    """Round by round: both samples of a round were taken within moments, on a machine in the same mood."""
    return [value / other for value, other in zip(values, against, strict=True) if other]
