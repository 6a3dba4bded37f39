"""What a run of the benchmarks has found, in memory and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks._measure import Figure, Figures

FORMAT = 1
HERE = "here"
BASELINES = ("floor", "scope", "bargein")
"""What the others of a row are compared with: the first of these that did the same."""


@attrs.frozen
class Key:
    """One row of figures: what was measured, on which loop, of whom, and in which environment."""

    figure: str
    loop: str
    subject: str
    place: str = HERE


@attrs.frozen
class Point:
    """One point of a curve.

    Args:
        figure: what was measured.
        subject: whose it is.
        size: how many there were.
        value: seconds or bytes, for one of them.
    """

    figure: str
    subject: str
    size: int
    value: float


@attrs.define
class Results:
    """All samples, in the order of the rounds.

    Args:
        circumstances: machine, versions, time, commit, options.
        samples: seconds or bytes for one operation.
        titles: what the figures are called.
        units: ``s`` or ``B``, by figure.
        growth: the points of all curves.
    """

    circumstances: dict[str, Any] = attrs.field(factory=dict)
    samples: dict[Key, list[float]] = attrs.field(factory=dict)
    titles: dict[str, str] = attrs.field(factory=dict)
    units: dict[str, str] = attrs.field(factory=dict)
    growth: list[Point] = attrs.field(factory=list)

    def name(self, figures: Iterable[Figure]) -> None:
        """These are going to be measured; tables have them in this order."""
        for figure in figures:
            self.titles[figure.name], self.units[figure.name] = figure.title, figure.unit

    def add(self, loop: str, subject: str, figures: Figures) -> None:
        """Take in one sample."""
        for figure, value in figures.items():
            self.samples.setdefault(Key(figure, loop, subject), []).append(value)

    def take_in(self, other: Results, place: str) -> None:
        """Add what was measured in another environment."""
        for name, title in other.titles.items():
            self.titles.setdefault(name, title)
            self.units.setdefault(name, other.units[name])
        for key, samples in other.samples.items():
            self.samples[attrs.evolve(key, place=place)] = samples

    def beside(self, key: Key, subject: str) -> list[float]:
        """The samples that another one has in the same row; none if it was not measured."""
        return self.samples.get(attrs.evolve(key, subject=subject), [])

    def baseline(self, key: Key) -> str | None:
        """Whom this one is compared with: peers with bargein, bargein with the floor."""
        for name in BASELINES if key.subject not in PEERS else ("bargein",):
            if name == key.subject:
                return None
            if self.beside(key, name):
                return name
        return None

    def single(self, key: Key) -> bool:
        """Whether nobody else did the same."""
        return not any(attrs.evolve(other, subject=key.subject) == key != other for other in self.samples)

    def ordered(self) -> list[Key]:
        """The rows: by figure, loop and place, in the order in which they came."""
        figures, loops = list(self.titles), list(dict.fromkeys(key.loop for key in self.samples))
        places = list(dict.fromkeys(key.place for key in self.samples))
        return sorted(
            self.samples,
            key=lambda key: (figures.index(key.figure), loops.index(key.loop), places.index(key.place)),
        )

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [{**attrs.asdict(key), "samples": self.samples[key]} for key in self.ordered()]
        figures = {name: {"title": self.titles[name], "unit": self.units[name]} for name in self.titles}
        document = {
            "format": FORMAT,
            "circumstances": self.circumstances,
            "figures": figures,
            "rows": rows,
            "growth": [attrs.asdict(point) for point in self.growth],
        }
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read what ``write`` wrote.

        Raises:
            ValueError: it is of another format.
        """
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") != FORMAT:
            raise ValueError(f"{path} is of format {document.get('format')!r}; this reads format {FORMAT}")
        results = cls(circumstances=document["circumstances"])
        for name, figure in document["figures"].items():
            results.titles[name], results.units[name] = figure["title"], figure["unit"]
        for row in document["rows"]:
            samples = row.pop("samples")
            results.samples[Key(**row)] = samples
        results.growth = [Point(**point) for point in document["growth"]]
        return results
