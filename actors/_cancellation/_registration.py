"""One run id in one manager's store: what it should be there, what it is there, and how the one becomes the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import anyio
import attrs

from actors._compat import override
from actors._errors import DuplicateRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors._cancellation._intent import CancelIntent
    from actors._cancellation._manager import CancellationManager


@attrs.define(eq=False)
class Registration:
    """A run id and its way through the store.

    A call to a store can fail after it was carried out, runs with the same id can follow each other, and a run can end while
    its registration is on the way. So this keeps what is wanted and what the store may know apart, and whoever calls
    ``settle`` closes the gap, one step after the other, however often the wish has changed meanwhile.

    Args:
        run_id: the run.
    """

    run_id: str
    wanted: bool = False
    """A run with this id lives."""
    life: int = 0
    """Counts the runs that had this id; the last one is meant by ``wanted``."""
    stored: int = 0
    """The life that the store may know; 0: none."""
    confirmed: bool = False
    """The store has said that this life is registered."""
    rejected: bool = False
    """The store has said that somebody else has this id: never to be cleaned up by us."""
    intent: CancelIntent | None = None
    """The cancel that this life has met."""
    answered: bool = False
    """The caller who registered has gone on: from now on an intent is delivered, not returned."""
    told: bool = False
    """The intent was returned or delivered."""
    busy: bool = False
    """Somebody is in ``settle``; others leave it to him, or wait for ``idle``."""
    idle: anyio.Event = attrs.field(factory=anyio.Event)
    unwanted_since: float = 0.0

    def begin(self) -> None:
        """A new run has this id."""
        self.life += 1
        self.wanted = True
        self.confirmed = self.rejected = self.answered = self.told = False
        self.intent = None

    @property
    def settled(self) -> bool:
        """Whether the store is as wanted."""
        if self.wanted:
            return self.confirmed or self.rejected
        return not self.stored

    @property
    def outdated(self) -> bool:
        """Whether what the store knows is an earlier life, so that an intent found there is not meant for this one."""
        return self.stored not in (0, self.life)

    async def settle(self, manager: CancellationManager, owner: str) -> None:
        """Make the store as wanted. What it raises leaves everything in order for the next try."""
        self.busy = True
        self.idle = anyio.Event()
        try:
            while not self.settled:
                if self.stored and (not self.wanted or self.outdated):
                    await manager.acleanup_run(self.run_id, owner=owner)
                    self.stored = 0
                else:
                    await self._enroll(manager, owner)
        finally:
            self.busy = False
            self.idle.set()

    async def _enroll(self, manager: CancellationManager, owner: str) -> None:
        life = self.stored = self.life  # from here on the store may know it, whatever becomes of the call
        try:
            intent = await manager.enroll(self.run_id, owner=owner)
        except DuplicateRunError:
            self.stored = 0
            self.rejected = life == self.life
            return
        if life == self.life:
            self.confirmed = True
            self.intent = self.intent or intent


class Lives(Mapping[str, "tuple[Registration, int, int]"]):
    """A book of registrations, as ``watch`` wants it: what differs when the intent of one life could be taken for another's."""

    def __init__(self, book: Mapping[str, Registration]) -> None:
        self._book = book

    @override
    def __getitem__(self, run_id: str) -> tuple[Registration, int, int]:
        entry = self._book[run_id]
        return entry, entry.life, entry.stored

    @override
    def __contains__(self, run_id: object) -> bool:
        return run_id in self._book

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._book)

    @override
    def __len__(self) -> int:
        return len(self._book)
