"""Managers that were written for agno, plugged in as they are."""

from __future__ import annotations

import inspect
import time
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from actors._cancellation._blocking import refuse_on_event_loop
from actors._cancellation._intent import CancelIntent, CancelResult
from actors._cancellation._manager import CancellationManager
from actors._cancellation._worker_lane import WorkerLane
from actors._compat import override
from actors._errors import BlockingCallError, DuplicateRunError, ManagerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

T = TypeVar("T")

NEEDED = ("register_run", "cancel_run", "is_cancelled", "cleanup_run", "get_active_runs")


def adapt(manager: object, *, poll_period: float = 0.5, local: bool = False) -> CancellationManager:
    """Make a cancellation manager of any object that has agno's methods, synchronous, asynchronous (with ``a`` in front) or both.

    Asynchronous methods are preferred; synchronous ones run in a thread. What such a manager does not have is missing here
    too: there is no push (it is polled while runs are registered), no tombstone, no lease, and a reason or author is known
    only if the cancel came through this adapter, while the run was registered. A second registration of a run is noticed if
    both came through this adapter.

    Args:
        manager: written for agno; it stays usable by itself. One of ours is given back as it is.
        poll_period: seconds between two looks at each registered run.
        local: whether it only touches memory or a local file, so that its synchronous methods may be called on a running
            event loop. If not, they raise ``BlockingCallError`` there.

    Raises:
        TypeError: it lacks one of agno's methods; the text says which. Or it is a class, and not a manager made from it.
    """
    if isinstance(manager, type):  # which has all the methods, and whose every call fails
        raise TypeError(f"{manager.__name__} is a class, and no cancellation manager: pass {manager.__name__}(...)")
    if isinstance(manager, CancellationManager):
        return manager
    for name in NEEDED:
        if not callable(getattr(manager, name, None)) and not callable(getattr(manager, f"a{name}", None)):
            raise TypeError(
                f"{type(manager).__name__} is no cancellation manager: it has neither {name}() nor a{name}()"
            )
    return AdaptedManager(manager, poll_period=poll_period, local=local)


@attrs.define(eq=False, slots=False)
class AdaptedManager(CancellationManager):
    """What ``adapt`` returns."""

    wrapped: Any
    poll_period: float = attrs.field(default=0.5, kw_only=True)
    local: bool = attrs.field(default=False, kw_only=True)
    _blocking: bool = attrs.field(default=False, kw_only=True, alias="blocking")
    _owners: dict[str, str] = attrs.field(factory=dict[str, str], kw_only=True, alias="owners")
    _seen: dict[str, CancelIntent] = attrs.field(factory=dict[str, CancelIntent], kw_only=True, alias="seen")
    _lane: WorkerLane = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.lifetime.name = type(self.wrapped).__name__
        self._lane = WorkerLane(self.lifetime.name, nullcontext)

    @override
    async def enroll(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        held = self._owners.get(run_id)
        if held is not None and (not owner or held != owner):
            raise DuplicateRunError(run_id, self.lifetime.name)
        self._owners[run_id] = owner  # before the first wait, so that one of many who come at once gets it
        try:
            before = await self._call("is_cancelled", run_id)
            await self._call("register_run", run_id)
            after = await self._call("is_cancelled", run_id)
            if before and not after:  # older ones reset the flag when a run registers
                await self._call("cancel_run", run_id)
        except BaseException:
            if held is None:
                self._owners.pop(run_id, None)
            raise
        return self._intent(run_id) if before or after else None

    @override
    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        registered = await self._call("cancel_run", run_id)
        if not registered and not await self._call("is_cancelled", run_id):
            return CancelResult(run_id, "finished")  # older ones do not keep the cancel of a run they do not know
        intent = self._intent(run_id, reason, by)
        return CancelResult(run_id, "registered" if registered else "stored", intent)

    @override
    async def intents(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        # One by one: agno's get_active_runs() walks the whole store.
        return {run_id: self._intent(run_id) for run_id in run_ids if await self._call("is_cancelled", run_id)}

    @override
    async def acleanup_run(self, run_id: str, *, owner: str = "") -> None:
        if owner and self._owners.get(run_id, owner) != owner:
            return
        self._owners.pop(run_id, None)
        self._seen.pop(run_id, None)
        await self._call("cleanup_run", run_id)

    @override
    async def aget_active_runs(self) -> dict[str, bool]:
        return {run_id: bool(cancelled) for run_id, cancelled in (await self._call("get_active_runs")).items()}

    @override
    def enroll_sync(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        return self._at_once(lambda twin: twin.enroll(run_id, owner=owner))

    @override
    def request_cancel_sync(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        return self._at_once(lambda twin: twin.request_cancel(run_id, reason=reason, by=by))

    @override
    def intents_sync(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        return self._at_once(lambda twin: twin.intents(run_ids))

    @override
    def cleanup_run(self, run_id: str, *, owner: str = "") -> None:
        self._at_once(lambda twin: twin.acleanup_run(run_id, owner=owner))

    @override
    def get_active_runs(self) -> dict[str, bool]:
        return self._at_once(lambda twin: twin.aget_active_runs())

    def _intent(self, run_id: str, reason: str = "", by: str | None = None) -> CancelIntent:
        """The same intent at each look while the run is registered, so that it counts as one; never kept for other runs."""
        intent = self._seen.get(run_id) or CancelIntent(run_id, reason, by, time.time())
        if run_id in self._owners:
            self._seen[run_id] = intent
        return intent

    async def _call(self, name: str, *args: str) -> Any:
        self.lifetime.check()
        asynchronous = getattr(self.wrapped, f"a{name}", None)
        try:
            if self._blocking:
                return getattr(self.wrapped, name)(*args)
            if asynchronous is None:
                return await self._lane.run(
                    partial(getattr(self.wrapped, name), *args), timeout=self.timeout, batched=False
                )
            answer = asynchronous(*args)
            return await answer if inspect.isawaitable(answer) else answer
        except ManagerError:
            raise
        except Exception as error:
            raise ManagerError(f"{self.lifetime.name}: {name} failed: {type(error).__name__}: {error}") from error

    def _at_once(self, call: Callable[[AdaptedManager], Coroutine[Any, Any, T]]) -> T:
        """Make a call with the synchronous methods: then the coroutine never waits, and one step runs it to its end."""
        name = self.lifetime.name
        missing = [method for method in NEEDED if not callable(getattr(self.wrapped, method, None))]
        if missing:
            raise BlockingCallError(f"{name} has no {missing[0]}(): await the asynchronous methods")
        if not self.local:
            refuse_on_event_loop(name)
        twin = AdaptedManager(self.wrapped, blocking=True, owners=self._owners, seen=self._seen)
        try:
            call(twin).send(None)
        except StopIteration as end:
            result: T = end.value
            return result
        raise AssertionError(f"{name}: a synchronous method waited")
