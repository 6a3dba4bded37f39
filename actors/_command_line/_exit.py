"""How the command line ends, for scripts."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes; ``python -m actors --help`` lists them."""

    DONE = 0
    """Done; for ``cancel``: a living owner has the run and will be told; with ``--wait``: the run has ended."""
    WRONG_USE = 2
    """The command line cannot be right; nothing was done."""
    NOT_STORED = 3
    """The store cannot be reached, or refused; for ``cancel``: unless the text says otherwise, the cancel is not stored."""
    NO_SUCH_RUN = 4
    """No such run is registered; the cancel is stored, and waits for it."""
    FINISHED = 5
    """The run had ended before; nothing was stored."""
    OWNER_GONE = 6
    """The run is registered, but its owner is dead: it does not run any more, and nobody has ended it in order."""
    STILL_RUNS = 7
    """The cancel is stored, and the run had not ended when the time of ``--wait`` was up."""
    STOPPED = 130
    """By Ctrl-C."""
