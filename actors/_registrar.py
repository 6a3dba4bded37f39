"""A system's side of one cancellation manager: registers its runs, hears of their cancels, and never lets a store delay it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import attrs

from actors._cancellation._local import InlineCancellationManager
from actors._cancellation._owner import new_owner
from actors._cancellation._upkeep import Upkeep
from actors._errors import DuplicateRunError, ManagerError
from actors._event_loop import current_event_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors._cancellation._health import ManagerHealth
    from actors._cancellation._intent import CancelIntent, CancelResult
    from actors._cancellation._manager import CancellationManager


class Registrar:
    """Registers runs with one manager, for one system; made and used on that system's event loop.

    With a manager that never waits (``inline``) use the ``_nowait`` forms: no task, no waiting. With any other use the
    asynchronous ones: a background task watches for cancels, renews leases and catches up with what the store has missed,
    but only while runs are registered.

    Args:
        manager: where to register. It is opened at the first use, and closed when its last user has left.
        start_soon: starts a background task, given its name, in the system's task group.
        deliver: called on the event loop, once for each run that was cancelled through the manager and did not get that
            intent as the answer of ``enroll``.
        register_timeout: seconds that a reply waits at most for its registration, and for its cleanup.
        linger: seconds that a subscription is kept after the last run has ended, so that runs in a row share one.

    Raises:
        WrongLoopError: the manager is open on another event loop.
    """

    def __init__(
        self,
        manager: CancellationManager,
        *,
        start_soon: Callable[[Callable[[], Awaitable[None]], str], None],
        deliver: Callable[[CancelIntent], None],
        register_timeout: float = 0.1,
        linger: float = 1.0,
    ) -> None:
        manager.lifetime.join()
        self.manager = manager
        self.inline = isinstance(manager, InlineCancellationManager)
        self._closed = False
        self._runs: set[str] = set()  # registered inline
        self._loop = current_event_loop()
        self._deliver = deliver
        if isinstance(manager, InlineCancellationManager):
            # Bound once, because they are on the path of every ask.
            self._enroll_inline = manager.enroll_nowait
            self._release_inline = manager.release_nowait
            self._listener = self._hear
        self.owner = new_owner()
        self._upkeep = Upkeep(manager, start_soon, deliver, register_timeout, linger, owner=self.owner)

    def enroll_nowait(self, run_id: str) -> CancelIntent | None:
        """Register a run with a manager that never waits.

        Returns:
            The cancel that came before the run, if one did; it is not delivered again.

        Raises:
            DuplicateRunError: a run with that id is registered.
        """
        intent = self._enroll_inline(run_id, self._listener)
        self._runs.add(run_id)
        return intent

    def release_nowait(self, run_id: str) -> None:
        """Undo ``enroll_nowait``, whatever became of the run."""
        self._runs.discard(run_id)
        self._release_inline(run_id)

    async def enroll(self, run_id: str) -> CancelIntent | None:
        """Register a run; wait at most ``register_timeout``, and not at all while the store is known not to answer.

        A store that fails is logged and tried again in the background while the run lives. If this call is cut by a native
        cancel, the registration is undone in the background.

        Returns:
            The cancel that came before the run, if one did; it is not delivered again.

        Raises:
            DuplicateRunError: a run with that id is registered.
        """
        if self.inline:
            return self.enroll_nowait(run_id)
        upkeep = self._upkeep
        entry = upkeep.begin(run_id)
        try:
            if self.manager.health_log.reachable:
                await upkeep.settled(entry)
        except BaseException:
            upkeep.end(entry)
            upkeep.leave_to_background(entry)
            raise
        if entry.rejected:
            upkeep.end(entry)
            upkeep.leave_to_background(entry)
            raise DuplicateRunError(run_id, type(self.manager).__name__)
        entry.answered = True
        entry.told = entry.intent is not None
        upkeep.leave_to_background(entry)
        return entry.intent

    async def release(self, run_id: str) -> None:
        """Undo ``enroll``: wait at most ``register_timeout``, then go on in the background. Never raises."""
        if self.inline:
            self.release_nowait(run_id)
            return
        upkeep = self._upkeep
        entry = upkeep.book.get(run_id)
        if entry is None or not entry.wanted:
            return
        upkeep.end(entry)
        try:
            if self.manager.health_log.reachable and not entry.busy and not entry.settled:
                await upkeep.attempt(entry)
        finally:
            upkeep.leave_to_background(entry)

    def release_soon(self, run_id: str) -> None:
        """Undo ``enroll`` in the background."""
        if self.inline:
            self.release_nowait(run_id)
            return
        entry = self._upkeep.book.get(run_id)
        if entry is not None and entry.wanted:
            self._upkeep.end(entry)
            self._upkeep.leave_to_background(entry)

    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        """Ask the manager to cancel a run, most likely of another system; connects to the store if nobody has.

        Args:
            run_id: the run.
            reason: why, for people.
            by: who asks.

        Raises:
            ManagerError: it could not be stored.
        """
        manager = self.manager
        try:
            with anyio.fail_after(manager.timeout):
                await manager.lifetime.ensure(manager.connect)
                return await manager.request_cancel(run_id, reason=reason, by=by)
        except TimeoutError:
            raise ManagerError(f"{manager.lifetime.name} did not answer within {manager.timeout:g} s") from None

    async def aclose(self) -> None:
        """Release what is left, end the background task, leave the manager. Not cut by a cancellation, and bounded in time."""
        if self._closed:
            return
        self._closed = True
        for run_id in list(self._runs):
            self.release_nowait(run_id)
        await self._upkeep.close()
        await self.manager.lifetime.leave(self.manager.disconnect)

    def resume(self) -> None:
        """Go on in the background with what is left to do, for one whose background tasks can be cancelled under it."""
        self._upkeep.resume()

    def outdated(self, run_id: str) -> bool:
        """Whether what the store has under this id is an earlier run of this system, whose end it has not been told so far."""
        entry = self._upkeep.book.get(run_id)
        return entry is not None and entry.outdated

    def health(self) -> ManagerHealth:
        """How the store has answered lately, and how many of this system's runs are registered with it."""
        entries = self._upkeep.book.values()
        registered = len(self._runs) + sum(entry.confirmed for entry in entries)
        unregistered = sum(entry.wanted and not entry.confirmed for entry in entries)
        return attrs.evolve(self.manager.health(), registered=registered, unregistered=unregistered)

    def _hear(self, intent: CancelIntent) -> None:
        """A manager that never waits has news. Called in the thread of whoever cancels."""
        if self._loop.runs_here():
            self._deliver(intent)
        else:
            self._loop.call_soon(self._arrive, intent)

    def _arrive(self, intent: CancelIntent) -> None:
        # While the news was on its way the run may have ended, and another one with its id begun.
        if self.manager.intents_sync((intent.run_id,)).get(intent.run_id) == intent:
            self._deliver(intent)
