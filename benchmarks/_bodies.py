"""The replies: the same code for every subject. A stage makes actors of its own kind from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from benchmarks._loops import Native
    from benchmarks._stage import Ref


class Body:
    """What the stage gives to each of them."""

    native: Native


class Maker:
    """Makes actors of a stage's own kind from bodies, with one class for each body.

    Args:
        base: what the stage's actors are.
        native: the loop's own ways to wait.
    """

    def __init__(self, base: type, native: Native) -> None:
        self.base = base
        self.native = native
        self.kinds: dict[type, type] = {}

    def __call__(self, body: type, **attributes: Any) -> Any:
        """An actor that has these attributes."""
        if body not in self.kinds:
            self.kinds[body] = type(body.__name__, (body, self.base), {"native": self.native})
        actor = self.kinds[body]()
        actor.__dict__.update(attributes)
        return actor


class Echo(Body):
    """Replies at once."""

    async def reply(self, message: Any, /) -> Any:
        """What came."""
        return message


class Waits(Body):
    """Lets the loop turn once before it replies: a reply that suspends."""

    async def reply(self, message: Any, /) -> Any:
        """What came, a turn of the loop later."""
        await self.native.suspend()
        return message


class Counts(Body):
    """Calls ``done`` at the message that is zero."""

    done: Callable[[], object]

    async def reply(self, message: int, /) -> None:
        """Look whether it is over."""
        if not message:
            self.done()


class Hangs(Body):
    """Calls ``began`` and waits until it is interrupted. Its reply to an interrupt is the message."""

    began: Callable[[], object]

    async def reply(self, message: Any, /) -> Any:
        """Hang."""
        self.began()
        await self.native.forever()
        return message

    async def handle_interrupt(self, message: Any, _interruption: object, /) -> Any:
        """What came."""
        return message


class Passes(Body):
    """Tells the next one what it was told, one less; whoever gets a zero calls ``done``."""

    next: Ref
    done: Callable[[], object]

    async def reply(self, message: int, /) -> None:
        """Pass it on."""
        if message:
            self.next.tell_nowait(message - 1)
        else:
            self.done()


class Circulates(Body):
    """Tells the next one the same, without end."""

    next: Ref

    async def reply(self, message: Any, /) -> None:
        """Pass it on."""
        self.next.tell_nowait(message)


class Asks(Body):
    """Asks the next one, if there is one, and replies what that replied."""

    next: Ref | None = None

    async def reply(self, message: Any, /) -> Any:
        """Ask on, or turn back."""
        return message if self.next is None else await self.next.ask(message)


class Streams(Body):
    """Replies in as many chunks as the message says, and lets the loop turn before each, as a model does."""

    async def reply(self, message: int, /) -> AsyncIterator[int]:
        """Chunk by chunk."""
        for number in range(message):
            await self.native.suspend()
            yield number

    def assemble(self, chunks: Sequence[int], /) -> int:
        """How many there were."""
        return len(chunks)
