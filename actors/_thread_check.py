"""Actors and runs are used on their system's event loop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from actors._errors import WrongThreadError

if TYPE_CHECKING:
    from actors._cell import Cell


def check_thread(cell: Cell) -> None:
    """Refuse to be used elsewhere: nothing of the machinery is locked.

    Raises:
        WrongThreadError: the calling thread is not that of the system's event loop.
    """
    if threading.get_ident() != cell.system.thread:
        raise WrongThreadError(
            f"{cell.path} was used from another thread than its system's event loop; use ask_from_thread, "
            f"tell_from_thread or interrupt_from_thread there",
            ref=cell.ref,
        )
