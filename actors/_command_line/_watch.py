"""``watch``: say what happens in a store, until stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import attrs

from actors._cancellation._health import describe
from actors._command_line._exit import Exit
from actors._command_line._output import because, fields_of, in_words, plain
from actors._errors import ManagerError

if TYPE_CHECKING:
    from actors._cancellation._intent import CancelIntent, RunRecord
    from actors._cancellation._manager import CancellationManager
    from actors._command_line._output import Output

PERIOD = 0.5
"""Seconds between two looks; a cancel of a known run is seen at once."""


async def watch_runs(manager: CancellationManager, output: Output, *, seconds: float | None) -> Exit:
    """Print a line whenever a run is registered, cancelled or gone. A store that fails is said, and tried again.

    Args:
        manager: opened.
        output: for the lines.
        seconds: how long; None: until Ctrl-C.
    """
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as group:
            watching = Watching(manager, output)
            group.start_soon(manager.watch, watching.known.keys, watching.hear)
            await watching.look_again_and_again()
    return Exit.DONE


@attrs.define(eq=False)
class Watching:
    """What is known of a store, and who is told of what changes."""

    _manager: CancellationManager
    _output: Output
    known: dict[str, RunRecord] = attrs.field(factory=dict[str, "RunRecord"])
    _news: anyio.Event = attrs.field(factory=anyio.Event)
    _failing: bool = False

    def hear(self, _intent: CancelIntent) -> None:
        """A known run was cancelled: look now."""
        self._news.set()

    async def look_again_and_again(self) -> None:
        """Until cancelled."""
        while True:
            self._news = anyio.Event()
            try:
                with anyio.fail_after(self._manager.timeout):
                    found = {record.run_id: record for record in await self._manager.runs()}
            except (ManagerError, TimeoutError) as error:
                if not self._failing:
                    self._output.warn(f"the store does not answer, and is tried again: {describe(error)}")
                self._failing = True
            else:
                self._failing = False
                self._compare(found)
            with anyio.move_on_after(PERIOD):
                await self._news.wait()

    def _compare(self, found: dict[str, RunRecord]) -> None:
        for run_id, record in list(self.known.items()):
            if not _same_run(record, found.get(run_id)):
                del self.known[run_id]
                self._say("gone", record, "is not registered any more")
        for run_id, record in found.items():
            if run_id not in self.known:
                by = f" by {plain(record.owner)}" if record.owner else ""
                self._say("registered", record, f"is registered{by}")
            if record.cancelled and not (run_id in self.known and self.known[run_id].cancelled):
                why = because(record.intent.reason, record.intent.by) if record.intent else ""
                self._say("cancel_requested", record, f"shall end{why}")
            self.known[run_id] = record

    def _say(self, event: str, record: RunRecord, text: str) -> None:
        fields = fields_of(record)
        duration = f" (after {in_words(fields['age'])})" if event == "gone" and fields["age"] is not None else ""
        self._output.say(f"{plain(record.run_id)}: {text}{duration}", event=event, **fields)


def _same_run(before: RunRecord, now: RunRecord | None) -> bool:
    """Whether it goes on; not if another run has taken its id, which shows by its age, or by a cancel that is gone."""
    return now is not None and now.registered_at == before.registered_at and now.cancelled >= before.cancelled
