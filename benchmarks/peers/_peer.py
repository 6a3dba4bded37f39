"""What a peer can do: for each measure that it takes part in, a function that does the work in the peer's own way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from benchmarks._measure import Figures, Measure


@attrs.frozen
class Peer:
    """A subject: another framework.

    Args:
        name: what the tables call it.
        works: by the name of the measure; each does the work that often, and says what one operation took.
        share: of the usual number of operations, where fewer will do.
    """

    name: str
    works: Mapping[str, Callable[[int], Figures]]
    share: float = 1.0

    def sample(self, measure: Measure, _loop: str, count: int) -> Figures:
        """Do the work, as a subject does."""
        return self.works[measure.name](max(measure.smallest, int(count * self.share)))


def on_asyncio(work: Callable[[int], Awaitable[Figures]]) -> Callable[[int], Figures]:
    """A work of a peer that lives on asyncio, each time on a new event loop."""

    async def done(count: int) -> Figures:
        return await work(count)

    return lambda count: asyncio.run(done(count))
