"""The one place that knows how a manager's flag and its push are reconciled.

The flag in the store is the truth and a push is only a hint: pub/sub drops what is sent while a client is reconnecting, often
without a word. So whoever watches reads the flags again after each (re)connect, on each hint, and every few seconds anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import anyio
import attrs

from actors._cancellation._survive import survive
from actors._errors import ManagerError
from actors._logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from actors._cancellation._intent import CancelIntent
    from actors._cancellation._manager import CancellationManager

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""With the reading that follows it, what was cancelled in an outage is heard of within two seconds of its end."""
LASTING = 5.0
"""Seconds after which a subscription that breaks had worked: what follows is a new outage."""

logger = get_logger("actors.manager")


@attrs.define
class Backoff:
    """How long to wait before the next try, in seconds: doubling with each failure."""

    _next: float = FIRST_PAUSE

    def reset(self) -> None:
        """Something worked."""
        self._next = FIRST_PAUSE

    def pause(self) -> float:
        """Something failed."""
        pause, self._next = self._next, min(self._next * 2, LONGEST_PAUSE)
        return pause


@attrs.define(eq=False)
class Watcher:
    """One subscription to one manager, for any number of runs; see ``CancellationManager.watch``."""

    _manager: CancellationManager
    _watched: Callable[[], Collection[str]]
    _cancelled: Callable[[CancelIntent], None]
    _told: dict[str, CancelIntent] = attrs.field(factory=dict[str, "CancelIntent"])
    _hinted: dict[str, None] = attrs.field(factory=dict[str, None])  # as a set, but in order
    _everything: bool = True
    _news: anyio.Event = attrs.field(factory=anyio.Event)
    _connecting: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_listening)
                await self._keep_reading()
        finally:
            self._manager.health_log.subscription_ended()

    def _hint(self, run_id: str | None) -> None:
        if run_id is None:
            self._connecting.deadline = math.inf
            self._everything = True
            self._manager.health_log.subscription_stands()
        elif run_id in self._watched():  # others' runs, and ids that nobody ever had, must not pile up here
            self._hinted[run_id] = None
        else:
            return
        self._news.set()

    async def _keep_listening(self) -> None:
        backoff = Backoff()
        while True:
            connected = anyio.current_time()
            error = await survive(self._listen)
            if error is None:
                error = ManagerError(f"{type(self._manager).__name__}: the subscription ended")
            if anyio.current_time() - connected > LASTING:
                backoff.reset()
            pause = backoff.pause()
            logger.warning(
                "manager_subscription_lost", manager=type(self._manager).__name__, error=repr(error), retry_in=pause
            )
            self._manager.health_log.subscription_lost(error)
            self._everything = True  # whatever was cancelled meanwhile was cancelled unheard
            self._news.set()
            await anyio.sleep(pause)

    async def _listen(self) -> None:
        # Until the first hint it is only connecting, and a store that hangs must not keep us there for ever.
        self._connecting = anyio.CancelScope(deadline=anyio.current_time() + self._manager.timeout)
        with self._connecting:
            await self._manager.listen(self._hint)
        if self._connecting.cancelled_caught:
            raise ManagerError(f"no subscription within {self._manager.timeout:g} s")

    async def _keep_reading(self) -> None:
        backoff = Backoff()
        while True:
            with anyio.move_on_after(self._manager.safety_period) as waited:
                await self._news.wait()
            if waited.cancelled_caught:
                self._everything = True
            wanted = self._take_wanted()
            if not wanted:
                continue
            found: dict[str, CancelIntent] = {}
            error = await survive(lambda: self._read(wanted, found))  # noqa: B023 - called at once
            if error is None:
                backoff.reset()
                self._tell(found, wanted)
                continue
            self._everything = True
            pause = backoff.pause()
            if self._manager.health_log.failed(error, reading=True):
                logger.warning(
                    "manager_unreachable", manager=type(self._manager).__name__, error=repr(error), retry_in=pause
                )
            await anyio.sleep(pause)
            self._news.set()

    def _take_wanted(self) -> dict[str, object]:
        """The runs to read now, each with its life, and from here on a clean slate for hints."""
        self._news = anyio.Event()
        everything, self._everything = self._everything, False
        hinted, self._hinted = self._hinted, {}
        watched = self._watched()
        for run_id in self._told.keys() - watched:
            del self._told[run_id]
        return {run_id: _life(watched, run_id) for run_id in (watched if everything else hinted) if run_id in watched}

    async def _read(self, wanted: dict[str, object], found: dict[str, CancelIntent]) -> None:
        with anyio.fail_after(self._manager.timeout):
            found.update(await self._manager.intents(list(wanted)))
        if self._manager.health_log.worked(reading=True):
            logger.info("manager_recovered", manager=type(self._manager).__name__)

    def _tell(self, found: dict[str, CancelIntent], lives: dict[str, object]) -> None:
        for run_id, intent in found.items():
            watched = self._watched()
            # Compared as a whole: a later run with the same id can be cancelled again, by another request.
            if run_id not in watched or self._told.get(run_id) == intent:
                continue
            if _life(watched, run_id) != lives.get(run_id):  # meant for the one before, or for this one: read again
                self._hinted[run_id] = None
                self._news.set()
                continue
            self._told[run_id] = intent
            try:
                self._cancelled(intent)
            except Exception as error:  # one run's failure must not end the watch of all others
                logger.error("cancel_not_delivered", run_id=run_id, exc_info=error)


def _life(watched: Collection[str], run_id: str) -> object:
    """What tells a run from a later one with the same id, as far as whoever watches can tell."""
    return cast("Mapping[str, object]", watched).get(run_id) if isinstance(watched, Mapping) else None
