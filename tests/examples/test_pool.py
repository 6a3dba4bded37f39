"""The example of a pool, a topic and a timer."""

from __future__ import annotations

import re

from tests.examples._scripts import run_example


def test_every_page_is_translated_dropped_or_put_down() -> None:
    done = run_example("pool.py")
    assert (done.returncode, done.stderr) == (0, "")
    fates = [int(number) for number in re.findall(r"^(?:dropped: )?page (\d)", done.stdout, re.MULTILINE)]
    assert sorted(fates) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert "dropped: page 5" not in done.stdout  # the urgent one


def test_the_tree_is_shown_and_what_runs_is_interrupted() -> None:
    done = run_example("pool.py")
    assert "└── desk (Pool): idle" in done.stdout
    assert re.search(r"^interrupted: \d pages$", done.stdout, re.MULTILINE)
    assert "so far: " in done.stdout
