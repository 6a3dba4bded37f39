"""What belongs to one instance of an actor, and ends with it when another instance goes on in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors._behaviour import unbecome
from actors._ending import cancel_timers
from actors._stash import unstash

if TYPE_CHECKING:
    from actors._cell import Cell


def end_incarnation(cell: Cell) -> None:
    """A new instance is about to take this actor's place: its timers are off, and what it had stashed is in the mailbox again."""
    cancel_timers(cell)
    unbecome(cell)
    unstash(cell)
