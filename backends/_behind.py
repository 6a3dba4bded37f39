"""The manager behind another one: told of everything, waited for a moment at most, and caught up with after an outage."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
import attrs

from actors._cancellation._survive import survive
from actors._cancellation._watch import Backoff
from actors._errors import ManagerError
from actors._logging import get_logger
from actors._registrar import Registrar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from actors._cancellation._health import ManagerHealth
    from actors._cancellation._intent import CancelIntent, CancelResult
    from actors._cancellation._manager import CancellationManager

T = TypeVar("T")

logger = get_logger("actors.manager")


@attrs.define(eq=False)
class Untold:
    """A cancel that took effect in front, and of which the one behind has not been told."""

    run_id: str
    reason: str
    by: str | None


class Behind:
    """One process's side of the manager behind; made, and used, on the event loop on which the chain is open.

    It has a system's registrar for it, which catches up, renews and watches in the background. What differs: tasks of its own
    are there only while somebody watches the chain (``run``). At other times calls are tried at once, and waited for.

    Args:
        manager: the one behind.
        patience: seconds that a call that must not be delayed waits for it.
        pass_on: awaited for each cancel that was stored behind, of a run registered through here.

    Raises:
        WrongLoopError: the manager is open on another event loop.
    """

    def __init__(
        self, manager: CancellationManager, patience: float, pass_on: Callable[[CancelIntent], Awaitable[None]]
    ) -> None:
        self._manager = manager
        self._patience = patience
        self._pass_on = pass_on
        self._registrar = Registrar(manager, start_soon=self._start, deliver=self._hear, register_timeout=patience)
        self._upkeep: Callable[[], Awaitable[None]] | None = None  # what the registrar wants to have running
        self._untold: dict[str, Untold] = {}
        self._heard: list[CancelIntent] = []
        self._news = anyio.Event()
        self._wanted = anyio.Event()
        self._turn = anyio.Lock()
        self._runs = False

    # ---- calls ----------------------------------------------------------------------------------------------------------

    async def enroll(self, run_id: str) -> CancelIntent | None:
        """Register a run: now, if it answers in time, or else in the background.

        Returns:
            The cancel that came before, if it answered so.

        Raises:
            DuplicateRunError: somebody else has registered it.
        """
        await self._probe()
        return await self._registrar.enroll(run_id)

    async def release(self, run_id: str) -> None:
        """Undo ``enroll``, in the background if there is a task to do it: whoever asked is told after this. Never raises."""
        self._untold.pop(run_id, None)
        if self._runs:
            self._registrar.release_soon(run_id)
        else:
            await self._registrar.release(run_id)

    async def request_cancel(self, run_id: str, reason: str, by: str | None) -> CancelResult:
        """Cancel a run that is not in front.

        Raises:
            ManagerError: it could not be stored.
        """
        result: list[CancelResult] = []

        async def ask() -> None:
            result.append(await self._registrar.request_cancel(run_id, reason=reason, by=by))

        await self._noted(ask)
        return result[0]

    async def tell(self, run_id: str, reason: str, by: str | None, *, ours: bool) -> None:
        """Say that a run was cancelled in front, where it has taken effect. Waits for a moment at most, and never raises.

        Args:
            run_id: the run.
            reason: of the cancel.
            by: of the cancel.
            ours: it was registered through here. Then it is tried again, until the run ends; with others nobody would know
                when to stop, and the cancel could meet a later run with that id.
        """
        if ours:
            self._untold[run_id] = Untold(run_id, reason, by)
            self._news.set()
            if not self._runs:
                with anyio.move_on_after(self._patience):
                    await self._tell_next()
            return
        with anyio.move_on_after(self._patience):
            error = await survive(lambda: self.request_cancel(run_id, reason, by))
            if error is not None:
                logger.warning("cancel_not_told_behind", run_id=run_id, error=repr(error))

    async def intents(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        """Read these runs; nothing of them if it does not answer in time."""
        wanted = [run_id for run_id in run_ids if not self._registrar.outdated(run_id)]
        found: dict[str, CancelIntent] = {}

        async def ask() -> None:
            found.update(await self._manager.intents(wanted))

        if wanted and (self._manager.health_log.reachable or not self._runs):
            await survive(lambda: self._briefly(ask))
        return found

    async def forget(self, run_id: str, owner: str) -> None:
        """Clean up a run that was not registered through here. Waits for a moment at most, and never raises."""
        error = await survive(lambda: self._briefly(lambda: self._manager.acleanup_run(run_id, owner=owner)))
        if error is not None:
            logger.warning("run_not_cleaned_up_behind", run_id=run_id, error=repr(error))

    async def renew(self, run_ids: Collection[str]) -> None:
        """Extend leases, unless that is done in the background. Waits for a moment at most, and never raises."""
        if not self._runs:
            owner = self._registrar.owner
            error = await survive(lambda: self._briefly(lambda: self._manager.renew(run_ids, owner=owner)))
            if error is not None:
                logger.warning("lease_not_renewed_behind", manager=self._manager.lifetime.name, error=repr(error))

    async def ask(self, call: Callable[[CancellationManager], Awaitable[T]]) -> T:
        """Make a call whose answer is worth nothing without it.

        Raises:
            ManagerError: it cannot, or did not answer within its own ``timeout``.
        """
        answer: list[T] = []

        async def ask() -> None:
            with anyio.fail_after(self._manager.timeout):
                await self._manager.lifetime.ensure(self._manager.connect)
                answer.append(await call(self._manager))

        try:
            await self._noted(ask)
        except TimeoutError:
            name = self._manager.lifetime.name
            raise ManagerError(f"{name}, behind, did not answer within {self._manager.timeout:g} s") from None
        return answer[0]

    def health(self) -> ManagerHealth:
        """How it has answered lately, and what is registered with it."""
        return self._registrar.health()

    # ---- in the background ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do what is to be done in the background, until cancelled. Of several who call this, one does it."""
        async with self._turn, anyio.create_task_group() as group:
            self._runs = True
            try:
                group.start_soon(self._keep_up)
                await self._keep_passing_on()
            finally:
                self._runs = False

    async def close(self) -> None:
        """Undo what is still registered, if it answers, and leave it. Bounded in time."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._take_up)  # what waits for its turn ends by itself once the registrar closes
            await self._registrar.aclose()

    def _start(self, upkeep: Callable[[], Awaitable[None]], _name: str) -> None:
        self._upkeep = upkeep
        self._wanted.set()

    async def _take_up(self) -> None:
        upkeep, self._upkeep = self._upkeep, None
        if upkeep is not None:
            await upkeep()

    async def _keep_up(self) -> None:
        self._registrar.resume()
        backoff = Backoff()
        while True:
            if self._upkeep is None:
                self._wanted = anyio.Event()
                await self._wanted.wait()
            error = await survive(self._take_up)
            if error is not None:
                logger.error("upkeep_behind_failed", manager=self._manager.lifetime.name, exc_info=error)
                await anyio.sleep(backoff.pause())
                self._registrar.resume()

    async def _probe(self) -> None:
        """With nobody watching, an outage would never be known to be over: ask for nothing, for a moment."""
        if not self._runs and not self._manager.health_log.reachable:
            await survive(lambda: self._briefly(lambda: self._manager.intents(())))

    def _hear(self, intent: CancelIntent) -> None:
        self._heard.append(intent)
        self._news.set()

    async def _keep_passing_on(self) -> None:
        backoff = Backoff()
        while True:
            if not self._heard and not self._untold:
                await self._news.wait()
            self._news = anyio.Event()
            heard, self._heard = self._heard, []
            for intent in heard:
                await self._pass_on(intent)
            if await self._tell_next():
                backoff.reset()
                continue
            with anyio.move_on_after(backoff.pause()):
                await self._news.wait()

    async def _tell_next(self) -> bool:
        """Tell of one cancel. False if that failed; then it is the next one again."""
        untold = next(iter(self._untold.values()), None)
        if untold is None:
            return True
        error = await survive(lambda: self.request_cancel(untold.run_id, untold.reason, untold.by))
        if error is not None:
            return False
        if self._untold.get(untold.run_id) is untold:
            del self._untold[untold.run_id]
        return True

    async def _briefly(self, call: Callable[[], Awaitable[object]]) -> None:
        """Make a call that may take ``patience``."""

        async def within_patience() -> None:
            with anyio.fail_after(self._patience):
                await self._manager.lifetime.ensure(self._manager.connect)
                await call()

        await self._noted(within_patience)

    async def _noted(self, call: Callable[[], Awaitable[None]]) -> None:
        """Make a call, and keep for the health report how it went."""
        error = await survive(call)
        if error is None:
            if self._manager.health_log.worked():
                logger.info("manager_recovered", manager=self._manager.lifetime.name)
            return
        if self._manager.health_log.failed(error):
            logger.warning("manager_unreachable", manager=self._manager.lifetime.name, error=repr(error))
        raise error
