"""Break the code on purpose, one small fault at a time, and see whether the tests notice: `make mutants`.

Each mutant of catalogue.py is applied to a copy of the project, and the tests that are named there run on the copy until one
fails. A mutant that no test notices has survived, and this program fails.

    python tests/mutants/run.py [WORD ...]      only the mutants whose names contain one of the words
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.mutants.catalogue import MUTANTS, Mutant  # noqa: E402 - after the path is right

COPIED = ("actors", "backends", "tests", "examples", "pyproject.toml")
LIMIT = (
    60.0  # seconds for the tests of one mutant: a mutant may well hang, and pytest's own limit ends the hanging test
)


def copy_project(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def run_tests(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "--tb=line",
        "--timeout=10",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "TEST_LIMIT": "5"}
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT, env=environment
        )
    except subprocess.TimeoutExpired:
        return 1, f"no end within {LIMIT:.0f} s"
    return done.returncode, done.stdout


def judge(mutant: Mutant) -> tuple[Mutant, bool, str, float]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_project(folder)
        for edit in mutant.edits:
            path = folder / edit.file
            text = path.read_text(encoding="utf-8")
            if text.count(edit.before) != 1:
                return mutant, False, f"{edit.file} does not have this once: {edit.before!r}", time.monotonic() - began
            path.write_text(text.replace(edit.before, edit.after), encoding="utf-8")
        status, output = run_tests(folder, mutant.tests)
    noticed = status == 1  # pytest: some tests failed; anything else is no proof
    lines = output.strip().splitlines()
    failed = next((line for line in reversed(lines) if line.startswith(("FAILED", "ERROR", "no end"))), "")
    if not noticed:
        failed = " ".join(lines[-1:])
    return mutant, noticed, failed, time.monotonic() - began


def main(words: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    survivors = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for mutant, noticed, how, seconds in pool.map(judge, chosen):
            survivors += not noticed
            print(f"{'caught  ' if noticed else 'SURVIVED'} {seconds:5.1f} s  {mutant.name}\n           {how[:160]}")
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants caught")
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
