"""The store that the command line is told of. The one door through which the core reaches the backends, at run time only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors._cancellation._manager import CancellationManager

VARIABLE = "BARGEIN_BACKEND"
"""Of the environment: for a URL with a password, which everybody on the machine could read in the list of processes."""


def manager_at(url: str | None) -> CancellationManager:
    """The manager that a URL names, or else the environment.

    Raises:
        ValueError: neither does, or the URL cannot be right; the text shows no password.
        ImportError: its client library is missing.
    """
    from actors.backends import manager_from_url  # noqa: PLC0415 - importing the core must never import the backends

    found = url or os.environ.get(VARIABLE)
    if not found:
        raise ValueError(f"which store? Say --backend URL, or set {VARIABLE}")
    if found.startswith("memory:"):
        raise ValueError("the memory of this process is empty, and that of another one cannot be reached: name a store")
    return manager_from_url(found)
