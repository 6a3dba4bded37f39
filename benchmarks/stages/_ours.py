"""bargein, with all features on and everything at its defaults; with cancellation managers; with context variables."""

from __future__ import annotations

from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from actors import Actor, ActorSystem, InMemoryCancellationManager
from actors._compat import override
from actors.backends import FileCancellationManager
from benchmarks._bodies import Maker
from benchmarks._loops import native
from benchmarks._stage import Staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from actors import ActorRef
    from benchmarks._loops import Native
    from benchmarks._measure import Figures, Measure

VARIABLES = tuple(ContextVar[int](f"variable-{number}") for number in range(10))


@attrs.define
class OurStage:
    """An actor system."""

    native: Native
    make: Maker
    system: ActorSystem
    cancellation: object | None

    async def spawn(self, actor: Actor[Any, Any, Any]) -> ActorRef[Any, Any, Any]:
        return await self.system.spawn(actor, cancellation=self.cancellation)


@attrs.frozen
class Ours(Staged):
    """A subject: bargein.

    Args:
        name: what the tables call it.
        manager: makes the cancellation manager that is injected into each actor, if one is to be, in a new folder.
        variables: whether whoever asks has set context variables.
        share: of the operations of a sample, for what is so slow that fewer will do.
    """

    name: str
    manager: Callable[[Path], object] | None = None
    variables: bool = False
    share: float = 1.0

    @override
    def sample(self, measure: Measure, loop: str, count: int) -> Figures:
        return Staged.sample(self, measure, loop, max(measure.smallest, int(count * self.share)))

    @override
    @asynccontextmanager
    async def open(self, loop: str) -> AsyncIterator[OurStage]:
        for number, variable in enumerate(VARIABLES if self.variables else ()):
            variable.set(number)
        with TemporaryDirectory() as folder:
            manager = None if self.manager is None else self.manager(Path(folder))
            # Some measures leave replies that hang; leaving the block does not wait for them.
            async with ActorSystem(drain_timeout=0) as system:
                yield OurStage(native(loop), Maker(Actor, native(loop)), system, manager)


MANAGERS = (
    Ours("memory", lambda _folder: InMemoryCancellationManager()),
    Ours("file", lambda folder: FileCancellationManager(folder / "runs.json"), share=0.05),
)
"""One line for each. Those that need a server come in with the server's address: see ``python -m benchmarks --help``."""

OURS = {ours.name: ours for ours in (Ours("bargein"), *MANAGERS, Ours("10 variables", variables=True))}
"""By name."""
