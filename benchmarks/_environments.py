"""Environments for the peers that cannot share ours: .bench/NAME, made when first needed.

In each of them the floors and bargein are measured too, in the same rounds as the peer: its ratios are as good as any.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".bench"
OURS = ("anyio", "attrs", "structlog", "typing-extensions", "uvloop", "trio")


@attrs.frozen
class Environment:
    """The environment of one peer.

    Args:
        name: of the peer.
        requirements: what goes in, beside what bargein itself needs.
        options: for pip.
        prepare: called with the interpreter once all is installed.
    """

    name: str
    requirements: tuple[str, ...]
    options: tuple[str, ...] = ()
    prepare: Callable[[Path], None] | None = None

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return FOLDER / self.name / "bin" / "python"

    def provide(self) -> None:
        """Make it, unless it is there as it should be.

        Raises:
            CalledProcessError: something could not be installed; what pip says about it has been printed.
        """
        stamp = FOLDER / self.name / "requirements.txt"
        wanted = "\n".join((*self.requirements, *ours_pinned(), sys.version))
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            return
        make = [sys.executable, str(ROOT / "tools" / "environment.py"), "--venv", str(FOLDER / self.name), "--bare"]
        subprocess.run(make, check=True, stdout=sys.stderr)  # noqa: S603 - our own
        install = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *ours_pinned()], check=True, stdout=sys.stderr)  # noqa: S603
        subprocess.run([*install, *self.options, *self.requirements], check=True, stdout=sys.stderr)  # noqa: S603
        if self.prepare is not None:
            self.prepare(self.python)
        stamp.write_text(wanted, encoding="utf-8")


def ours_pinned() -> list[str]:
    """What bargein needs, at the versions that it is tested with."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if re.split("[=<> ]", line)[0] in OURS]
