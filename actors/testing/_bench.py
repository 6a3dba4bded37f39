"""What the clauses of a contract work with."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import uuid4

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from actors._cancellation._manager import CancellationManager

Feature: TypeAlias = Literal[
    "reasons",
    "early_cancels",
    "intents_apart",
    "duplicates",
    "shared",
    "synchronous",
    "tombstones",
    "expiry",
    "leases",
    "capacity",
    "breakable",
]
"""What a manager can have or lack: reason and author are kept; the cancel of an unknown run is; such a cancel is told apart from
a registered run; a second registration is refused; several managers see one store; it has synchronous twins; tombstones;
intents expire; registrations have leases; what others make up is bounded in number; its connection can be broken."""

PATIENCE = 10.0
"""Seconds after which something that should have happened has not."""


@attrs.define(eq=False)
class Bench:
    """What a clause works with.

    Args:
        first: an open manager.
        second: another one over the same store; the same one if the store is not shared.
        has: the features to insist on.
        advance: lets that many seconds pass, for the store.
        factory: makes such managers; it can be pickled.
        break_connection: cuts the connection of a manager off, as a network does.
        time_is_set: the store's clock is set by hand, and has nothing to do with the time of day.
    """

    first: CancellationManager
    second: CancellationManager
    has: frozenset[Feature]
    advance: Callable[[float], Awaitable[None]]
    time_is_set: bool = False
    factory: Callable[[], CancellationManager] | None = None
    break_connection: Callable[[CancellationManager], Awaitable[None]] | None = None
    used: list[str] = attrs.field(factory=list[str])
    _ids: Iterator[int] = attrs.field(factory=itertools.count)
    _mark: str = attrs.field(factory=lambda: uuid4().hex)

    def run_id(self, like: str = "run") -> str:
        """An id that no other clause uses."""
        self.used.append(f"{like}-{next(self._ids)}-{self._mark}")
        return self.used[-1]

    async def tidy_up(self) -> None:
        """Leave no run behind."""
        for run_id in self.used:
            await self.first.acleanup_run(run_id)


def must(condition: object, text: str) -> None:
    """Fail with a text that says what is wrong."""
    if not condition:
        raise AssertionError(text)


def same(found: object, expected: object, what: str) -> None:
    """Fail unless two things are equal."""
    must(found == expected, f"{what} is {found!r}, and must be {expected!r}")


async def refused(call: Awaitable[object], kind: type[Exception], what: str) -> None:
    """Fail unless a call raises an error of a kind."""
    try:
        answer = await call
    except kind:
        return
    raise AssertionError(f"{what} must raise {kind.__name__}, and returned {answer!r}")


async def until(condition: Callable[[], object]) -> None:
    """Wait for something to come true. If it does not, what is compared afterwards says so best."""
    with anyio.move_on_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await anyio.sleep(0.001)


Clause: TypeAlias = "Callable[[Bench], Awaitable[None]]"
"""One sentence of a contract; the name of the function is the sentence."""
