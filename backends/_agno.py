"""Our managers for agno: of its own base class, raising its own exception, so that its runs can be cancelled through ours."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from actors._cancellation._owner import new_owner
from actors._errors import ManagerError
from actors._logging import get_logger

from ._renewal import Renewal

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors._cancellation._intent import CancelIntent
    from actors._cancellation._manager import CancellationManager

T = TypeVar("T")

TEAMS = 10_000
"""The most teams whose members are remembered; agno forgets them by itself when a team's run ends."""

logger = get_logger("actors.manager")


def as_agno(manager: CancellationManager) -> Any:
    """Make one of our managers one of agno's, for ``agno.run.cancel.set_cancellation_manager``.

    It is an instance of agno's ``BaseRunCancellationManager`` and raises agno's ``RunCancelledException``, the only one that
    agno's runs catch. ``cancel_run`` takes ``reason=`` and ``by=`` as well. What is better than with agno's own managers:

    - a cancel from another process, through the manager itself or ``python -m actors cancel``, needs no agno there;
    - a team's members end with the team, whoever has cancelled it (``*_member_run*`` are covered);
    - leases are renewed in a thread while runs are registered, so runs of a process that was killed do not stay active;
    - a store that fails never fails a run: it is logged, and the run counts as not cancelled. A cancel that could not be
      stored raises.

    agno looks at its flag between chunks and tool calls, so a run that waits for a silent model goes on until that speaks:
    interrupting it at once takes an actor around it.

    A manager over a network has to be open on the event loop on which agno runs (``async with manager``). agno's synchronous
    ``run()`` uses the synchronous twins, which make a connection for each look: with such a manager use ``arun()``.

    Args:
        manager: stays usable by itself.

    Raises:
        ImportError: agno is not installed.
    """
    try:
        from agno.exceptions import RunCancelledException  # noqa: PLC0415 - may be missing
        from agno.run.cancellation_management.base import BaseRunCancellationManager  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("as_agno() makes a manager for agno, which is not installed: pip install agno") from error
    # Ours first, so that nothing of agno's abstract methods is left.
    kind: Any = type("AgnoCancellationManager", (AgnoMethods, BaseRunCancellationManager), {})
    return kind(manager, RunCancelledException)


class AgnoMethods:
    """agno's methods over one of our managers; see ``as_agno``.

    Args:
        manager: ours.
        cancelled: agno's exception class.
    """

    def __init__(self, manager: CancellationManager, cancelled: type[Exception]) -> None:
        self.manager = manager
        self._cancelled = cancelled
        self._owner = new_owner()  # agno may register the same run more than once: when it goes on after a pause
        self._renewal = Renewal(manager, self._owner)
        self._teams: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    # ---- runs -----------------------------------------------------------------------------------------------------------

    def register_run(self, run_id: str) -> None:
        """Register a run; a cancel that came first is kept."""
        self._renewal.add(run_id)  # which makes up for it if the store does not answer now
        self._surviving("register_run", run_id, lambda: self.manager.enroll_sync(run_id, owner=self._owner))

    async def aregister_run(self, run_id: str) -> None:
        """Twin of ``register_run``."""
        self._renewal.add(run_id)
        try:
            await self.manager.enroll(run_id, owner=self._owner)
        except ManagerError as error:
            self._log("register_run", run_id, error)

    def cancel_run(self, run_id: str, *, reason: str = "", by: str | None = None) -> bool:
        """Store that a run shall end. True if it was registered.

        Raises:
            ManagerError: it could not be stored.
        """
        return self.manager.cancel_run(run_id, reason=reason, by=by)

    async def acancel_run(self, run_id: str, *, reason: str = "", by: str | None = None) -> bool:
        """Twin of ``cancel_run``."""
        return await self.manager.acancel_run(run_id, reason=reason, by=by)

    def is_cancelled(self, run_id: str) -> bool:
        """Whether it is cancelled, or the team is of whose run it is a part."""
        return self._found(run_id) is not None

    async def ais_cancelled(self, run_id: str) -> bool:
        """Twin of ``is_cancelled``."""
        return await self._afound(run_id) is not None

    def raise_if_cancelled(self, run_id: str) -> None:
        """Raise agno's ``RunCancelledException`` if ``is_cancelled``."""
        self._raise(run_id, self._found(run_id))

    async def araise_if_cancelled(self, run_id: str) -> None:
        """Twin of ``raise_if_cancelled``."""
        self._raise(run_id, await self._afound(run_id))

    def cleanup_run(self, run_id: str) -> None:
        """Forget a run that ended."""
        self._renewal.discard(run_id)
        self._surviving("cleanup_run", run_id, lambda: self.manager.cleanup_run(run_id, owner=self._owner))

    async def acleanup_run(self, run_id: str) -> None:
        """Twin of ``cleanup_run``."""
        self._renewal.discard(run_id)
        try:
            await self.manager.acleanup_run(run_id, owner=self._owner)
        except ManagerError as error:
            self._log("cleanup_run", run_id, error)

    def get_active_runs(self) -> dict[str, bool]:
        """All active runs of the store, whoever has registered them."""
        return self.manager.get_active_runs()

    async def aget_active_runs(self) -> dict[str, bool]:
        """Twin of ``get_active_runs``."""
        return await self.manager.aget_active_runs()

    # ---- teams ----------------------------------------------------------------------------------------------------------
    # A team and its members run in one process, so who belongs to whom is kept here; the cancel of a team may come from anywhere.

    def register_member_run(self, team_run_id: str, member_run_id: str) -> None:
        """Note that a run is part of a team's run."""
        with self._lock:
            self._teams.setdefault(team_run_id, set()).add(member_run_id)
            if len(self._teams) > TEAMS:
                del self._teams[next(iter(self._teams))]

    async def aregister_member_run(self, team_run_id: str, member_run_id: str) -> None:
        """Twin of ``register_member_run``."""
        self.register_member_run(team_run_id, member_run_id)

    def get_member_run_ids(self, team_run_id: str) -> set[str]:
        """The runs that are part of a team's run."""
        with self._lock:
            return set(self._teams.get(team_run_id, ()))

    async def aget_member_run_ids(self, team_run_id: str) -> set[str]:
        """Twin of ``get_member_run_ids``."""
        return self.get_member_run_ids(team_run_id)

    def cleanup_member_runs(self, team_run_id: str) -> None:
        """Forget what was part of a team's run."""
        with self._lock:
            self._teams.pop(team_run_id, None)

    async def acleanup_member_runs(self, team_run_id: str) -> None:
        """Twin of ``cleanup_member_runs``."""
        self.cleanup_member_runs(team_run_id)

    # ---- parts ----------------------------------------------------------------------------------------------------------

    def _with_teams(self, run_id: str) -> list[str]:
        """A run, and above it the teams that it works for, teams of teams too."""
        found = [run_id]
        with self._lock:
            for each in found:
                found += [team for team, members in self._teams.items() if each in members and team not in found]
        return found

    def _found(self, run_id: str) -> CancelIntent | None:
        wanted = self._with_teams(run_id)
        intents = self._surviving("is_cancelled", run_id, lambda: self.manager.intents_sync(wanted)) or {}
        return _first_of(wanted, intents)

    async def _afound(self, run_id: str) -> CancelIntent | None:
        wanted = self._with_teams(run_id)
        try:
            intents = await self.manager.intents(wanted)
        except ManagerError as error:
            self._log("is_cancelled", run_id, error)
            return None
        return _first_of(wanted, intents)

    def _raise(self, run_id: str, intent: CancelIntent | None) -> None:
        if intent is not None:
            by = f" by {intent.by}" if intent.by else ""
            because = f": {intent.reason}" if intent.reason else ""
            raise self._cancelled(f"Run {run_id} was cancelled{by}{because}")

    def _surviving(self, method: str, run_id: str, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except ManagerError as error:
            self._log(method, run_id, error)
            return None

    def _log(self, method: str, run_id: str, error: ManagerError) -> None:
        logger.warning("agno_run_without_manager", method=method, run_id=run_id, error=repr(error))


def _first_of(wanted: list[str], intents: dict[str, CancelIntent]) -> CancelIntent | None:
    return next((intents[each] for each in wanted if each in intents), None)
