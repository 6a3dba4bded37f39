"""The program that a newcomer runs first."""

from __future__ import annotations

import re

from tests.examples._scripts import EXAMPLES, run_example


def test_the_quickstart_is_interrupted_and_goes_on() -> None:
    done = run_example("quickstart.py")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].rstrip() == "Once there was a lighthouse made of"
    assert re.fullmatch(r"\[interrupted in [\d.]+ ms\]", lines[1])
    assert lines[2] == "'Once there was a lighthouse made of ' True I have to go"
    assert lines[3].rstrip() == "salt, and nobody in the town could remember a time before it."
    assert (len(lines), done.stderr) == (4, "")


def test_the_quickstart_has_fewer_than_40_lines() -> None:
    assert len((EXAMPLES / "quickstart.py").read_text(encoding="utf-8").splitlines()) < 40
