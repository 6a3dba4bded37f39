"""The ref: all that others hold of an actor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, overload

import anyio.lowlevel

from actors import _ending
from actors._asking import ask
from actors._compat import TypeVar
from actors._errors import MessageWithdrawn
from actors._from_thread import from_thread
from actors._interrupt import GRACE, asker_gone, interrupt_run
from actors._interruption import Receipt
from actors._run import Origin, Run, parent_of_new_run
from actors._sending import new_run, put_nowait, refuse_mail, send, takes_mail
from actors._statistics import ActorStatistics, statistics
from actors._stream import Stream
from actors._thread_check import check_thread
from actors._waiting import cycle_error, waiting, waits_for_itself

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from actors._cell import Cell

M_contra = TypeVar("M_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
C_co = TypeVar("C_co", covariant=True, default=Any)
T = TypeVar("T")


class ActorRef(Generic[M_contra, R_co, C_co]):
    """An actor, for everybody else: send it messages, interrupt what it is doing, stop it.

    A ref stays valid after its actor has ended; messages to it are then refused. It is used on its system's event loop; from
    other threads only through the ``*_from_thread`` forms.

    Raises:
        WrongThreadError: by every other method, off the system's event loop.
    """

    __slots__ = ("__weakref__", "_cell")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    @property
    def name(self) -> str:
        """Its name, unique among its siblings."""
        return self._cell.name

    @property
    def path(self) -> str:
        """Its place in its system: the names from the system down, with slashes."""
        return self._cell.path

    # -- sending

    @overload
    async def ask(
        self, message: M_contra, *, timeout: float | None = None, run_id: str | None = None, detach: bool = False
    ) -> R_co: ...
    @overload
    async def ask(
        self,
        message: M_contra,
        *,
        timeout: float | None = None,
        run_id: str | None = None,
        detach: bool = False,
        expect: type[T],
    ) -> T: ...
    def ask(
        self,
        message: M_contra,
        *,
        timeout: float | None = None,
        run_id: str | None = None,
        detach: bool = False,
        expect: type[Any] | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """Send a message and wait for the reply.

        If the caller is cancelled meanwhile, or the timeout expires, a message that is still queued is withdrawn and a reply that
        has begun is interrupted. The caller's context variables reach the reply.

        Args:
            message: what to answer.
            timeout: seconds to wait, in the mailbox and for the reply; None waits for ever.
            run_id: the id of the run; None makes one when somebody asks for it.
            detach: let the reply run on when the caller is gone or interrupted.
            expect: the type that the reply must have, for actors with several kinds of reply.

        Raises:
            Interrupted: the run was interrupted and the actor made no reply of that.
            AskTimeout: the timeout has expired.
            MailboxFull: the mailbox is full, and lets nobody wait.
            MessageDropped: the mailbox was full, and this message had to give way.
            MessageExpired: it had waited for longer than it was good for.
            ActorStopped: the actor takes no messages any more, or ended before it could answer.
            MessageWithdrawn: somebody took the message back.
            AskCycleError: the caller would wait for itself.
            DuplicateRunError: the run id is in use.
            ReplyTypeError: the reply is not of the type ``expect``.
            Exception: whatever the reply raised.
        """
        return ask(self._cell, message, timeout=timeout, run_id=run_id, detach=detach, expect=expect)

    async def tell(self, message: M_contra) -> None:
        """Send a message and do not wait for a reply; if the mailbox is full, waits for room or does what its ``when_full`` says.

        To an actor that has ended it becomes a dead letter. An error in the reply is logged.

        Raises:
            MailboxFull: the mailbox is full, and lets nobody wait.
            AskCycleError: the mailbox is full, and waiting for room would be waiting for oneself.
        """
        run = new_run(self._cell, message, Origin.TELL)
        if takes_mail(self._cell):
            await send(self._cell, run)
        else:
            refuse_mail(self._cell, run)

    def tell_nowait(self, message: M_contra) -> None:
        """As :meth:`tell`, without ever waiting.

        Raises:
            MailboxFull: the mailbox is full, and drops nothing for it.
        """
        run = new_run(self._cell, message, Origin.TELL)
        if takes_mail(self._cell):
            put_nowait(self._cell, run)
        else:
            refuse_mail(self._cell, run)

    async def request(self, message: M_contra, *, run_id: str | None = None, detach: bool = False) -> Run[R_co, C_co]:
        """Send a message and get its run, without waiting for the reply; waits for room if the mailbox is full.

        The run belongs to the run in which it is requested, if any, and is interrupted with it, unless ``detach`` is true.

        Args:
            message: what to answer.
            run_id: the id of the run; None makes one when somebody asks for it.
            detach: do not interrupt it with the run in which it is requested.

        Raises:
            ActorStopped: the actor takes no messages any more.
            MailboxFull: the mailbox is full, and lets nobody wait.
            AskCycleError: the mailbox is full, and waiting for room would be waiting for oneself.
            DuplicateRunError: the run id is in use.
        """
        parent = parent_of_new_run()
        if parent is not None and parent.request is not None:
            await anyio.lowlevel.checkpoint_if_cancelled()  # an interrupted run starts nothing new
        run: Run[R_co, C_co] = new_run(self._cell, message, Origin.REQUEST, run_id)
        run.detached = detach
        if not takes_mail(self._cell):
            refuse_mail(self._cell, run)
        if parent is not None and not detach:
            run.belong_to(parent)
        try:
            await send(self._cell, run)
        except BaseException:
            asker_gone(run, parent, "asker_gone")  # nobody will ever hold this run
            raise
        return run

    def stream(self, message: M_contra, *, run_id: str | None = None) -> Stream[R_co, C_co]:
        """Send a message and read its reply as it comes: ``async with ref.stream(message) as run``.

        Leaving the block before the run has ended interrupts it (source ``disconnected``). Without an error on the way out the
        block is left when the run has ended, or after the grace period.

        Args:
            message: what to answer.
            run_id: the id of the run; None makes one when somebody asks for it.
        """
        return Stream(lambda: self.request(message, run_id=run_id))

    def withdraw(self, run_id: str | None = None) -> list[M_contra]:
        """Take queued messages back; whoever asked gets :class:`MessageWithdrawn`. The current run is left alone.

        Args:
            run_id: the run whose message to take back; None takes all that are queued or stashed.

        Returns:
            The messages, in the order in which they waited.
        """
        check_thread(self._cell)
        withdrawn: list[M_contra] = []
        for run in [*(self._cell.stash or ()), *self._cell.queue]:
            if not isinstance(run, Run) or run_id not in (None, run.known_id):
                continue
            self._cell.take_back(run)
            error = MessageWithdrawn(
                f"the message was taken back from the mailbox of {self.path}",
                ref=self,
                run_id=run.known_id,
                message=run.message,
            )
            withdrawn.append(run.message)
            run.settle("stopped", error=error)
        return withdrawn

    # -- interrupting

    async def interrupt(
        self,
        reason: str = "",
        *,
        by: str | None = None,
        message: object = None,
        run_id: str | None = None,
        grace: float = GRACE,
    ) -> Receipt:
        """Stop the reply that is running now and turn it into a reply; wait until that has happened.

        It touches the run it names and nothing else, never waits behind messages, and is never stored: an idle actor's
        next run is untouched. A queued run that is named is answered by ``handle_interrupt`` at the next turn boundary.

        Args:
            reason: why, for ``handle_interrupt``, the receipt and the log.
            by: who.
            message: something to say to the actor, for ``handle_interrupt``.
            run_id: which run; None is the current one, if any.
            grace: seconds to wait for the end; a reply that has not ended by then is reported as stuck.

        Returns:
            What became of it: true exactly if a reply was interrupted and has ended. From inside the run itself, or from a run
            for which it waits, it returns at once with ``deferred`` or ``handling``.
        """
        check_thread(self._cell)
        run = self._cell.find(run_id)
        if run is None and run_id is not None:
            return Receipt(
                outcome="finished",
                run_id=run_id,
                path=self.path,
                reason=reason,
                by=by,
                still_queued=len(self._cell.queue),
            )
        return await self._cell.interrupt(run, reason=reason, by=by, message=message, grace=grace)

    def interrupt_nowait(
        self,
        reason: str = "",
        *,
        by: str | None = None,
        message: object = None,
        run_id: str | None = None,
        grace: float = GRACE,
    ) -> bool:
        """As :meth:`interrupt`, without waiting for the end.

        Returns:
            Whether there was a run to interrupt.
        """
        check_thread(self._cell)
        run = self._cell.find(run_id)
        if run is None:
            return False
        return interrupt_run(run, reason=reason, by=by, message=message, grace=grace) != "finished"

    # -- ending

    async def stop(self, *, drain: bool = True, timeout: float | None = None) -> None:
        """Stop the actor, its children first, and wait until it has ended. From inside its own run it returns at once.

        It takes no more messages from now on. Who asked for something that is not answered any more gets
        :class:`ActorStopped`; tells become dead letters.

        Args:
            drain: answer what is queued first; otherwise interrupt the current reply and refuse what is queued.
            timeout: seconds for the draining; then as without.
        """
        check_thread(self._cell)
        await _ending.stop(self._cell, drain=drain, timeout=timeout)

    async def kill(self) -> None:
        """End the actor and its children now: the current reply is cut, without ``handle_interrupt`` and ``on_stop``."""
        check_thread(self._cell)
        await _ending.kill(self._cell)

    async def join(self) -> None:
        """Wait until the actor has ended.

        Raises:
            AskCycleError: the caller would wait for itself.
        """
        check_thread(self._cell)
        if not self._cell.dead and waits_for_itself(self._cell, for_its_end=True):
            raise cycle_error(self._cell, (self.path, self.path))
        with waiting(self._cell):
            await _ending.join(self._cell)

    # -- from other threads

    def ask_from_thread(self, message: M_contra, *, timeout: float | None = None, run_id: str | None = None) -> R_co:
        """As :meth:`ask`, from a thread without an event loop; blocks it.

        Raises:
            BlockingCallError: if the calling thread runs an event loop.
        """
        return from_thread(self._cell, partial(self.ask, message, timeout=timeout, run_id=run_id))

    def tell_from_thread(self, message: M_contra) -> None:
        """As :meth:`tell`, from a thread without an event loop; blocks it until the message is in the mailbox."""
        from_thread(self._cell, partial(self.tell, message))

    def interrupt_from_thread(
        self,
        reason: str = "",
        *,
        by: str | None = None,
        message: object = None,
        run_id: str | None = None,
        grace: float = GRACE,
    ) -> Receipt:
        """As :meth:`interrupt`, from a thread without an event loop; blocks it until the receipt is there."""
        return from_thread(
            self._cell, partial(self.interrupt, reason, by=by, message=message, run_id=run_id, grace=grace)
        )

    # -- looking

    def statistics(self) -> ActorStatistics:
        """What it has done and is doing, as a snapshot."""
        check_thread(self._cell)
        return statistics(self._cell)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"
