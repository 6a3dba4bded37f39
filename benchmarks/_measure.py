"""One measure: what is done, how often, by whom, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from benchmarks._loops import LOOPS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Figures: TypeAlias = dict[str, float]
"""What one sample gives: seconds or bytes for one operation, under the names of its figures."""


@attrs.frozen
class Figure:
    """Something that a measure finds out.

    Args:
        name: short, for files and the command line.
        title: for tables.
        unit: ``s`` or ``B``.
    """

    name: str
    title: str
    unit: str = "s"


@attrs.frozen
class Measure:
    """Something that is measured.

    Args:
        name: how it is chosen on the command line.
        count: how many operations make a sample.
        work: does them on a stage.
        figures: what it gives.
        floors: which of the hand-written actors do the same (see ``stages``); the first one is the floor.
        ours: which of bargein's set-ups do it (see ``stages/_ours``).
        loops: on which event loops.
        quick: whether it belongs to the main ratios.
        alone: whether each sample is taken in a process of its own.
        rare: whether it takes so long that it is measured in a few rounds only.
        smallest: how many operations show that it works.
    """

    name: str
    count: int
    work: Callable[[Any, int], Awaitable[Figures]]
    figures: tuple[Figure, ...]
    floors: tuple[str, ...] = ("plain",)
    ours: tuple[str, ...] = ("bargein",)
    loops: tuple[str, ...] = LOOPS
    quick: bool = True
    alone: bool = False
    rare: bool = False
    smallest: int = 10
