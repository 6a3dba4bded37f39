"""The plots of docs/benchmarks.md, drawn from the figures of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from benchmarks._figures import Spread
from benchmarks._results import Key
from benchmarks._table import measured
from benchmarks._targets import TARGETS
from benchmarks.measures.growth import CURVES
from benchmarks.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks._results import Results

mpl.use("svg")
import matplotlib.pyplot as plt

OURS, FLOOR, THEIRS, MISSED = "#1f6f8b", "#b0b0b0", "#d9a441", "#c0504d"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bargein",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
PEER_FIGURES = ("tell", "ask", "spawn", "interrupt-p50", "bytes-new")


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw all for which there are figures; says what was drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {"targets": targets, "peers": peers, "growth-time": growth_time, "growth-memory": growth_memory}
    drawn: list[Path] = []
    with mpl.rc_context(STYLE):
        for name, plot in plots.items():
            figure = plot(results)
            if figure is not None:
                path = folder / f"{name}.svg"
                figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
                plt.close(figure)
                drawn.append(path)
    return drawn


def targets(results: Results) -> Any:
    """How far each figure is from its bounds: the share of the "must" that is used up."""
    rows = list(_shares(results))
    if not rows:
        return None
    figure, axes = plt.subplots(figsize=(7, 0.22 * len(rows) + 0.6))
    for place, (label, share, then) in enumerate(reversed(rows)):
        axes.barh(place, share, color=OURS if share <= 1 else MISSED, height=0.65)
        if then is not None:
            axes.plot([then, then], [place - 0.4, place + 0.4], color="black", linewidth=1)
        axes.text(0, place, f"{label} ", ha="right", va="center")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks([])
    axes.set_xlim(0, max(1.3, min(3, max(share for _, share, _ in rows))))
    axes.set_xlabel('share of the "must" bound (line at 1; short marks: "then")')
    return figure


def _shares(results: Results) -> Iterator[tuple[str, float, float | None]]:
    for target in TARGETS:
        if target.must is None:
            continue
        for key in results.ordered():
            found = measured(results, key, target) if target.is_for(key) else None
            if found is None or (target.against in PEERS and key.place not in {"here", target.against}):
                continue
            if target.against not in PEERS and key.place != "here":
                continue
            share = 1 + target.missed_by(found.median, target.must)
            then = None if target.then is None else _share(target.then, target.must, at_least=target.at_least)
            beside = f" against {target.against}" if target.against in PEERS else ""
            yield f"{target.figure}{beside}, {key.loop}", share, then


def _share(then: float, must: float, *, at_least: bool) -> float:
    return must / then if at_least else then / must


def peers(results: Results) -> Any:
    """The same work by other frameworks, beside the bargein of the same process and rounds."""
    found = [name for name in PEER_FIGURES if any(_peers(results, name))]
    if not found:
        return None
    figure, panels = plt.subplots(1, len(found), figsize=(2.4 * len(found), 2.4), squeeze=False)
    for axes, name in zip(panels[0], found, strict=True):
        rows = sorted(_peers(results, name), key=lambda row: row[1])
        for place, (_peer, factor) in enumerate(rows):
            axes.barh(place, factor, color=THEIRS if factor > 1 else MISSED, height=0.65)
        axes.axvline(1, color=OURS, linewidth=1.5)
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_yticks(range(len(rows)), [peer for peer, _ in rows], fontsize=7)
        axes.set_title(name, fontsize=9)
    figure.supxlabel("times as much as bargein (line at 1)", fontsize=8)
    figure.tight_layout()
    return figure


def _peers(results: Results, figure: str) -> Iterator[tuple[str, float]]:
    for key, samples in results.samples.items():
        ours = results.samples.get(Key(figure, key.loop, "bargein", key.place))
        if key.figure == figure and key.subject in PEERS and ours:
            yield key.subject, Spread.of(samples).median / Spread.of(ours).median


def growth_time(results: Results) -> Any:
    """Time for one, as there are more."""
    return _growth(results, "s", 1e6, "µs")


def growth_memory(results: Results) -> Any:
    """Memory for one, as there are more."""
    return _growth(results, "B", 1, "bytes")


def _growth(results: Results, unit: str, factor: float, name: str) -> Any:
    panels = [
        (curve.axis, figure.name, figure.title)
        for curve in CURVES
        for figure in curve.measure.figures
        if figure.unit == unit and any(point.figure == figure.name for point in results.growth)
    ]
    if not panels:
        return None
    columns = 3
    lines = -(-len(panels) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(3.1 * columns, 2.2 * lines), squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (axis, which, title) in zip(grid.flat, panels, strict=False):
        for subject, colour in (("floor", FLOOR), ("bargein", OURS)):
            points = sorted(
                (p.size, p.value * factor) for p in results.growth if (p.figure, p.subject) == (which, subject)
            )
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=subject)
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel(axis, fontsize=8)
        axes.set_ylabel(name, fontsize=8)
    grid.flat[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure
