"""The cancellation managers that one system's actors use: one registrar for each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from actors._interrupt import interrupt_run
from actors._registrar import Registrar
from actors.abc import CancelIntent, adapt

if TYPE_CHECKING:
    from actors._interruption import Outcome
    from actors._system import ActorSystem


class Managers:
    """Finds or makes the registrar of a manager, and closes all of them with the system.

    Args:
        system: whose runs are registered.
    """

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._registrars: dict[int, tuple[object, Registrar]] = {}

    async def registrar(self, manager: object) -> Registrar:
        """The registrar for this manager, by identity.

        Raises:
            UsageError: if it is not a manager.
        """
        known = self._registrars.get(id(manager))
        if known is not None:
            return known[1]
        registrar: Registrar

        def deliver(intent: CancelIntent) -> None:
            run = self._system.runs.get(intent.run_id)
            if run is not None and run.cell.registrar is registrar:
                interrupt_run(run, reason=intent.reason, by=intent.by, source="manager")

        registrar = Registrar(
            adapt(manager), start_soon=partial(self._system.background.start, again=True), deliver=deliver
        )
        self._registrars[id(manager)] = (manager, registrar)  # the manager is kept, so its id stays its own
        return registrar

    async def request_cancel(self, manager: object, run_id: str, reason: str, by: str | None) -> Outcome:
        """Ask a manager to cancel a run that is not of this system.

        Raises:
            ManagerError: the intent could not be stored.
        """
        registrar = await self.registrar(manager)
        result = await registrar.request_cancel(run_id, reason=reason, by=by)
        return "stored" if result.outcome == "registered" else result.outcome

    async def aclose(self) -> None:
        """Undo every registration that is left and close what is the system's. Bounded in time by each registrar."""
        async with anyio.create_task_group() as group:
            for _, registrar in self._registrars.values():
                group.start_soon(registrar.aclose)
        self._registrars.clear()
