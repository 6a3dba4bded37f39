"""What a key of NATS says of one run id, and what becomes of it: the decisions, without the network."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Any, Literal, TypeAlias

import attrs

from actors._cancellation._intent import CancelIntent, CancelOutcome

State: TypeAlias = Literal["run", "early", "over"]

LONGEST_TOKEN = 200


@attrs.frozen
class Rules:
    """Times, in seconds; see the manager's arguments."""

    lease: float
    tombstone: float
    intent_ttl: float


@attrs.frozen
class Record:
    """What is known of a run id.

    Args:
        run_id: the run.
        state: ``run`` (registered), ``early`` (cancelled, not registered) or ``over`` (a tombstone).
        until: when that ends, in seconds since the epoch.
        owner: who registered it.
        intent: its cancel.
    """

    run_id: str
    state: State
    until: float
    owner: str = ""
    intent: CancelIntent | None = None

    @classmethod
    def decode(cls, content: bytes) -> Record:
        """Read a value.

        Raises:
            ValueError: somebody else has written it.
        """
        try:
            found: dict[str, Any] = json.loads(content)
            run_id, why = found["run"], found.get("cancelled")
            intent = None if why is None else CancelIntent(run_id, why["reason"], why["by"], why["at"])
            return cls(run_id, found["state"], found["until"], found["owner"], intent)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"a value that was not written by this manager: {content[:50]!r}") from error

    def encode(self) -> bytes:
        """Write a value."""
        why = self.intent
        cancelled = None if why is None else {"reason": why.reason, "by": why.by, "at": why.requested_at}
        found = {
            "run": self.run_id,
            "state": self.state,
            "until": self.until,
            "owner": self.owner,
            "cancelled": cancelled,
        }
        return json.dumps(found, separators=(",", ":")).encode()

    def kept_until(self, rules: Rules) -> float:
        """A run that has lost its owner is kept for a while, so that a cancel is told so."""
        return self.until + rules.intent_ttl if self.state == "run" else self.until

    def seconds_left(self, now: float, rules: Rules) -> int:
        """How long the server has to keep it."""
        return max(1, math.ceil(self.kept_until(rules) - now))

    def active(self, now: float) -> bool:
        """Registered, with a living owner."""
        return self.state == "run" and self.until > now


def known(record: Record | None, now: float, rules: Rules) -> Record | None:
    """A record, unless its time is over."""
    return record if record is not None and record.kept_until(rules) > now else None


def enrolled(record: Record | None, run_id: str, owner: str, now: float, rules: Rules) -> Record | None:
    """The record after a registration; None if somebody else has the run."""
    if record is not None and record.active(now) and (not owner or owner != record.owner):
        return None
    return Record(run_id, "run", now + rules.lease, owner, None if record is None else record.intent)


def cancelled(
    record: Record | None, intent: CancelIntent, now: float, rules: Rules
) -> tuple[CancelOutcome, Record | None]:
    """What a cancel meets, and the record after it; None if it changes nothing."""
    if record is None:
        return "stored", Record(intent.run_id, "early", now + rules.intent_ttl, intent=intent)
    if record.state == "over":
        return "finished", None
    if record.state == "early":
        return "stored", attrs.evolve(record, until=now + rules.intent_ttl)
    if not record.active(now):
        return "owner_gone", None
    return "registered", attrs.evolve(record, intent=intent) if record.intent is None else record


def cleaned_up(record: Record | None, run_id: str, owner: str, now: float, rules: Rules) -> Record | None:
    """The record after a cleanup; None if it is somebody else's run."""
    if record is not None and record.state == "run" and owner and owner != record.owner:
        return None
    return Record(run_id, "over", now + rules.tombstone)


def renewed(record: Record | None, run_id: str, owner: str, now: float, rules: Rules) -> Record | None:
    """The record after a renewal; None if there is nothing to be renewed."""
    if record is not None and (record.state == "over" or (record.state == "run" and record.owner != owner)):
        return None
    return Record(run_id, "run", now + rules.lease, owner, None if record is None else record.intent)


def token(text: str) -> str:
    """Any text as a part of a subject. Very long ones by their digest: subjects have a limit, and the value has the text."""
    content = text.encode("utf-8", "surrogatepass")
    if (
        text
        and len(content) <= LONGEST_TOKEN
        and all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in text)
    ):
        return text
    if len(content) <= LONGEST_TOKEN:
        return "=" + base64.urlsafe_b64encode(content).decode().rstrip("=")
    return "==" + hashlib.sha256(content).hexdigest()
