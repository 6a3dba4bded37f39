"""A worker: a task that runs the steps of cells, one after the other. The one place that opens the scope of a reply.

A scope for each reply would cost as much as the rest of an ask, and a task and a task group for each reply six times that. A
worker runs one step at a time, so its scope *is* the scope of the reply that it runs. It keeps it for as many steps as do not
suspend, and leaves and enters it again after one that did, which is when a step has had the chance to break something. What a
step does to its task stays with that step: a worker whose task is not clean afterwards ends, and another goes on.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from actors._drive import Drive
from actors._fatal import errors_beside_cancellation, is_fatal, is_group
from actors._interrupt import GRACE
from actors._step import Ending

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from actors._cell import Cell
    from actors._executor import Executor
    from actors._waiter import Waiter

BUDGET = 64
"""Steps after which a worker lets the event loop turn. Without it a flooded actor holds the loop for seconds."""


class Worker:
    """One worker, and the hold (:class:`~actors._step.Lever`) on the step that it runs.

    Its two scopes lie one inside the other: an interrupt cancels the outer one, and when a step refuses to end, shielding the
    inner one stops the cancellation from being delivered over and over again.

    Args:
        executor: whose queue it serves.
    """

    __slots__ = (
        "_executor",
        "_inner",
        "_may_hear",
        "_outer",
        "_since",
        "_task",
        "_waiter",
        "_was_cut",
        "awake",
        "cell",
        "clean",
        "coroutine",
        "quiet",
        "thrown",
    )

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._outer = anyio.CancelScope()
        self._inner = anyio.CancelScope()
        self._task: asyncio.Task[Any] | None = None
        self._waiter: Waiter | None = None
        self.awake = False
        self.quiet = False
        self._may_hear = False
        self._since = 0.0  # when the step suspended, if it has
        self._was_cut = False  # the step before was cut; handle_interrupt follows
        self.clean = True  # nothing has happened to the task that could reach another step
        self.cell: Cell | None = None  # the cell that it serves now
        self.coroutine: Coroutine[Any, Any, Any] | None = None  # the step that has begun and not ended
        self.thrown: BaseException | None = None  # what came out of that step, if it was no plain exception

    # -- the hold on the step

    def suspended_since(self) -> float | None:
        return None if self.awake else self._since

    def cut(self) -> None:
        self._outer.cancel()

    def hush(self, *, quiet: bool) -> None:
        self.quiet = self._may_hear = quiet
        self._inner.shield = quiet

    def let_hear(self, *, hear: bool) -> None:
        if hear == self._inner.shield and self._may_hear:
            self._inner.shield = not hear
            self._may_hear = hear  # once between two reminders: what absorbs this one too is left in peace

    def wake(self) -> None:
        """There is something in the queue."""
        assert self._waiter is not None
        self._waiter.wake()

    # -- the task

    async def run(self) -> None:
        """Serve the queue until there are enough others, or this task is not clean any more."""
        try:
            self._task = asyncio.current_task()
        except RuntimeError:
            self._task = None  # trio: nothing but scopes can cancel a task there
        while self.clean and await self._serve_in_new_scopes():
            pass

    async def _serve_in_new_scopes(self) -> bool:
        """Serve until the outer scope is used up; False: there is nothing more to do."""
        raised: BaseException | None = None
        more = True
        self._outer = anyio.CancelScope()
        try:
            with self._outer:
                while more and self.clean and not self._outer.cancel_called:
                    self._inner = anyio.CancelScope()
                    self.quiet = False
                    with self._inner:
                        more = await self._serve()
                    if not self._outer.cancel_called:
                        self._inspect()
        except BaseException as error:  # noqa: BLE001 - judged below
            raised = error
        if self.coroutine is not None:
            self._judge(raised)
        elif raised is not None:
            raise raised
        self._inspect()
        return more

    async def _serve(self) -> bool:  # noqa: C901 - the hot path: one loop that can be read from top to bottom
        """Run steps until one has suspended; False: there is nothing more to do."""
        executor, ready = self._executor, self._executor.ready
        if self._was_cut:
            self._was_cut = False
            await executor.sentinel.let_host_unwind()
        budget = BUDGET
        while self.cell is not None or ready or await self._park():
            if self.cell is None:
                if not ready:
                    continue  # somebody else was quicker
                self.cell = ready.popleft()
            if not budget:
                await self._let_others_turn(self.cell)
                budget = BUDGET
                continue
            budget -= 1
            if executor.sentinel.alarmed():
                await anyio.lowlevel.checkpoint()  # raises here if the system is being cancelled
            cell = self.cell
            coroutine = cell.begin(self)
            if coroutine is None:
                self.cell = None
                executor.release(cell)
                continue
            self.coroutine = coroutine
            context = cell.context
            assert context is not None
            try:
                yielded = context.run(coroutine.send, None)
            except StopIteration as stop:
                self._finish(Ending.RETURNED, stop.value)
            except Exception as error:  # noqa: BLE001 - the asker's
                self._finish(Ending.RAISED, error)
            except BaseException as error:
                self.thrown = error
                raise
            else:
                await self._await_rest(cell, Drive(self, context, coroutine, yielded))
                return True
            if self._outer.cancel_called or (self._task is not None and self._task.cancelling()):
                return True
        return False

    async def _let_others_turn(self, cell: Cell) -> None:
        self.cell = None
        self._executor.ready.append(cell)
        await anyio.lowlevel.checkpoint()

    async def _await_rest(self, cell: Cell, rest: Drive) -> None:
        """The step has suspended: let somebody else serve the queue until it has ended."""
        self._since = cell.system.clock()
        limit = cell.time_limit
        if limit is not None:
            self._outer.deadline = anyio.current_time() + limit
            cell.system.watchdog.watch(cell, limit + GRACE)
        self._executor.asleep(self)
        try:
            value = await rest
        except Exception as error:  # noqa: BLE001 - the asker's
            self._executor.awoken(self)
            self._finish(Ending.RAISED, error)
        except BaseException as error:
            self._executor.awoken(self)
            self.thrown = error
            raise
        else:
            self._executor.awoken(self)
            self._finish(Ending.RETURNED, value)
        if limit is not None:
            self._outer.deadline = math.inf

    async def _park(self) -> bool:
        self._waiter = self._executor.new_waiter()
        if not self._executor.park(self):
            return False
        await self._waiter
        return True

    # -- endings

    def _judge(self, raised: BaseException | None) -> None:
        """A step has ended in a cancellation, or worse. Decide by what came out of the scopes."""
        thrown, self.thrown = self.thrown, None
        broken = raised is not None and raised is not thrown and not is_group(raised)
        if broken:
            self.clean = False  # the step left a scope of its own open; ours could not be left in order
            raised = thrown
        if raised is None or (broken and self._outer.cancel_called):
            self._was_cut = True
            self._finish(Ending.CUT)
        elif isinstance(raised, Exception):
            self._finish(Ending.RAISED, raised)
        elif is_fatal(raised) or self._system_cancelled(broken=broken):
            self._finish(Ending.ABORTED, raised)
            raise raised
        else:
            self.clean = False
            errors = errors_beside_cancellation(raised)
            self._finish(Ending.STRAY, raised) if errors is None else self._finish(Ending.RAISED, errors)

    def _system_cancelled(self, *, broken: bool) -> bool:
        if broken:
            return self._executor.sentinel.alarmed()
        return anyio.current_effective_deadline() == -math.inf

    def _finish(self, ending: Ending, value: Any = None) -> None:
        self.coroutine = None
        cell = self.cell
        assert cell is not None
        cell.system.watchdog.step_ended()
        if cell.lever is self:
            cell.finish(ending, value)
        else:
            self.cell = None  # the cell was cut off from this step, and is somewhere else by now

    def _inspect(self) -> None:
        """Is the task as it was before the step?"""
        if self._task is not None and self._task.cancelling():
            self.clean = False
