"""The base of all actors."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Generic

import anyio.lowlevel

from actors._compat import TypeVar
from actors._errors import SpawnError, UsageError
from actors._ref import ActorRef

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence

    from actors._cell import Cell
    from actors._context import ActorContext
    from actors._death_watch import Terminated
    from actors._interruption import Interruption
    from actors._run import Status

M = TypeVar("M")
R = TypeVar("R")
C = TypeVar("C", default=Any)


class Actor(Generic[M, R, C]):
    """Subclass it, and write ``reply``. It handles one message at a time.

    The three types are those of its messages, its replies, and the chunks of which a reply is made as it comes (``C``, which
    may be left out). There is no ``__init__`` to call. Attrs classes can be actors, frozen and unhashable ones too: the machinery
    goes by identity.

    ::

        class Adder(Actor[tuple[int, int], int]):
            async def reply(self, message: tuple[int, int], /) -> int:
                return message[0] + message[1]
    """

    def reply(self, message: M, /) -> Awaitable[R] | AsyncIterator[C]:
        """Answer one message. Override it with an ``async def`` that returns the reply, or with an async generator of chunks.

        A generator's reply is made by :meth:`assemble`; a coroutine can contribute to the partial reply with
        ``self.context.emit(chunk)``. An interrupt cancels it at its next await, through an anyio cancel scope: each further
        await raises again, also in ``finally``. What must not be cut goes into ``self.context.commit()`` or ``protect()``.
        """
        raise NotImplementedError

    def assemble(self, chunks: Sequence[C], /) -> R:
        """Make the reply of a generator from all it has yielded."""
        raise NotImplementedError

    async def handle_interrupt(self, message: M, interruption: Interruption[C], /) -> R:
        """Make the reply of a run that was interrupted: what it returns is the answer to whoever asked.

        It runs outside the cancelled scope, once for each interrupted run, in the same turn, also for messages that nobody
        waits for; it cannot be interrupted, and has ``interrupt_timeout`` seconds. The base one has no reply to give.

        Raises:
            Interrupted: the outcome *interrupted*, with the partial reply. An override may raise it too.
        """
        raise self.context.interrupted(message, interruption)

    async def on_start(self) -> None:
        """Called once, before the first message; ``spawn`` returns when it has succeeded, and raises what it raises."""

    async def on_stop(self) -> None:
        """Called once when the actor ends, after its children have ended; not after ``kill()``.

        Also called on an instance that is to be replaced by a new one, unless a reply in it refuses to end.
        """

    async def on_restart(self, error: BaseException, /) -> None:
        """Called on the new instance, before ``on_start``, when the actor is restarted because of this error."""

    async def on_terminated(self, terminated: Terminated, /) -> None:
        """Called when an actor has ended that this one watches (``self.context.watch(ref)``), once, between two runs.

        It is never behind messages. It cannot be interrupted, and has ``interrupt_timeout`` seconds.
        """

    @property
    def context(self) -> ActorContext[M, R, C]:
        """What the actor can do: its own ref, children, the run it is in, ``emit``, ``protect``, ``commit``.

        Raises:
            UsageError: if the actor has not been spawned.
        """
        context: ActorContext[M, R, C] | None = self.__dict__.get("_actor_context")
        if context is None:
            raise UsageError(f"{type(self).__qualname__} has no context before it is spawned; use it from on_start on")
        return context

    # -- for the machinery

    def _make_ref(self, cell: Cell) -> ActorRef[M, R, C]:
        """The ref that others get; its type is what ``spawn`` returns."""
        return ActorRef(cell)

    def _default_name(self) -> str | None:
        """The name it is spawned under if none is given; None: one is made from the class."""
        return None

    @classmethod
    def _overrides(cls, method: str) -> bool:
        """Whether the class has a method of its own in place of this one's."""
        return getattr(cls, method) is not getattr(Actor, method)

    def _check(self) -> None:
        """Refuse to be spawned in a state in which it could not work.

        Raises:
            SpawnError: with what is wrong and what to do.
        """
        kind = type(self)
        if not self._overrides("reply"):
            raise SpawnError(f"{kind.__qualname__} has no reply: write `async def reply(self, message, /)`")
        if inspect.isasyncgenfunction(kind.reply) and not self._overrides("assemble"):
            raise SpawnError(
                f"{kind.__qualname__}.reply is an async generator, and there is no assemble(chunks) to make its reply"
            )

    async def _let_others_turn(self, _message: object, /) -> None:
        """Nothing, but not without letting the event loop turn."""
        await anyio.lowlevel.checkpoint()

    def _reply_ended(self, status: Status, /) -> None:
        """The current reply has ended like this; called before ``handle_interrupt``, and before the asker is told."""
