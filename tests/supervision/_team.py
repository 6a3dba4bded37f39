"""Actors that tell what happens to each of their instances, and the messages with which they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import attrs

from actors import Actor, Backoff
from tests._support import Doer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors import ActorRef, Terminated

AT_ONCE = Backoff(first=0)


class BrokenError(Exception):
    """What these actors fail with."""


class WorseError(BrokenError):
    """A kind of it."""


def fail(error: BaseException | None = None) -> Callable[[Any], Awaitable[Any]]:
    """A message whose reply raises this."""

    async def reply(_actor: Any) -> Any:
        raise error or BrokenError("as told")

    return reply


async def number(actor: Any) -> int:
    """A message whose reply is the number of the instance."""
    return int(actor.number)


class Member(Doer):
    """One instance of an actor that is made by a ``Maker``."""

    def __init__(self, maker: Maker) -> None:
        super().__init__()
        self.maker = maker
        self.number = maker.made

    def say(self, what: str) -> None:
        self.maker.log.append(f"{self.maker.name}{self.number} {what}")

    async def on_start(self) -> None:
        self.say("starts")
        if self.maker.failing_starts > 0:
            self.maker.failing_starts -= 1
            raise WorseError("it does not start")
        for child in self.maker.children:
            await child.spawn(self.context)

    async def on_stop(self) -> None:
        self.say("stops")

    async def on_restart(self, error: BaseException, /) -> None:
        self.say(f"restarts: {error!r}")

    async def on_terminated(self, terminated: Terminated, /) -> None:
        self.say(f"hears: {terminated.ref.name} {terminated.reason}")
        self.maker.heard.append(terminated)


@attrs.define(eq=False)
class Maker:
    """Makes the instances of one actor; ``log``, often shared with others, is what happens to them."""

    log: list[str] = attrs.field(factory=list)
    name: str = "it"
    options: dict[str, Any] = attrs.field(factory=dict)
    children: list[Maker] = attrs.field(factory=list)
    failing_starts: int = 0
    made: int = 0
    heard: list[Terminated] = attrs.field(factory=list)
    kind: type[Member] = Member

    def __call__(self) -> Actor[Any, Any, Any]:
        self.made += 1
        return self.kind(self)

    async def spawn(self, where: Any) -> ActorRef[Any, Any, Any]:
        """Start it in a system, or below an actor's context."""
        ref: ActorRef[Any, Any, Any] = await where.spawn(self, name=self.name, **self.options)
        return ref


async def restarted(ref: ActorRef[Any, Any, Any], times: int = 1) -> None:
    """Wait until it has been restarted so often."""
    with anyio.fail_after(20):
        while ref.statistics().restarts < times or ref.statistics().state == "restarting":
            await anyio.lowlevel.checkpoint()


async def dead(ref: ActorRef[Any, Any, Any]) -> None:
    """Wait for its end."""
    with anyio.fail_after(20):
        await ref.join()
