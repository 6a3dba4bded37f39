"""What a run of the benchmarks has found, in memory and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks._measure import Figures

FORMAT = 1


@attrs.frozen(order=True)
class Key:
    """One row of figures: what was measured, on which loop, of whom."""

    figure: str
    loop: str
    subject: str


@attrs.define
class Results:
    """All samples, in the order of the rounds.

    Args:
        circumstances: machine, versions, time, commit, options.
        samples: seconds or bytes for one operation.
        titles: what the figures are called.
        units: ``s`` or ``B``, by figure.
    """

    circumstances: dict[str, Any] = attrs.field(factory=dict)
    samples: dict[Key, list[float]] = attrs.field(factory=dict)
    titles: dict[str, str] = attrs.field(factory=dict)
    units: dict[str, str] = attrs.field(factory=dict)

    def add(self, loop: str, subject: str, figures: Figures) -> None:
        """Take in one sample."""
        for figure, value in figures.items():
            self.samples.setdefault(Key(figure, loop, subject), []).append(value)

    def of(self, figure: str, loop: str, subject: str) -> list[float]:
        """The samples of one row; none if it was not measured."""
        return self.samples.get(Key(figure, loop, subject), [])

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [{**attrs.asdict(key), "samples": samples} for key, samples in self.samples.items()]
        figures = {name: {"title": self.titles[name], "unit": self.units[name]} for name in self.titles}
        document = {"format": FORMAT, "circumstances": self.circumstances, "figures": figures, "rows": rows}
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
            results.samples[Key(row["figure"], row["loop"], row["subject"])] = row["samples"]
        return results
