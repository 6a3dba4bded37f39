"""The cancellation manager of one process: everything in memory, nothing ever waits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import anyio

from actors._cancellation._fading import Fading
from actors._cancellation._intent import CancelIntent, CancelOutcome, CancelResult, RunRecord
from actors._cancellation._local import InlineCancellationManager
from actors._compat import override
from actors._errors import DuplicateRunError
from actors._event_loop import current_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class InMemoryCancellationManager(InlineCancellationManager):
    """Registers and cancels runs of this process. Thread-safe: a cancel may come from any thread.

    Whoever owns the run is told at once: in the thread of the one who cancels, and on the owner's event loop an instant later
    if that is another thread. Do not cancel from a plain ``signal.signal`` handler, which runs in the middle of anything: use
    ``anyio.open_signal_receiver``.

    Memory is bounded, whatever ids others make up: registered runs (their number is the application's own), and besides them
    at most ``capacity`` intents and ``capacity`` tombstones. When there is no more room, the older half goes at once. What that
    costs: a stored intent that was crowded out cancels nothing; a finished run whose tombstone was crowded out (with the
    defaults: more than 80 runs end in a second) is answered ``stored`` instead of ``finished``, for an intent that then expires.

    Args:
        intent_ttl: seconds that the cancel of a run nobody has registered waits for it.
        tombstone: seconds after a run's end in which a late cancel of it is answered ``finished``.
        capacity: the most intents, and the most tombstones, ever kept.
        clock: what all these seconds are measured on. Monotonic by default, so that setting the computer's clock neither
            expires nor prolongs anything; only ``CancelIntent.requested_at`` is the time of day.
    """

    safety_period = 60.0  # nothing can be missed in one's own memory

    def __init__(
        self,
        *,
        intent_ttl: float = 3600.0,
        tombstone: float = 60.0,
        capacity: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.intent_ttl = intent_ttl
        self.tombstone = tombstone
        self.capacity = capacity
        self._clock = clock
        # Reentrant, so that a signal handler or a finalizer that cancels in the middle of an operation cannot hang.
        self._lock = threading.RLock()
        self._runs: dict[str, tuple[Callable[[CancelIntent], None] | None, float]] = {}  # whom to tell, since when
        self._owners: dict[str, str] = {}
        self._cancelled: dict[str, CancelIntent] = {}
        self._early: Fading[CancelIntent] = Fading(intent_ttl, capacity)
        self._any_early = False  # spares the path of every run a look into an empty place
        self._finished: Fading[bool] = Fading(tombstone, capacity)
        self._listeners: dict[object, Callable[[str], None]] = {}

    @override
    def enroll_nowait(
        self, run_id: str, cancelled: Callable[[CancelIntent], None] | None = None, *, owner: str = ""
    ) -> CancelIntent | None:
        with self._lock:
            if run_id in self._runs:
                if not owner or self._owners.get(run_id) != owner:
                    raise DuplicateRunError(run_id, type(self).__name__)
                return self._cancelled.get(run_id)
            self._runs[run_id] = (cancelled, time.time())
            if owner:
                self._owners[run_id] = owner
            return self._take_early(run_id) if self._any_early else None

    def _take_early(self, run_id: str) -> CancelIntent | None:
        intent = self._early.pop(run_id, self._clock())
        self._any_early = len(self._early) > 0
        if intent is not None:
            self._cancelled[run_id] = intent
        return intent

    @override
    def release_nowait(self, run_id: str) -> None:
        with self._lock:
            self._runs.pop(run_id, None)
            if self._owners:
                self._owners.pop(run_id, None)
            if self._cancelled:
                self._cancelled.pop(run_id, None)
            if self._any_early:
                self._early.discard(run_id)
            self._finished.put(run_id, True, self._clock())  # noqa: FBT003 - only the key matters

    @override
    def cleanup_run(self, run_id: str, *, owner: str = "") -> None:
        with self._lock:
            if not owner or run_id not in self._runs or self._owners.get(run_id) == owner:
                self.release_nowait(run_id)

    @override
    def request_cancel_sync(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        outcome: CancelOutcome
        tell: Callable[[CancelIntent], None] | None = None
        hints: tuple[Callable[[str], None], ...] = ()
        with self._lock:
            now = self._clock()
            if run_id in self._runs:
                outcome = "registered"
                intent = self._cancelled.get(run_id)
                if intent is None:
                    self._cancelled[run_id] = intent = CancelIntent(run_id, reason, by, time.time())
                    tell, _ = self._runs[run_id]
                    hints = tuple(self._listeners.values())
            elif self._finished.get(run_id, now):
                return CancelResult(run_id, "finished")
            else:
                outcome = "stored"
                intent = self._early.pop(run_id, now) or CancelIntent(run_id, reason, by, time.time())
                self._early.put(run_id, intent, now)
                self._any_early = True
        # Outside the lock: what is called here interrupts a reply, and may well come back to this manager.
        if tell is not None:
            tell(intent)
        for hint in hints:
            hint(run_id)
        return CancelResult(run_id, outcome, intent)

    @override
    def intents_sync(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        with self._lock:
            now = self._clock()
            found = ((run_id, self._cancelled.get(run_id) or self._early.get(run_id, now)) for run_id in run_ids)
            return {run_id: intent for run_id, intent in found if intent is not None}

    @override
    def get_active_runs(self) -> dict[str, bool]:
        with self._lock:
            return {run_id: run_id in self._cancelled for run_id in self._runs}

    @override
    def runs_sync(self) -> list[RunRecord]:
        with self._lock:
            return [
                RunRecord(
                    run_id, self._owners.get(run_id, ""), since, run_id in self._cancelled, self._cancelled.get(run_id)
                )
                for run_id, (_, since) in self._runs.items()
            ]

    @override
    async def listen(self, hint: Callable[[str | None], None]) -> None:
        loop = current_event_loop()
        key = object()

        def from_any_thread(run_id: str) -> None:
            loop.call_soon(hint, run_id)

        with self._lock:
            self._listeners[key] = from_any_thread
        try:
            hint(None)
            await anyio.sleep_forever()
        finally:
            with self._lock:
                del self._listeners[key]
