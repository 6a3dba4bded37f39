"""Two managers as one: a local one, which answers at once, and behind it one that others can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import attrs

from actors._cancellation._adapted import adapt
from actors._cancellation._blocking import refuse_on_event_loop
from actors._cancellation._manager import CancellationManager
from actors._cancellation._survive import survive
from actors._compat import override
from actors._errors import DuplicateRunError, ManagerError
from actors._logging import get_logger

from ._behind import Behind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from actors._cancellation._health import ManagerHealth
    from actors._cancellation._intent import CancelIntent, CancelResult, RunRecord

UNDOING_TIME = 1.0
"""Seconds that undoing a registration in front may take after a cancellation."""

logger = get_logger("actors.manager")


class ChainedCancellationManager(CancellationManager):
    """Local first, remote behind: whoever cancels from here interrupts at once, and whoever is elsewhere is heard too.

    - A cancel of a run that is registered in front takes effect there, and only then goes behind, in the background. Neither
      the interrupt nor its caller waits for the network, and neither notices when it is down.
    - A cancel of any other run is stored behind; it raises if that cannot be.
    - A cancel that was stored behind, by anybody, is passed on to the one in front, and so reaches the run.
    - A run is registered in front, and then behind, for which its reply waits at most ``patience``, so that a cancel which came
      first, or a duplicate elsewhere, is found before the reply begins. If that takes longer it is done in the background, and
      while the one behind is known not to answer nothing is waited for. What it has missed is made up for after the outage.
    - ``ais_cancelled`` and its kin ask both. When the one behind does not answer within ``patience`` they answer what is known
      in front; ``aget_active_runs`` and ``runs`` raise, since their list would not be whole.

    ``health()`` says when the one behind does not answer, although nobody is harmed by that. What could not be done behind
    before the last run ended, or before the chain was closed, is left to the lease. Leaving ``async with`` takes back what is
    still registered behind.

    The synchronous twins may wait for the network, and refuse a running event loop. What they register is
    renewed behind by ``renew_sync`` only.

    Args:
        local: in front: in memory for one process, or a file or database for all of this machine.
        remote: behind. Either can also be written for agno. Both can be used by others too; they stay yours.
        patience: seconds that a reply waits for the registration behind, and a question for its answer. Less than a system
            waits for a registration (0.1), or else the system gives up on both.

    Raises:
        ManagerError: from a method: the one in front cannot do it; or, where the answer depends on it, the one behind.
    """

    def __init__(self, local: object, remote: object, *, patience: float = 0.05) -> None:
        self.local = adapt(local)
        self.remote = adapt(remote)
        self.lease = min((lease for lease in (self.local.lease, self.remote.lease) if lease is not None), default=None)
        self.tombstone = self.remote.tombstone
        self.intent_ttl = self.remote.intent_ttl
        self.capacity = self.remote.capacity
        self.timeout = max(self.local.timeout, self.remote.timeout)
        self._patience = patience
        self._owners: dict[str, str] = {}
        self._behind_now: Behind | None = None

    @override
    async def connect(self) -> None:
        await self.local.__aenter__()
        try:
            self._behind_now = Behind(self.remote, self._patience, self._pass_on)
        except BaseException:
            await self.local.__aexit__(None, None, None)
            raise

    @override
    async def disconnect(self) -> None:
        behind, self._behind_now = self._behind, None
        self._owners.clear()
        try:
            await self.local.__aexit__(None, None, None)
        finally:
            await behind.close()

    # ---- runs -----------------------------------------------------------------------------------------------------------

    @override
    async def enroll(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        behind = self._behind
        again = self._owners.get(run_id) == owner  # then in front it passes for a named owner only
        intent = await self.local.enroll(run_id, owner=owner)
        if again:
            found = (await behind.intents((run_id,))).get(run_id)
        else:
            self._owners[run_id] = owner
            try:
                found = await behind.enroll(run_id)
            except BaseException:
                del self._owners[run_id]
                with anyio.move_on_after(UNDOING_TIME, shield=True):
                    await survive(lambda: self.local.acleanup_run(run_id, owner=owner))
                raise
        if found is not None and intent is None:
            await self._pass_on(found)
        return intent or found

    @override
    async def acleanup_run(self, run_id: str, *, owner: str = "") -> None:
        behind = self._behind
        if owner and self._owners.get(run_id, owner) != owner:
            return
        ours = self._owners.pop(run_id, None) is not None
        try:
            await self.local.acleanup_run(run_id, owner=owner)
        finally:
            if ours:
                await behind.release(run_id)
        if not (ours and owner):  # whoever names no owner means the run, whoever has it by now
            await behind.forget(run_id, owner)

    @override
    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        behind = self._behind
        ours = run_id in self._owners
        # In front nothing is stored for a run that is not there: it may be elsewhere, and nobody would say here that it ended.
        if ours or run_id in await self.local.aget_active_runs():
            result = await self.local.request_cancel(run_id, reason=reason, by=by)
            if result:
                await behind.tell(run_id, reason, by, ours=ours)
                return result
        return await behind.request_cancel(run_id, reason, by)

    @override
    async def intents(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        found = await self.local.intents(run_ids)
        missing = [run_id for run_id in run_ids if run_id not in found]
        return {**(await self._behind.intents(missing)), **found}

    @override
    async def aget_active_runs(self) -> dict[str, bool]:
        return _together(
            await self._behind.ask(lambda remote: remote.aget_active_runs()), await self.local.aget_active_runs()
        )

    @override
    async def runs(self) -> list[RunRecord]:
        return _all_of(await self._behind.ask(lambda remote: remote.runs()), await self.local.runs())

    @override
    async def renew(self, run_ids: Collection[str], *, owner: str = "") -> None:
        try:
            await self.local.renew(run_ids, owner=owner)
        finally:
            await self._behind.renew(run_ids)

    @override
    async def watch(self, watched: Callable[[], Collection[str]], cancelled: Callable[[CancelIntent], None]) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._behind.run)
            await self.local.watch(watched, cancelled)

    @override
    def health(self) -> ManagerHealth:
        own, local = super().health(), self.local.health()
        worse = local if own and not local else own
        if not worse or self._behind_now is None:
            return worse
        remote = self._behind_now.health()
        if remote:
            return attrs.evolve(own, watching=local.watching)
        error = f"behind ({self.remote.lifetime.name}): {remote.error}"
        return attrs.evolve(remote, error=error, watching=local.watching)

    @property
    def _behind(self) -> Behind:
        self.lifetime.check()
        if self._behind_now is None:
            raise ManagerError(
                f"{self.lifetime.name} is not open: use it inside `async with`, or its synchronous methods"
            )
        return self._behind_now

    async def _pass_on(self, intent: CancelIntent) -> None:
        """Cancel in front what was cancelled behind; whoever watches hears of it from there."""
        if intent.run_id not in self._owners:  # it ended meanwhile, and what is stored now would hit another one
            return
        error = await survive(lambda: self.local.request_cancel(intent.run_id, reason=intent.reason, by=intent.by))
        if error is not None:
            logger.error("cancel_not_passed_on", run_id=intent.run_id, manager=self.lifetime.name, exc_info=error)

    # ---- the synchronous twins ------------------------------------------------------------------------------------------

    @override
    def enroll_sync(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        self._refuse()
        intent = self.local.enroll_sync(run_id, owner=owner)
        found: CancelIntent | None = None
        try:
            found = self.remote.enroll_sync(run_id, owner=owner)
        except DuplicateRunError:
            self.local.cleanup_run(run_id, owner=owner)
            raise
        except ManagerError as error:
            self._log("run_not_registered_behind", run_id, error)
        if found is not None and intent is None:
            self.local.request_cancel_sync(run_id, reason=found.reason, by=found.by)
        return intent or found

    @override
    def request_cancel_sync(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        self._refuse()
        if run_id in self.local.get_active_runs():
            result = self.local.request_cancel_sync(run_id, reason=reason, by=by)
            if result:
                try:
                    self.remote.request_cancel_sync(run_id, reason=reason, by=by)
                except ManagerError as error:
                    self._log("cancel_not_told_behind", run_id, error)
                return result
        return self.remote.request_cancel_sync(run_id, reason=reason, by=by)

    @override
    def intents_sync(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        self._refuse()
        found = self.local.intents_sync(run_ids)
        missing = [run_id for run_id in run_ids if run_id not in found]
        if missing:
            try:
                found = {**self.remote.intents_sync(missing), **found}
            except ManagerError as error:
                self._log("cancels_not_read_behind", missing[0], error)
        return found

    @override
    def cleanup_run(self, run_id: str, *, owner: str = "") -> None:
        self._refuse()
        self.local.cleanup_run(run_id, owner=owner)
        try:
            self.remote.cleanup_run(run_id, owner=owner)
        except ManagerError as error:
            self._log("run_not_cleaned_up_behind", run_id, error)

    @override
    def renew_sync(self, run_ids: Collection[str], *, owner: str = "") -> None:
        self._refuse()
        self.local.renew_sync(run_ids, owner=owner)
        try:
            self.remote.renew_sync(run_ids, owner=owner)
        except ManagerError as error:
            self._log("lease_not_renewed_behind", "", error)

    @override
    def get_active_runs(self) -> dict[str, bool]:
        self._refuse()
        return _together(self.remote.get_active_runs(), self.local.get_active_runs())

    @override
    def runs_sync(self) -> list[RunRecord]:
        self._refuse()
        return _all_of(self.remote.runs_sync(), self.local.runs_sync())

    def _refuse(self) -> None:
        refuse_on_event_loop(self.lifetime.name)

    def _log(self, event: str, run_id: str, error: Any) -> None:
        logger.warning(event, run_id=run_id, manager=self.lifetime.name, error=repr(error))


def _together(remote: dict[str, bool], local: dict[str, bool]) -> dict[str, bool]:
    return {run_id: remote.get(run_id, False) or local.get(run_id, False) for run_id in {**remote, **local}}


def _all_of(remote: list[RunRecord], local: list[RunRecord]) -> list[RunRecord]:
    """One record for each run: the one in front knows more of its own, but a cancel may have got no further than behind."""
    found = {record.run_id: record for record in remote}
    for record in local:
        other = found.get(record.run_id, record)
        found[record.run_id] = record if record.cancelled or not other.cancelled else other
    return list(found.values())
