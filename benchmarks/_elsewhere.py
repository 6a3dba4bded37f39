"""Peers in environments of their own: the same rounds, in a process of that environment, with floors, bargein and the peer."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._results import Results

if TYPE_CHECKING:
    from benchmarks._rounds import Plan
    from benchmarks.peers import Listed

ROOT = Path(__file__).parent.parent


def measure_elsewhere(plan: Plan, peer: Listed) -> Results | None:
    """Measure with one such peer; None if it has no part in this, or cannot be had here."""
    environment = peer.environment
    assert environment is not None
    plan.say(f"the environment of {peer.name}")
    try:
        environment.provide()
    except (OSError, subprocess.CalledProcessError) as error:
        plan.say(f"{peer.name} cannot be measured here: {error}\n")
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        options = {
            "--only": ",".join(f"={measure.name}" for measure in plan.measures),
            "--loops": "asyncio",
            "--rounds": str(plan.rounds),
            "--rare-rounds": str(plan.rare_rounds),
            "--scale": str(plan.scale),
            "--json": str(path),
            "--only-peer": peer.name,
        }
        words = [word for option in options.items() for word in option]
        done = subprocess.run(  # noqa: S603 - our own
            [str(environment.python), "-m", "benchmarks", *words], cwd=ROOT, check=False, stdout=subprocess.DEVNULL
        )
        if done.returncode or not path.exists():
            plan.say(f"{peer.name} was not measured\n")
            return None
        return Results.read(path)
