"""Renewing the leases of runs whose owner has no event loop of ours: in a thread that is there while there are runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import attrs

from actors._logging import get_logger

if TYPE_CHECKING:
    from actors._cancellation._manager import CancellationManager

logger = get_logger("actors.manager")


@attrs.define(eq=False)
class Renewal:
    """Renews every third of the lease, through the manager's synchronous twin.

    Args:
        manager: with the lease; if it has none there is nothing to do.
        owner: of the runs.
    """

    _manager: CancellationManager
    _owner: str
    _runs: set[str] = attrs.field(factory=set[str])
    _changed: threading.Condition = attrs.field(factory=threading.Condition)
    _thread: threading.Thread | None = None

    def add(self, run_id: str) -> None:
        """From now on this one too."""
        if self._manager.lease is None:
            return
        with self._changed:
            self._runs.add(run_id)
            if (
                self._thread is None or not self._thread.is_alive()
            ):  # after a fork the object is there, but not the thread
                name = f"{type(self._manager).__name__} renewal"
                self._thread = threading.Thread(
                    target=self._work, args=(self._manager.lease / 3,), name=name, daemon=True
                )
                self._thread.start()

    def discard(self, run_id: str) -> None:
        """No longer this one."""
        with self._changed:
            self._runs.discard(run_id)
            self._changed.notify_all()

    def _work(self, period: float) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: not self._runs, period):
                    self._thread = None
                    return
                runs = list(self._runs)
            try:
                self._manager.renew_sync(runs, owner=self._owner)
            except Exception as error:  # noqa: BLE001 - whatever a client library raises; tried again
                logger.warning("lease_not_renewed", manager=type(self._manager).__name__, error=repr(error))
