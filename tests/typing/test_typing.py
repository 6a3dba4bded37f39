"""mypy and pyright, both strict, agree with promises.py, line by line."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROMISES = Path(__file__).with_name("promises.py")


def run(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_mypy_knows_what_is_promised():
    pytest.importorskip("mypy")
    said = run("mypy", "--config-file", ROOT / "pyproject.toml", "--strict", "--warn-unused-ignores", PROMISES)
    assert "no issues found in 1 source file" in said


@pytest.mark.timeout(180)
def test_pyright_knows_what_is_promised(tmp_path):
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    shutil.copy(PROMISES, tmp_path)
    settings = {
        "include": [PROMISES.name],
        "extraPaths": [str(ROOT)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
        "enableTypeIgnoreComments": False,
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    said = run("pyright", "--project", tmp_path, "--pythonpath", sys.executable, "--stats")
    assert "Total files checked: 1" in said
