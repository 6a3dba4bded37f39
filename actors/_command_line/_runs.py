"""``runs``: which runs are registered, by whom, since when, and whether they are cancelled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from actors._command_line._exit import Exit
from actors._command_line._output import age, because, fields_of, in_words, plain, table

if TYPE_CHECKING:
    from actors._cancellation._intent import RunRecord
    from actors._cancellation._manager import CancellationManager
    from actors._command_line._output import Output


async def show_runs(manager: CancellationManager, output: Output) -> Exit:
    """List the active runs, the oldest first. In JSON one line for each."""
    found = sorted(await manager.runs(), key=lambda record: (record.registered_at or math.inf, record.run_id))
    if output.as_json:
        for record in found:
            output.say("", **fields_of(record))
    elif found:
        lines = [("RUN", "OWNER", "AGE", "CANCELLED"), *map(_row, found)]
        output.say("\n".join(table(lines)))
    else:
        output.say("no active runs")
    return Exit.DONE


def _row(record: RunRecord) -> tuple[str, str, str, str]:
    cancelled = "no"
    if record.cancelled:
        cancelled = "asked for" + (because(record.intent.reason, record.intent.by) if record.intent else "")
    return plain(record.run_id), plain(record.owner) if record.owner else "?", in_words(age(record)), cancelled
