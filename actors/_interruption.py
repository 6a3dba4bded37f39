"""What an interrupt is told, and what it tells: the records ``Interruption`` and ``Receipt``."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeAlias

import attrs

from actors._compat import TypeVar

C_co = TypeVar("C_co", covariant=True, default=Any)

Source: TypeAlias = Literal["caller", "ancestor", "manager", "asker_gone", "deadline", "superseded", "disconnected"]
"""Who interrupted: somebody directly, the run this one belongs to, a cancellation manager, the loss of the asker, the asker's
own timeout, a newer message, or a stream's consumer that left."""

Outcome: TypeAlias = Literal[
    "interrupted", "completed", "failed", "idle", "finished", "deferred", "handling", "stuck", "stored", "owner_gone"
]
"""What became of an interrupt; see :class:`Receipt`."""


@attrs.frozen(kw_only=True)
class Interruption(Generic[C_co]):
    """Why a reply was cut short, for ``handle_interrupt``.

    Attributes:
        run_id: the run that was interrupted.
        reason: why, in the interrupter's words; may be empty.
        by: who, in the interrupter's words; may be None.
        source: what kind of interrupt it was.
        message: what the interrupter said to the actor, if anything.
        partial: what the reply had produced so far, in order.
        started: False when the run was interrupted before its reply began.
        requested_at: when, in seconds on the event loop's clock (``anyio.current_time()``).
    """

    run_id: str
    reason: str = ""
    by: str | None = None
    source: Source = "caller"
    message: Any = None
    partial: tuple[C_co, ...] = ()
    started: bool = True
    requested_at: float = 0.0

    def with_partial(self, partial: tuple[Any, ...], *, started: bool = True) -> Interruption[Any]:
        """For the machinery: the same, with what the reply has produced (in a quarter of the time of ``attrs.evolve``)."""
        return Interruption(
            run_id=self.run_id,
            reason=self.reason,
            by=self.by,
            source=self.source,
            message=self.message,
            partial=partial,
            started=started,
            requested_at=self.requested_at,
        )


@attrs.frozen(kw_only=True)
class Receipt:
    """What became of an interrupt. True exactly when a reply was interrupted and has ended.

    Attributes:
        outcome: ``interrupted``; ``completed`` or ``failed`` (the reply ended otherwise, in spite of the interrupt); ``idle``
            or ``finished`` (nothing to interrupt: no run, or one that has ended); ``deferred`` (accepted, takes effect at the
            end of a protected section, for a queued run at the end of the turn before it, for one's own run at its next
            await); ``handling`` (``handle_interrupt`` still runs); ``stuck`` (the reply refuses to end, see ``where``). From
            managers also ``stored`` (the intent is kept for when the run is registered) and ``owner_gone`` (the process that
            had the run is dead).
        run_id: the run it was about, None when there was none.
        path: the actor it was about, where it is one of this system.
        reason, by: as given.
        elapsed: seconds from the interrupt to this receipt.
        partial: what the reply had produced.
        children: the receipts of the runs below that were interrupted with this one.
        still_queued: how many messages wait in the actor's mailbox.
        where: where a stuck reply hangs, as a stack in text.
    """

    outcome: Outcome
    run_id: str | None = None
    path: str = ""
    reason: str = ""
    by: str | None = None
    elapsed: float = 0.0
    partial: tuple[Any, ...] = ()
    children: tuple[Receipt, ...] = ()
    still_queued: int = 0
    where: str = ""

    def __bool__(self) -> bool:
        return self.outcome == "interrupted"
