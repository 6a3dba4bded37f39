"""Who is measured, with what, on which loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.stages._ours import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks._measure import Measure
    from benchmarks._stage import Subject
    from benchmarks.peers._peer import Peer


def subjects(measure: Measure, loop: str, peers: Sequence[Peer] = ()) -> list[Subject]:
    """Those who do this on that loop. Peers stand beside asyncio, whether they live on it or on threads."""
    floors = floors_on(loop)
    return [
        *(floors[kind] for kind in measure.floors if kind in floors),
        *(OURS[name] for name in measure.ours),
        *(peer for peer in peers if loop == "asyncio" and measure.name in peer.works),
    ]


def floors_on(loop: str) -> Mapping[str, Subject]:
    """The hand-written actors for that loop."""
    if loop == "trio":
        from benchmarks.stages._floor_trio import FLOORS  # noqa: PLC0415 - optional
    else:
        from benchmarks.stages._floor_asyncio import FLOORS  # noqa: PLC0415
    return FLOORS
