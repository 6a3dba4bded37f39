"""Writes that finish although their run is cut.

anyio scopes are level-triggered: inside a cancelled one every further await is cancelled, so ``finally: await save()`` loses the
save. A commit runs in a task of its own, and the caller waits for it behind a shield; a native cancellation, which no shield
stops, is remembered and raised afterwards.
"""

from __future__ import annotations

import math
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from actors._current import committing
from actors._outcomes import stopped_error
from actors._waiter import wake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors._cell import Cell
    from actors._waiter import Waiter

T = TypeVar("T")


async def commit(cell: Cell, function: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> T:
    """See :meth:`ActorContext.commit`."""
    write = _Write(cell, function, args)
    native: BaseException | None = None
    with anyio.CancelScope(shield=True):
        while not write.over:
            write.waiter = cell.system.new_waiter()
            try:
                await write.waiter
            except BaseException as error:  # noqa: BLE001 - a native cancellation, raised again below
                native = error
    if native is not None:
        raise native from write.error  # the cancellation goes on; a write that failed is its cause
    if write.error is not None:
        raise write.error
    value: T = write.value
    return value


class Commits:
    """The commits of one system that are under way.

    Args:
        new_waiter: makes waiters for the system's event loop.
    """

    def __init__(self, new_waiter: Callable[[], Waiter]) -> None:
        self._new_waiter = new_waiter
        self._scopes: set[anyio.CancelScope] = set()
        self._deadline = math.inf
        self._waiter: Waiter | None = None

    def begin(self) -> anyio.CancelScope:
        """One begins: its scope."""
        scope = anyio.CancelScope(shield=True, deadline=self._deadline)
        self._scopes.add(scope)
        return scope

    def end(self, scope: anyio.CancelScope) -> None:
        """One has ended."""
        self._scopes.discard(scope)
        if not self._scopes and self._waiter is not None:
            wake(self._waiter)

    def limit(self, deadline: float) -> None:
        """None goes on after this time of the event loop's clock. The first limit stays."""
        self._deadline = min(self._deadline, deadline)
        for scope in self._scopes:
            scope.deadline = self._deadline

    async def ended(self) -> None:
        """Wait until none is under way. A native cancellation of this wait (a second Ctrl-C) cuts them all."""
        with anyio.CancelScope(shield=True):
            try:
                while self._scopes:
                    self._waiter = self._new_waiter()
                    await self._waiter
            except BaseException:
                self.limit(-math.inf)
                raise


class _Write:
    """One commit under way. It is over when its task has ended, in whatever way."""

    def __init__(self, cell: Cell, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        self._cell = cell
        self._function = function
        self._args = args
        self._scope = cell.system.commits.begin()
        self.over = False
        self.value: Any = None
        self.error: BaseException | None = stopped_error(cell)  # unless it gets to its end
        self.waiter: Waiter | None = None
        if cell.commits is None:
            cell.commits = []
        cell.commits.append(self._scope)
        context = copy_context()
        context.run(committing.set, True)  # noqa: FBT003 - ContextVar.set takes no keyword
        cell.system.background.start(self._run, "commit", context=context, after=self._after)

    async def _run(self) -> None:
        try:
            with self._scope:
                self.value = await self._function(*self._args)
                self.error = None
        except Exception as error:  # noqa: BLE001 - the caller's to raise
            self.error = error

    def _after(self) -> None:
        self.over = True
        if self._cell.commits is not None:
            self._cell.commits.remove(self._scope)
        self._cell.system.commits.end(self._scope)
        if self.waiter is not None:
            wake(self.waiter)
