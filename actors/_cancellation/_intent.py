"""What a cancellation manager keeps and answers: registered runs, the wish that one ends, and what became of that wish."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

CancelOutcome: TypeAlias = Literal["registered", "stored", "finished", "owner_gone"]
"""What a cancel met; see :class:`CancelResult`."""


@attrs.frozen
class CancelIntent:
    """Somebody wants this run to end.

    Args:
        run_id: the run.
        reason: why, in words for a person; empty if nothing was said.
        by: who asked; None if that was not said.
        requested_at: when the cancel was first asked for, in seconds since the epoch (it crosses processes, so it is no
            monotonic time); 0 if it came through a store that does not keep it.
    """

    run_id: str
    reason: str = ""
    by: str | None = None
    requested_at: float = 0.0


@attrs.frozen
class CancelResult:
    """What a cancel met. True exactly when the run was registered, which is what ``acancel_run`` returns.

    Args:
        run_id: the run.
        outcome: ``registered``: a living owner has the run and will be told. ``stored``: no such run yet; the intent waits
            for it, up to the manager's ``intent_ttl``. ``finished``: it ended a moment ago, nothing was stored.
            ``owner_gone``: it is registered, but its owner died or stopped renewing its lease, so nobody will end it;
            nothing was stored.
        intent: what is stored now, with the reason and author of the *first* cancel; None if nothing is.
    """

    run_id: str
    outcome: CancelOutcome
    intent: CancelIntent | None = None

    def __bool__(self) -> bool:
        return self.outcome == "registered"


@attrs.frozen
class RunRecord:
    """A registered run, as a manager's store knows it.

    Args:
        run_id: the run.
        owner: who registered it, as given to ``enroll``, or else in words for a person; empty if the store does not keep it.
            A system says ``host/process id/a mark of its own``.
        registered_at: when, in seconds since the epoch; None if the store does not keep it.
        cancelled: whether a cancel of it is stored.
        intent: that cancel; None if there is none, or if its details were not asked for.
    """

    run_id: str
    owner: str = ""
    registered_at: float | None = None
    cancelled: bool = False
    intent: CancelIntent | None = None
