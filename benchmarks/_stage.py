"""What a measure needs of those it measures: a stage on which actors live, and refs to them.

The names are bargein's, so that its own refs are used as they are; the floors have methods of the same names. A measure calls
them directly: nothing lies between it and what it measures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from benchmarks._loops import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from contextlib import AbstractAsyncContextManager

    from benchmarks._bodies import Maker
    from benchmarks._loops import Native
    from benchmarks._measure import Figures, Measure


class Ref(Protocol):
    """An actor, for whoever sends it messages."""

    def tell_nowait(self, message: Any) -> None:
        """Put a message into its mailbox."""

    async def ask(self, message: Any) -> Any:
        """Send it a message and wait for the reply."""

    async def request(self, message: Any) -> Awaitable[Any]:
        """Send it a message; awaiting what this gives is waiting for the reply."""
        ...

    def interrupt_nowait(self) -> object:
        """Stop the reply that is running now; whoever asked gets an answer."""

    def stream(self, message: Any) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Send it a message, and read the reply chunk by chunk."""
        ...

    async def stop(self) -> None:
        """End it, and wait until it has ended."""


class Stage(Protocol):
    """Where the actors of one sample live.

    Args:
        native: the loop's own ways to wait.
        make: makes an actor that is not started yet, from a body.
    """

    native: Native
    make: Maker

    async def spawn(self, actor: Any) -> Ref:
        """Start it."""
        ...


class Subject(Protocol):
    """One of those that are measured.

    Args:
        name: what the tables call it.
    """

    name: str

    def sample(self, measure: Measure, loop: str, count: int) -> Figures:
        """Do the work that often, on an event loop of its own, and say what it took."""
        ...


class Staged:
    """A subject with a stage: whatever the measure does, it does there."""

    def sample(self, measure: Measure, loop: str, count: int) -> Figures:
        """Open a stage, and do the work on it."""

        async def work() -> Figures:
            async with self.open(loop) as stage:
                return await measure.work(stage, count)

        return run(loop, work)

    def open(self, loop: str) -> AbstractAsyncContextManager[Stage]:
        """A stage on the loop that is running."""
        raise NotImplementedError
