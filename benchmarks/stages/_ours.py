"""bargein, with all features on and everything at its defaults."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs

from actors import Actor, ActorSystem
from benchmarks._bodies import Maker
from benchmarks._loops import native

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from actors import ActorRef
    from benchmarks._loops import Native


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
class Ours:
    """A subject: bargein.

    Args:
        name: what the tables call it.
        manager: makes the cancellation manager that is injected into each actor, if one is to be.
    """

    name: str = "bargein"
    manager: Callable[[], Any] | None = None

    @asynccontextmanager
    async def open(self, loop: str) -> AsyncIterator[OurStage]:
        async with ActorSystem(drain_timeout=0) as system:  # what still hangs afterwards is not waited for
            yield OurStage(
                native(loop), Maker(Actor, native(loop)), system, None if self.manager is None else self.manager()
            )
