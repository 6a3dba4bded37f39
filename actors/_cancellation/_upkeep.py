"""What a registrar does in the background: watch for cancels, renew leases, catch up with what the store has missed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
import attrs
from anyio import get_cancelled_exc_class

from actors._cancellation._registration import Lives, Registration
from actors._cancellation._survive import survive
from actors._cancellation._watch import Backoff
from actors._errors import DuplicateRunError
from actors._logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors._cancellation._intent import CancelIntent
    from actors._cancellation._manager import CancellationManager

GIVE_UP_AFTER = 60.0
"""Seconds after which a registration that could not be undone is left to its lease."""
CLOSE_TIME = 1.0
"""Seconds that closing spends on each of its two steps: ending the background task, undoing registrations."""

logger = get_logger("actors.registrar")


@attrs.define(eq=False)
class Upkeep:
    """The registrations of one system with one manager, and the one background task that looks after them."""

    _manager: CancellationManager
    _start_soon: Callable[[Callable[[], Awaitable[None]], str], None]
    _deliver: Callable[[CancelIntent], None]
    _register_timeout: float
    _linger: float
    _owner: str = attrs.field(kw_only=True, alias="owner")
    book: dict[str, Registration] = attrs.field(factory=dict[str, Registration], init=False)
    _backlog: dict[str, Registration] = attrs.field(factory=dict[str, Registration], init=False)
    _news: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _scope: anyio.CancelScope | None = attrs.field(default=None, init=False)
    _ended: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    # ---- the entries ----------------------------------------------------------------------------------------------------

    def begin(self, run_id: str) -> Registration:
        """A run begins.

        Raises:
            DuplicateRunError: this system has a run with that id.
        """
        entry = self.book.get(run_id)
        if entry is None:
            entry = self.book[run_id] = Registration(run_id)
        elif entry.wanted:
            raise DuplicateRunError(run_id, "this system")
        entry.begin()
        if self._scope is None:
            self._start()
        else:
            self._news.set()
        return entry

    def end(self, entry: Registration) -> None:
        """Its run is over."""
        entry.wanted = False
        entry.unwanted_since = anyio.current_time()

    def leave_to_background(self, entry: Registration) -> None:
        """Let the background task do what is left to do, and forget the entry if there is nothing."""
        if not entry.wanted and not entry.rejected and not self._manager.health_log.reachable and not self._backlog:
            # Runs do not wait for a store that is known not to answer, and somebody has to find out that it does again.
            entry.stored = entry.stored or entry.life
        if not entry.settled:
            self._backlog[entry.run_id] = entry
            self._news.set()
            return
        self._backlog.pop(entry.run_id, None)
        if not entry.wanted:
            self.book.pop(entry.run_id, None)
            if not self.book:
                self._news.set()
        elif entry.intent is not None:
            self._hear(entry.intent)

    async def attempt(self, entry: Registration, timeout: float | None = None) -> bool:
        """Try to make the store as wanted, in a bounded time. Returns whether the store answered; raises nothing of its.

        Args:
            entry: what to settle.
            timeout: seconds; None for a run that waits for it: then that is the time for registering, and no cancellation
                but a native one cuts it short.
        """

        async def contact() -> None:
            with anyio.fail_after(self._register_timeout if timeout is None else timeout):
                await self._manager.lifetime.ensure(self._manager.connect)
                await entry.settle(self._manager, self._owner)

        error: BaseException | None = None
        with anyio.CancelScope(shield=timeout is None):
            error = await survive(contact)
        name = type(self._manager).__name__
        if error is None:
            if self._manager.health_log.worked():
                logger.info("manager_recovered", manager=name)
            return True
        if self._manager.health_log.failed(error):
            logger.warning(
                "manager_unreachable", manager=name, run_id=entry.run_id, wanted=entry.wanted, error=repr(error)
            )
        return False

    async def settled(self, entry: Registration) -> None:
        """For a run that waits for its registration: try, or wait for whoever is still busy with an earlier run of that id.

        He goes on to this one. Not to wait for him would let a cancel of this run be taken for one of the run before.
        """
        if not entry.busy:
            await self.attempt(entry)
            return
        with anyio.move_on_after(self._register_timeout, shield=True):
            await entry.idle.wait()

    def _hear(self, intent: CancelIntent) -> None:
        entry = self.book.get(intent.run_id)
        if entry is None or not entry.wanted or entry.outdated or entry.rejected:
            return
        entry.intent = entry.intent or intent
        if entry.answered and not entry.told:
            entry.told = True
            try:
                self._deliver(entry.intent)
            except Exception as error:  # one run's failure must not end the upkeep of all others
                logger.error("cancel_not_delivered", run_id=entry.run_id, exc_info=error)

    # ---- the background task --------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Start the task if there is something to do and it does not run; for those whose tasks are cancelled under it."""
        if self.book and self._scope is None and not self._closed:
            self._start()

    def _start(self) -> None:
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        self._start_soon(self._run, f"cancellation manager {type(self._manager).__name__}")

    async def _run(self) -> None:
        assert self._scope is not None, "set in _start()"
        try:
            with self._scope:
                while self.book:  # again if a run began while the subscription was being ended
                    async with anyio.create_task_group() as group:
                        group.start_soon(self._keep_watching)
                        if self._manager.lease is not None:
                            group.start_soon(self._keep_renewing, self._manager.lease / 3)
                        await self._catch_up()
                        group.cancel_scope.cancel()
        except get_cancelled_exc_class():
            if anyio.current_effective_deadline() == -math.inf:
                raise
            # Somebody cancelled this very task. Passed on, it would end the system's task group without a word.
            logger.warning("manager_upkeep_cancelled", manager=type(self._manager).__name__)
        finally:
            self._scope = None
            self._ended.set()
        if self.book and not self._closed:
            self._start()

    async def _catch_up(self) -> None:
        """Work off the backlog, until nothing has been registered for a while."""
        backoff = Backoff()
        while True:
            self._news = anyio.Event()
            entry = next(iter(self._backlog.values()), None)
            if entry is not None:
                await self._work_off(entry, backoff)
            elif self.book:
                await self._news.wait()
            else:
                with anyio.move_on_after(self._linger) as lingering:
                    await self._news.wait()
                if lingering.cancelled_caught and not self.book:  # not if a run has come and gone again meanwhile
                    return

    async def _work_off(self, entry: Registration, backoff: Backoff) -> None:
        del self._backlog[entry.run_id]
        if entry.busy:  # a run that begins or ends is at it, and comes back here if it fails
            return
        if entry.settled:  # it ended before it was ever registered
            self.leave_to_background(entry)
            return
        if await self.attempt(entry, self._manager.timeout):
            backoff.reset()
            if entry.rejected and entry.wanted:
                logger.error("run_id_registered_elsewhere", run_id=entry.run_id, manager=type(self._manager).__name__)
            self.leave_to_background(entry)
            return
        if not entry.wanted and anyio.current_time() - entry.unwanted_since > GIVE_UP_AFTER:
            logger.warning("run_not_cleaned_up", run_id=entry.run_id, manager=type(self._manager).__name__)
            entry.stored = 0
        self.leave_to_background(entry)
        await anyio.sleep(backoff.pause())

    async def _keep_watching(self) -> None:
        backoff = Backoff()
        lives = Lives(self.book)

        async def watch() -> None:
            with anyio.fail_after(self._manager.timeout):
                await self._manager.lifetime.ensure(self._manager.connect)
            await self._manager.watch(lambda: lives, self._hear)

        while True:
            error = await survive(watch)
            pause = backoff.pause()
            logger.warning(
                "manager_not_watched", manager=type(self._manager).__name__, error=repr(error), retry_in=pause
            )
            await anyio.sleep(pause)

    async def _keep_renewing(self, period: float) -> None:
        backoff = Backoff()
        pause = period
        while True:
            await anyio.sleep(pause)
            error = await survive(self._renew)
            if error is None:
                backoff.reset()
                pause = period
                continue
            pause = min(backoff.pause(), period)
            logger.warning("lease_not_renewed", manager=type(self._manager).__name__, error=repr(error), retry_in=pause)

    async def _renew(self) -> None:
        runs = [entry.run_id for entry in self.book.values() if entry.wanted and entry.confirmed]
        if runs:
            with anyio.fail_after(self._manager.timeout):
                await self._manager.renew(runs, owner=self._owner)

    async def close(self) -> None:
        """End the task, then undo what is still registered, if the store answers; a lease does the rest."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            if self._scope is not None:
                self._scope.cancel()
                with anyio.move_on_after(CLOSE_TIME):
                    await self._ended.wait()
            for entry in self.book.values():
                self.end(entry)
            left = [entry for entry in self.book.values() if not entry.settled and not entry.busy]
            if left and self._manager.health_log.reachable:
                with anyio.move_on_after(CLOSE_TIME):
                    async with anyio.create_task_group() as group:
                        for entry in left:
                            group.start_soon(self.attempt, entry, CLOSE_TIME)
            stuck = [entry.run_id for entry in left if not entry.settled]
            if stuck:
                logger.warning("runs_not_cleaned_up", run_ids=stuck, manager=type(self._manager).__name__)
            self.book.clear()
            self._backlog.clear()
