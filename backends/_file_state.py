"""What the file of a file manager says, and how each operation changes it. No input or output here.

The file is a JSON object. Each run has an entry ``"run_id": false``, or ``true`` once it is cancelled: the layout that others
read and write. Everything else is under one reserved key: for each run registered by us its owner and lease; for each cancel
its reason, author and times; the tombstones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from actors._cancellation._intent import CancelIntent, CancelResult, RunRecord
from actors._errors import DuplicateRunError

from ._process import Process

if TYPE_CHECKING:
    from collections.abc import Iterable

RESERVED = "__bargein__"
FORMAT = 1

Record = dict[str, Any]


@attrs.frozen
class Rules:
    """How long things last, in seconds, and how many are kept."""

    lease: float
    tombstone: float
    intent_ttl: float
    capacity: int


@attrs.define
class FileState:
    """The contents of the file at one moment.

    Args:
        entries: run id to cancelled, and whatever else others have put in, which is kept.
        runs: registered runs to owner, lease (``until``) and age (``since``). Empty for a run that somebody else registered and
            we cancelled.
        cancels: cancelled runs to ``reason``, ``by``, ``at``, and ``until`` while nobody has registered the run.
        finished: tombstones: run id to the end of its time.
    """

    entries: dict[str, Any] = attrs.field(factory=dict[str, Any])
    runs: dict[str, Record] = attrs.field(factory=dict[str, Record])
    cancels: dict[str, Record] = attrs.field(factory=dict[str, Record])
    finished: dict[str, float] = attrs.field(factory=dict[str, float])
    changed: bool = False

    @classmethod
    def from_document(cls, document: object) -> FileState:
        """Read what ``to_document`` gives, or what others wrote.

        Raises:
            ValueError: it is something else.
        """
        entries = _table(document, "it")
        ours = _table(entries.pop(RESERVED, {"format": FORMAT}), RESERVED)
        if ours.get("format") != FORMAT:
            raise ValueError(f"{RESERVED} is of another format than {FORMAT}")
        runs, cancels, finished = (_table(ours.get(part, {}), part) for part in ("runs", "cancels", "finished"))
        return cls(entries, runs, cancels, finished)

    def to_document(self) -> dict[str, Any]:
        """What goes into the file."""
        ours = {"format": FORMAT, "runs": self.runs, "cancels": self.cancels, "finished": self.finished}
        return {**self.entries, RESERVED: ours}

    # ---- asking ---------------------------------------------------------------------------------------------------------

    def registered(self, run_id: str) -> bool:
        """Whether somebody has registered it: us, or somebody who only writes ``false``."""
        return run_id in self.entries and (run_id in self.runs or self.entries[run_id] is False)

    def gone(self, run_id: str, now: float) -> bool:
        """Whether the owner of a registered run is known to be dead, or has not renewed its lease."""
        run = self.runs.get(run_id, {})
        if "until" not in run:  # registered by somebody who knows no leases
            return False
        return bool(run["until"] <= now) or Process(run["pid"], run["started"], run["machine"]).known_dead()

    def cancelled(self, run_id: str, now: float) -> bool:
        """Whether a cancel of it counts, registered or not: it has not expired, and did not come after the run's end."""
        if self.entries.get(run_id) is not True:
            return False
        if run_id in self.runs:
            return True
        until = self.cancels.get(run_id, {}).get("until")
        return (until is None or until > now) and not self.over(run_id, now)

    def over(self, run_id: str, now: float) -> bool:
        """Whether it has a tombstone."""
        return self.finished.get(run_id, now) > now

    def intent(self, run_id: str, now: float) -> CancelIntent | None:
        """The cancel of a run, if one counts. What others wrote has no reason, no author, and the time 0."""
        if not self.cancelled(run_id, now):
            return None
        cancel = self.cancels.get(run_id, {})
        return CancelIntent(run_id, cancel.get("reason", ""), cancel.get("by"), cancel.get("at", 0.0))

    def active(self, now: float) -> dict[str, bool]:
        """Registered runs whose owners are not gone, and whether each is cancelled."""
        return {
            run_id: cancelled
            for run_id, cancelled in self.entries.items()
            if isinstance(cancelled, bool) and self.registered(run_id) and not self.gone(run_id, now)
        }

    def records(self, now: float) -> list[RunRecord]:
        """The same with owner and age."""
        return [
            RunRecord(
                run_id, self._owner(run_id), self.runs.get(run_id, {}).get("since"), cancelled, self.intent(run_id, now)
            )
            for run_id, cancelled in self.active(now).items()
        ]

    def _owner(self, run_id: str) -> str:
        run = self.runs.get(run_id, {})
        if "pid" not in run:
            return ""
        return run["owner"] or str(Process(run["pid"], run["started"], run["machine"]))

    # ---- changing -------------------------------------------------------------------------------------------------------

    def enroll(self, run_id: str, holder: Record, now: float, rules: Rules) -> CancelIntent | None:
        """Register a run; ``holder`` says who does.

        Raises:
            DuplicateRunError: somebody else has it, and lives.
        """
        if self.registered(run_id) and not self.gone(run_id, now):
            owner = self.runs.get(run_id, {}).get("owner")
            if not owner or owner != holder["owner"]:
                raise DuplicateRunError(run_id, "the file")
        intent = self.intent(run_id, now)
        self.entries[run_id] = intent is not None
        self._hold(run_id, holder, now, rules)
        self.finished.pop(run_id, None)
        if intent is None:
            self.cancels.pop(run_id, None)
        else:
            self.cancels.setdefault(run_id, {}).pop("until", None)
        self.changed = True
        return intent

    def cancel(self, run_id: str, reason: str, by: str | None, now: float, rules: Rules) -> CancelResult:
        """Mark a run as cancelled, or store that for later."""
        registered = self.registered(run_id)
        if registered and self.gone(run_id, now):
            return CancelResult(run_id, "owner_gone")
        if not registered and self.over(run_id, now):
            return CancelResult(run_id, "finished")
        first = not self.cancelled(run_id, now)
        cancel = self.cancels.pop(run_id, {})  # taken out and put in again, so that the newest are last
        if first:
            cancel = {"reason": reason, "by": by, "at": now}
        if registered:
            self.runs.setdefault(run_id, {})  # so that a registration by others is still known as one
        else:
            cancel["until"] = now + rules.intent_ttl
        self.entries[run_id] = True
        self.cancels[run_id] = cancel
        self.changed = True
        return CancelResult(run_id, "registered" if registered else "stored", self.intent(run_id, now))

    def cleanup(self, run_id: str, owner: str, now: float, rules: Rules) -> None:
        """Forget a run, and leave a tombstone; not if ``owner`` is given and somebody else has it."""
        if owner and self.registered(run_id) and self.runs.get(run_id, {}).get("owner") != owner:
            return
        self._forget(run_id)
        self.finished.pop(run_id, None)
        self.finished[run_id] = now + rules.tombstone
        self.changed = True

    def renew(self, run_ids: Iterable[str], holder: Record, now: float, rules: Rules) -> None:
        """Extend leases, and put back what was lost to a writer who does not take the lock."""
        for run_id in run_ids:
            if self.runs.get(run_id, holder).get("owner") == holder["owner"] and not self.over(run_id, now):
                self.entries.setdefault(run_id, False)
                self._hold(run_id, holder, now, rules)
                self.cancels.get(run_id, {}).pop("until", None)
                self.changed = True

    def tidy(self, now: float, rules: Rules) -> None:
        """Drop what is over. Done before each change, so that the file stays small."""
        for run_id, run in list(self.runs.items()):
            cleaned_up_by_others = run_id not in self.entries
            long_gone = run.get("until", now) + rules.intent_ttl < now
            if cleaned_up_by_others or long_gone:
                self._forget(run_id)
        for run_id, cancelled in list(self.entries.items()):
            if cancelled is not True or run_id in self.runs:
                continue
            if not self.cancelled(run_id, now):
                self._forget(run_id)
            else:  # one that others wrote counts from now, when we first see it
                self.cancels.setdefault(run_id, {"until": now + rules.intent_ttl})
        for run_id in [run_id for run_id, until in self.finished.items() if until <= now]:
            del self.finished[run_id]
        for run_id in list(self.finished)[: -rules.capacity]:
            del self.finished[run_id]
        # Only cancels that came through us ("at") can be crowded out: what others wrote is theirs.
        waiting = [run_id for run_id, cancel in self.cancels.items() if "until" in cancel and "at" in cancel]
        for run_id in waiting[: -rules.capacity]:
            self._forget(run_id)

    def _hold(self, run_id: str, holder: Record, now: float, rules: Rules) -> None:
        before = self.runs.get(run_id, {})
        same = all(before.get(part) == value for part, value in holder.items())
        since = before.get("since", now) if same else now
        self.runs[run_id] = {**holder, "until": now + rules.lease, "since": since}

    def _forget(self, run_id: str) -> None:
        if isinstance(self.entries.get(run_id), bool):
            del self.entries[run_id]
        self.runs.pop(run_id, None)
        self.cancels.pop(run_id, None)


def _table(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no JSON object")  # noqa: TRY004 - what matters is that the file is no good
    return dict(value)  # pyright: ignore[reportUnknownArgumentType] - of JSON only strings are keys
