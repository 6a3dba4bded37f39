"""What an asynchronous test must not leave behind: tasks, timers, a cancellation, errors that nobody saw, runs, actors.

``Guard`` looks before and after a test, from inside its event loop; tests/conftest.py puts one around each asynchronous test.
"""

from __future__ import annotations

import asyncio
import gc
import math
import sys
import weakref
from typing import TYPE_CHECKING, Any

import attrs
import trio
from _pytest.outcomes import OutcomeException

from actors import Actor, ActorSystem
from tests._support import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

KINDS = ("tasks", "timers", "cancelling", "errors", "systems", "actors")


def on_trio() -> bool:
    return trio.lowlevel.in_trio_run()


def tasks() -> set[Any]:
    """The tasks of this event loop, without the one that the test runner makes for each call into the loop."""
    if not on_trio():
        return {task for task in asyncio.all_tasks() if "_call_in_runner_task" not in repr(task.get_coro())}
    found, to_visit = set(), [trio.lowlevel.current_root_task()]
    while to_visit:
        task = to_visit.pop()
        if task is not None:
            found.add(task)
            to_visit.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)
    return found


def timers() -> list[str]:
    """The timers that are set; uvloop does not show its own."""
    if on_trio():
        due = trio.lowlevel.current_statistics().seconds_to_next_deadline
        return [] if due == math.inf else [f"a deadline in {due:.3f} s"]
    handles = getattr(asyncio.get_running_loop(), "_scheduled", ())
    return [repr(handle) for handle in handles if not handle.cancelled()]


def cancelling() -> int:
    """How many native cancellations of this task are not taken back."""
    task = None if on_trio() else asyncio.current_task()
    return 0 if task is None else task.cancelling()


def left_in(system: ActorSystem) -> Iterator[str]:
    """What a system that should be closed still has."""
    if system.is_open:
        yield f"the system {system.name!r} is still open"
    for run in list(system.runs._by_id.values()):
        yield f"{run!r} is still live"
    for cell in system.roots.values():
        yield f"{cell.path} is still alive"


@attrs.define(eq=False)
class Guard:
    """Looks at the start and the end of a test; ``begin`` and ``leaks`` are called in the test's task."""

    _tasks: set[Any] = attrs.field(factory=set)
    _timers: list[str] = attrs.field(factory=list)
    _cancelling: int = 0
    _errors: list[str] = attrs.field(factory=list)
    _systems: list[ActorSystem] = attrs.field(factory=list)
    _actors: list[weakref.ref[Any]] = attrs.field(factory=list)
    _hooks: tuple[Any, Any] = (None, None)

    def begin(self) -> None:
        self._tasks, self._timers, self._cancelling = tasks(), timers(), cancelling()
        loop = None if on_trio() else asyncio.get_running_loop()
        self._hooks = (sys.unraisablehook, loop.get_exception_handler() if loop is not None else None)
        sys.unraisablehook = self._unraisable
        if loop is not None:
            loop.set_exception_handler(self._unhandled)

    def end(self) -> None:
        sys.unraisablehook, handler = self._hooks
        if not on_trio():
            asyncio.get_running_loop().set_exception_handler(handler)

    def new_system(self, *args: Any, **options: Any) -> ActorSystem:
        """A system of which, after the test, nothing may be left."""
        system = WatchedSystem(self, *args, **options)
        self._systems.append(system)
        return system

    def watch(self, actor: object) -> None:
        """This actor has to be freed."""
        self._actors.append(weakref.ref(actor))

    def leaks(self) -> Iterator[tuple[str, str]]:
        """The kind and the description of each thing that is left."""
        for task in tasks() - self._tasks:
            yield "tasks", repr(task)
        for timer in timers():
            if timer not in self._timers:
                yield "timers", timer
        if cancelling() != self._cancelling:
            yield "cancelling", f"the test's task has cancelling() == {cancelling()}, it began with {self._cancelling}"
        for system in self._systems:
            yield from (("systems", what) for what in left_in(system))
        gc.collect()
        for actor in self._actors:
            if (left := actor()) is not None:
                gc.unfreeze()  # get_referrers does not look at what tests/conftest.py has frozen
                holders = ", ".join(type(holder).__qualname__ for holder in gc.get_referrers(left))
                yield "actors", f"a {type(left).__qualname__} is held by: {holders}"
        for error in self._errors:
            yield "errors", error

    def _unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        self._errors.append(f"{unraisable.err_msg or 'unraisable'}: {unraisable.exc_value!r} in {unraisable.object!r}")

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._errors.append(f"{context.get('message')}: {context.get('exception')!r}")


class WatchedSystem(ActorSystem):
    """A system that tells a guard of its actors."""

    def __init__(self, guard: Guard, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard = guard

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if isinstance(error, (AssertionError, OutcomeException, TimeoutError)):
            Gate.open_all()  # the test has failed: it need not hang as well
        return await super().__aexit__(kind, error, traceback)

    async def spawn_below(self, parent: Any, actor: Any, **options: Any) -> Any:
        if isinstance(actor, Actor):
            self._guard.watch(actor)
            return await super().spawn_below(parent, actor, **options)
        if not callable(actor):
            return await super().spawn_below(parent, actor, **options)

        def watched_factory() -> Any:
            made = actor()
            if isinstance(made, Actor):
                self._guard.watch(made)
            return made

        return await super().spawn_below(parent, watched_factory, **options)
