"""One step in a store, as a value: so that several can be carried out in one go."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

StepName: TypeAlias = Literal["enroll", "cancel", "cleanup", "renew", "look", "list"]


@attrs.frozen
class Step:
    """What a manager's primitives come down to.

    Args:
        name: ``enroll``, ``cancel``, ``cleanup``, ``renew`` of one run; ``look`` at it; ``list`` the active.
        run_id: the run.
        text: its owner, or the reason for cancelling it.
        by: who cancels it.
    """

    name: StepName
    run_id: str = ""
    text: str = ""
    by: str | None = None
