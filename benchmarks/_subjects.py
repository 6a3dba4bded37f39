"""Who is measured, with what, on which loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.stages._ours import Ours

if TYPE_CHECKING:
    from benchmarks._measure import Measure
    from benchmarks._stage import Subject

INTERRUPTS = {"interrupt", "storm-1k", "storm-10k"}
"""What takes something to interrupt with: a bare ``task.cancel()``, or a bare scope."""

TELLS = {"tell", "flood", "ring"}
"""What takes no replies, so that a floor without them can do it."""


def subjects(measure: Measure, loop: str) -> list[Subject]:
    """Those who do this on that loop."""
    if loop == "trio":
        from benchmarks.stages import _floor_trio as floors  # noqa: PLC0415 - optional
    else:
        from benchmarks.stages import _floor_asyncio as floors  # noqa: PLC0415
    chosen: list[Subject] = []
    if loop != "trio" or measure.name not in INTERRUPTS | {"bytes-suspended"}:
        chosen.append(floors.TELLS if measure.name in TELLS else floors.RAW)
    if measure.name in INTERRUPTS:
        chosen.append(floors.SCOPED)
    return [*chosen, Ours()]
