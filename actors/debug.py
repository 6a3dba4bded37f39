"""See what is going on in a system: a tree to read, and the same as records.

::

    from actors import debug

    debug.tree(system)
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from actors._snapshot import ActorSnapshot, StepSnapshot, snapshot_of

if TYPE_CHECKING:
    from actors._system import ActorSystem

__all__ = ["ActorSnapshot", "StepSnapshot", "snapshot", "tree"]

SLOW = 1.0
"""Seconds after which a step is shown with the place where it is suspended."""


def snapshot(system: ActorSystem) -> tuple[ActorSnapshot, ...]:
    """Every actor of the system at this moment: those at its top, with their children.

    Raises:
        ActorStopped: the system is not open.
        WrongThreadError: off the system's event loop.
    """
    system.check_open()
    return snapshot_of(system.roots.values())


def tree(system: ActorSystem, *, slow: float = SLOW, file: TextIO | None = None) -> str:
    r"""Print the tree of actors: for each its class, state, mailbox, and what it is doing since when.

    Of a step that is stuck, or takes longer than ``slow``, also where it is suspended::

        system
        ├── pool (Pool): idle
        │   ├── 1 (Worker): busy, 3 queued; reply to a str for 2.1 s, run mine
        │   │       at worker.py:12 in Worker.reply
        │   └── 2 (Worker): idle
        └── clock (Clock): idle, 1 timer

    Args:
        system: the system.
        slow: seconds after which a step counts as slow.
        file: where to print it; None takes standard output.

    Returns:
        What was printed.

    Raises:
        ActorStopped: the system is not open.
        WrongThreadError: off the system's event loop.
    """
    lines = [system.name]
    to_show = _next("", snapshot(system))
    while to_show:
        indent, actor, last = to_show.pop()
        below = indent + ("    " if last else "│   ")
        lines.append(f"{indent}{'└── ' if last else '├── '}{_line(actor)}")
        if actor.step is not None and (actor.step.stuck or actor.step.age >= slow):
            lines += [f"{below}{'│' if actor.children else ' '}   {place}" for place in _places(actor.step)]
        to_show += _next(below, actor.children)
    text = "\n".join(lines)
    print(text, file=file or sys.stdout)
    return text


def _next(indent: str, actors: tuple[ActorSnapshot, ...]) -> list[tuple[str, ActorSnapshot, bool]]:
    """What is to be shown, the first one at the end; and whether it is the last of its siblings."""
    return [(indent, actor, actor is actors[-1]) for actor in reversed(actors)]


def _line(actor: ActorSnapshot) -> str:
    counts = [
        f"{actor.queued} queued" if actor.queued else "",
        f"{actor.waiting} senders waiting" if actor.waiting else "",
        f"{actor.stashed} stashed" if actor.stashed else "",
        f"{actor.timers} timer{'s' if actor.timers > 1 else ''}" if actor.timers else "",
    ]
    said = ", ".join([actor.state, *filter(None, counts)])
    return f"{actor.name} ({actor.kind}): {said}{_doing(actor.step)}"


def _doing(step: StepSnapshot | None) -> str:
    if step is None:
        return ""
    message = f" to a {step.message}" if step.message else ""
    run = f", run {step.run_id}" if step.run_id is not None else ""
    status = f", {step.status}" if step.status == "interrupting" else ""
    return f"; {step.name}{message} for {step.age:.1f} s{run}{status}{', stuck' if step.stuck else ''}"


def _places(step: StepSnapshot) -> list[str]:
    first, *others = step.where.split(" <- ")
    return [f"at {first}", *(f"<- {place}" for place in others)]
