"""What an actor can do from the inside: ``self.context``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn

from actors._behaviour import become, unbecome
from actors._commit import commit
from actors._compat import TypeVar
from actors._current import running
from actors._death_watch import HOOK, unwatch, watch
from actors._errors import ActorStopped, UsageError
from actors._outcomes import interrupted_error
from actors._protect import Protected
from actors._stash import leave_to_stash, unstash
from actors._thread_check import check_thread
from actors._timers import start_timer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from actors._cell import Cell
    from actors._errors import Interrupted
    from actors._interruption import Interruption
    from actors._mailbox import Mailbox
    from actors._ref import ActorRef
    from actors._run import Run
    from actors._spawn import Spawnable
    from actors._supervision import Supervision
    from actors._system import ActorSystem
    from actors._timers import Timer

M = TypeVar("M")
R = TypeVar("R")
C = TypeVar("C", default=Any)
T = TypeVar("T")
RefT = TypeVar("RefT")


class ActorContext(Generic[M, R, C]):
    """One actor's own view of itself and its system. It is reached through ``self.context``."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    @property
    def ref(self) -> ActorRef[M, R, C]:
        """The actor's own ref, to give to others."""
        return self._cell.ref

    @property
    def system(self) -> ActorSystem:
        """The system it lives in."""
        return self._cell.system

    @property
    def run(self) -> Run[R, C] | None:
        """The run that the calling code is part of; None between runs and in the hooks."""
        run = running()
        return run if run is not None and run.cell is self._cell else None

    @property
    def children(self) -> tuple[ActorRef[Any, Any, Any], ...]:
        """The refs of its children, in the order in which they were started."""
        return tuple(child.ref for child in (self._cell.children or {}).values())

    def emit(self, chunk: C) -> None:
        """Add a chunk to the current run's partial reply, for whoever streams it. Ignored once the reply has ended.

        Raises:
            WrongThreadError: off the system's event loop.
            UsageError: if the calling code is part of no run of this actor.
        """
        check_thread(self._cell)
        run = running()
        if run is not None and run.cell is self._cell:
            run.emit(chunk)
        elif self._cell.current is None:
            raise UsageError(f"{self._cell.path} is in no run, so there is nothing to emit to", ref=self._cell.ref)

    def stash(self) -> NoReturn:
        """Put the current message aside, to be answered later; whoever asked waits on, and stays able to interrupt it by its id.

        It ends the reply, by raising something that has to get out of it. The message comes back with ``unstash_all``, and its
        reply then begins anew. How many fit is up to the actor's mailbox (``stash_capacity``). The actor's end settles what is
        stashed as what is queued: by ``ActorStopped``, or a dead letter.

        Raises:
            MailboxFull: the stash is full.
            UsageError: the reply has produced chunks already, or the calling code is part of no reply of this actor.
        """
        raise leave_to_stash(self._cell, self._current_run("stash"))

    def unstash_all(self) -> int:
        """Put all that is stashed back into the mailbox, in order, in front of what waits there; returns how many there were."""
        check_thread(self._cell)
        return unstash(self._cell)

    def become(self, behaviour: Callable[[M], Awaitable[R] | AsyncIterator[C]], /) -> None:
        """Answer by this from the next message on, in place of ``reply`` or whatever came before; ``handle_interrupt`` stays.

        It lasts until ``unbecome``, or until another instance takes this one's place. An interrupt changes nothing about it.

        Args:
            behaviour: a method or function like ``reply``.

        Raises:
            UsageError: it is none.
            ActorStopped: the actor has ended.
        """
        check_thread(self._cell)
        become(self._cell, behaviour)

    def unbecome(self) -> None:
        """Answer by ``reply`` again, from the next message on."""
        check_thread(self._cell)
        unbecome(self._cell)

    def after(self, seconds: float, message: M) -> Timer:
        """Tell this actor a message later, once.

        Timers end with their actor: they are off when it begins to end, and when its system begins to drain. Then a new one is
        not active from the beginning. A full mailbox treats the message as it treats others, and what would wait for room, waits.
        The message is sent in a copy of the calling code's context.

        Args:
            seconds: when, from now.
            message: what to tell.

        Raises:
            UsageError: the number of seconds cannot be.
        """
        check_thread(self._cell)
        return start_timer(self._cell, message, seconds, again=False)

    def every(self, seconds: float, message: M) -> Timer:
        """Tell this actor a message again and again, first when so many seconds are over.

        The times are fixed when it is set, so it does not drift. Nothing piles up: while the last message still waits for its
        turn, none is sent, and times that were missed are not made up for. Otherwise as ``after``.

        Args:
            seconds: from one to the next.
            message: what to tell.

        Raises:
            UsageError: the number of seconds cannot be.
        """
        check_thread(self._cell)
        return start_timer(self._cell, message, seconds, again=True)

    def protect(self) -> Protected:
        """``async with self.context.protect():`` an interrupt that comes meanwhile takes effect at the end of the block.

        It nests; the outermost block counts. Cancellation from outside the actor, ``kill()`` and shutdown are not deferred.

        Raises:
            UsageError: if the calling code is part of no run of this actor.
        """
        return Protected(self._current_run("protect"))

    async def commit(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Let a write finish: ``await self.context.commit(store.save, state)``.

        It completes under interrupts, scope cancellation and native cancellation of the caller, and the cancellation goes on
        afterwards. Not under ``kill()``, a second Ctrl-C, the end of the drain time, or the death of the process. It runs in a
        task of its own, in the caller's context; what it requests is not interrupted with the run.

        Args:
            function: an async function.
            args: its arguments.

        Returns:
            What the function returned.

        Raises:
            Exception: what the function raised.
            ActorStopped: if the actor was killed, or the drain time was over, before it could finish.
        """
        check_thread(self._cell)
        return await commit(self._cell, function, args)

    async def spawn(
        self,
        actor: Spawnable[RefT] | Callable[[], Spawnable[RefT]],
        *,
        name: str | None = None,
        cancellation: object | None = None,
        mailbox: Mailbox | None = None,
        interrupt_timeout: float | None = None,
        supervision: Supervision | None = None,
    ) -> RefT:
        """Start a child; as :meth:`ActorSystem.spawn`. A child ends before its parent does, and before it is restarted."""
        return await self._cell.system.spawn_below(
            self._cell,
            actor,
            name=name,
            cancellation=cancellation,
            mailbox=mailbox,
            interrupt_timeout=self._cell.interrupt_timeout if interrupt_timeout is None else interrupt_timeout,
            supervision=supervision,
        )

    def watch(self, ref: ActorRef[Any, Any, Any]) -> None:
        """Hear of the end of an actor: ``on_terminated`` is called, once, when its name is free again.

        At once if it has ended already. It stays watched when this actor is restarted. Watching it twice changes nothing. The
        children that end because this actor does, or because it is restarted, are not heard of.

        Raises:
            UsageError: this actor has no ``on_terminated``, or would watch itself.
            ActorStopped: this actor is over, or this instance of it is.
            WrongThreadError: off the system's event loop.
        """
        cell = self._cell
        check_thread(cell)
        if cell.actor is None:
            raise ActorStopped(f"an instance of {cell.path} that is over can watch nobody", ref=cell.ref)
        if ref._cell is cell:
            raise UsageError(f"{cell.path} cannot watch itself; write on_stop", ref=cell.ref)
        if not cell.actor._overrides(HOOK):
            raise UsageError(
                f"{type(cell.actor).__qualname__} would not hear of it: write `async def {HOOK}(self, terminated, /)`",
                ref=cell.ref,
            )
        check_thread(ref._cell)
        watch(cell, ref._cell)

    def unwatch(self, ref: ActorRef[Any, Any, Any]) -> None:
        """Do not hear of the end of an actor any more, not even if it has come and is about to be told.

        Raises:
            WrongThreadError: off the system's event loop.
        """
        check_thread(self._cell)
        check_thread(ref._cell)
        unwatch(self._cell, ref._cell)

    def interrupted(self, message: M, interruption: Interruption[C]) -> Interrupted:
        """The error that says that this run was interrupted: to raise from ``handle_interrupt``."""
        return interrupted_error(self._cell.ref, message, interruption)

    def _current_run(self, what: str) -> Run[Any, Any]:
        check_thread(self._cell)
        run = running()
        if run is None or run.cell is not self._cell:
            raise UsageError(f"{what}() was called outside a run of {self._cell.path}", ref=self._cell.ref)
        return run
