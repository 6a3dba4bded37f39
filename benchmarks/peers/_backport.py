"""astage on Python 3.11: it asks for 3.12 for nothing but the newer way to write generic classes, which is rewritten.

What it does at run time stays the same: in both spellings the classes are subscriptable and the parameters are not looked at.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PARAMETERS = re.compile(r"^class (\w+)\[T\](?=:)", re.MULTILINE)
IMPORTS = 'from typing import Generic, TypeVar\n\nT = TypeVar("T")\n'


def run_on_python_311(python: Path) -> None:
    """Rewrite the astage that is installed for this interpreter, if it needs that."""
    if sys.version_info >= (3, 12):
        return
    found = subprocess.run(  # noqa: S603 - our own interpreter
        [str(python), "-c", "import importlib.util as u; print(u.find_spec('astage').submodule_search_locations[0])"],
        check=True,
        capture_output=True,
        text=True,
    )
    for path in Path(found.stdout.strip()).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if PARAMETERS.search(text):
            path.write_text(IMPORTS + PARAMETERS.sub(r"class \1(Generic[T])", text), encoding="utf-8")
