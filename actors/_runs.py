"""The runs of one system that have an id, by id."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Any

from actors._errors import DuplicateRunError, UsageError

if TYPE_CHECKING:
    from actors._run import Run


class Runs:
    """Finds a live run by its id. A run without an id is not here: ids are made when somebody asks for one.

    An id that is made here is unique among all systems on all machines: 64 random bits for the system, then a count.
    """

    __slots__ = ("_by_id", "_numbers", "_prefix")

    def __init__(self) -> None:
        self._by_id: dict[str, Run[Any, Any]] = {}
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def adopt(self, run: Run[Any, Any]) -> str:
        """A new id for this run."""
        run_id = f"{self._prefix}-{next(self._numbers)}"
        if not run.settled:
            self._by_id[run_id] = run
        return run_id

    def claim(self, run_id: Any, run: Run[Any, Any]) -> None:
        """This id, chosen by a user, is this run's.

        Raises:
            DuplicateRunError: if a live run has it.
            UsageError: if it is no usable id.
        """
        if not isinstance(run_id, str) or not run_id:
            raise UsageError(f"a run id is a text that is not empty, not {run_id!r}", ref=run.cell.ref)
        if run_id in self._by_id:
            raise DuplicateRunError(run_id, self._by_id[run_id].cell.path, ref=run.cell.ref)
        self._by_id[run_id] = run

    def get(self, run_id: str) -> Run[Any, Any] | None:
        """The live run of that id."""
        return self._by_id.get(run_id)

    def forget(self, run_id: str) -> None:
        """That run has ended."""
        self._by_id.pop(run_id, None)

    def __len__(self) -> int:
        return len(self._by_id)
