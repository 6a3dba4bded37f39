"""How the tests run an example: as a script of its own, to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def environment(**more: str) -> dict[str, str]:
    """This environment, without a model of its own, and with the framework of this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"} | more


def run_example(name: str, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        check=False,
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=50,
        env=environment(**variables),
    )
