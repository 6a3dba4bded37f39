"""One measure: what is done, how often, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Figures: TypeAlias = dict[str, float]
"""What one sample gives: seconds or bytes for one operation, under the names of the rows of the table."""


@attrs.frozen
class Measure:
    """Something that is measured.

    Args:
        name: how it is chosen on the command line.
        count: how many operations make a sample.
        work: does them on a stage.
        figures: what it gives, with the title of each.
        unit: ``s`` or ``B``.
        quick: whether it belongs to the main ratios.
        alone: whether each sample is taken in a process of its own.
        rare: whether it takes so long that it is measured in a few rounds only.
        smallest: how many operations show that it works.
    """

    name: str
    count: int
    work: Callable[[Any, int], Awaitable[Figures]]
    figures: dict[str, str]
    unit: str = "s"
    quick: bool = True
    alone: bool = False
    rare: bool = False
    smallest: int = 10
