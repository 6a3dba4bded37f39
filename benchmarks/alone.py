"""One sample in a process of its own: ``python -m benchmarks.alone MEASURE SUBJECT LOOP COUNT``; prints the figures as JSON."""

from __future__ import annotations

import json
import sys

from benchmarks._rounds import sample_here
from benchmarks._subjects import subjects
from benchmarks.measures import MEASURES


def main() -> None:
    """Take it."""
    name, who, loop, count = sys.argv[1:]
    measure = next(measure for measure in MEASURES if measure.name == name)
    subject = next(subject for subject in subjects(measure, loop) if subject.name == who)
    print(json.dumps(sample_here(measure, subject, loop, int(count))))


if __name__ == "__main__":
    main()
