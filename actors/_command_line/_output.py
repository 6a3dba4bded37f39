"""What the command line prints: lines for people, or one JSON document a line for programs."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors._cancellation._intent import RunRecord


@attrs.frozen
class Output:
    """Where answers go.

    Args:
        write: takes one line.
        warn: takes a line that is no answer.
        as_json: say it in JSON.
    """

    write: Callable[[str], None]
    warn: Callable[[str], None]
    as_json: bool = False

    def say(self, text: str, **fields: Any) -> None:
        """One answer: the text for people, the fields for programs."""
        self.write(json.dumps(fields) if self.as_json else text)


def plain(text: str) -> str:
    """A text from a store, such that it cannot play tricks on a terminal or break a table."""
    return text if text.isprintable() and text == text.strip() and text else repr(text)


def age(record: RunRecord) -> float | None:
    """Seconds since a run was registered; None if the store does not keep that."""
    return None if record.registered_at is None else max(0.0, time.time() - record.registered_at)


def in_words(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return "?"
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def because(reason: str, by: str | None) -> str:
    """Reason and author of a cancel, as far as they are known."""
    return "".join([f": {plain(reason)}" if reason else "", f" (by {plain(by)})" if by else ""])


def fields_of(record: RunRecord) -> dict[str, Any]:
    """A run for programs."""
    intent = record.intent
    return {
        "run_id": record.run_id,
        "owner": record.owner,
        "registered_at": record.registered_at,
        "age": age(record),
        "cancelled": record.cancelled,
        "reason": intent.reason if intent else "",
        "by": intent.by if intent else None,
    }


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
