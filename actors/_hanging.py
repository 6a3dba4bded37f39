"""What keeps a system from ending, said every few seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from actors._logging import get_logger

if TYPE_CHECKING:
    from actors._system import ActorSystem

logger = get_logger("actors.system")

REPORT_EVERY = 3.0
"""Seconds between two log entries about the same hanging step."""


class HangingReport:
    """Logs what still runs, from the moment at which the system's block is being left until it is.

    Args:
        system: the system that is to end.
    """

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._scope = anyio.CancelScope(shield=True)  # needed most while everything around is being cancelled
        self._begun = False

    def begin(self) -> None:
        """The block is being left; the first call counts."""
        if not self._begun:
            self._begun = True
            self._system.background.start(self._run, "report")

    def end(self) -> None:
        """Nothing hangs any more."""
        self._scope.cancel()

    async def _run(self) -> None:
        with self._scope:
            while True:
                await anyio.sleep(REPORT_EVERY)
                for path, step, where in self._system.executor.hanging():
                    logger.warning("system.waiting", system=self._system.name, actor=path, step=step, where=where)
