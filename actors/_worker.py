"""A worker: a task that runs the steps of cells, one after the other. The one place that opens the scope of a reply.

A scope for each reply would cost as much as the rest of an ask, and a task and a task group for each reply six times that. A
worker runs one step at a time, so its scope *is* the scope of the reply that it runs. It keeps it for as many steps as do not
suspend, and leaves and enters it again after one that did, which is when a step has had the chance to break something. What a
step does to its task stays with that step: a worker whose task is not clean afterwards ends, and another goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from actors._drive import drive
from actors._fatal import errors_beside_cancellation, is_fatal, is_group
from actors._interrupt import GRACE
from actors._nameless import cancel_namelessly
from actors._step import REPLY, RETURNED, Ending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from actors._cell import Cell
    from actors._executor import Executor

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
        "_cut",
        "_executor",
        "_inner",
        "_may_hear",
        "_outer",
        "_rest",
        "_task",
        "_wanted",
        "_was_cut",
        "awake",
        "cell",
        "clean",
        "coroutine",
        "quiet",
        "thrown",
        "waiter",
    )

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._outer = executor.new_scope()
        self._inner = executor.new_scope()
        self._task: asyncio.Task[Any] | None = None
        self._wanted = True  # there are not enough others
        self._rest: Awaitable[Any] | None = None  # of a step that has suspended
        self.waiter = executor.new_waiter()  # ended when there is something in the queue again
        self._cut = False  # the outer scope is cancelled; quicker to ask than the scope
        self.awake = False
        self.quiet = False
        self._may_hear = False
        self._was_cut = False  # the step before was cut; handle_interrupt follows
        self.clean = True  # nothing has happened to the task that could reach another step
        self.cell: Cell | None = None  # the cell that it serves now
        self.coroutine: Coroutine[Any, Any, Any] | None = None  # the step that has begun and not ended
        self.thrown: BaseException | None = None  # what came out of that step, if it was no plain exception

    # -- the hold on the step

    def cut(self) -> None:
        self._cut = True
        cancel_namelessly(self._outer, self._task)

    def hush(self, *, quiet: bool) -> None:
        self.quiet = self._may_hear = quiet
        self._inner.shield = quiet

    def let_hear(self, *, hear: bool) -> None:
        if hear == self._inner.shield and self._may_hear:
            self._inner.shield = not hear
            self._may_hear = hear  # once between two reminders: what absorbs this one too is left in peace

    # -- the task

    async def run(self) -> None:  # noqa: C901, PLR0912 - in one piece: each coroutine in between costs each wake-up 0.1 µs
        """Serve the queue until there are enough others, or this task is not clean any more."""
        with contextlib.suppress(RuntimeError):  # trio: nothing but scopes can cancel a task there
            self._task = asyncio.current_task()
        while self._goes_on():
            raised: BaseException | None = None
            self._outer = self._executor.new_scope()
            self._cut = False
            try:
                with self._outer:
                    while self._goes_on() and not self._outer.cancel_called:
                        self._inner = self._executor.new_scope()
                        self.quiet = False
                        with self._inner:
                            if self._was_cut and self._executor.sentinel.host_cancelled():
                                await self._executor.sentinel.let_host_unwind()
                            self._was_cut = False
                            while (pause := self._serve()) is not None:
                                await pause
                            if self._rest is not None:
                                limited = self._let_others_serve()
                                try:
                                    ending, value = RETURNED, await self._rest
                                except Exception as error:  # noqa: BLE001 - the asker's
                                    ending, value = Ending.RAISED, error
                                except BaseException as error:
                                    self.thrown = error
                                    raise
                                finally:
                                    self._rest = None
                                    self._executor.awoken(self)
                                self._finish(ending, value)
                                del value  # this task may stay for long
                                if limited:
                                    self._outer.deadline = math.inf
                        if not self._cut:
                            self._inspect()
            except BaseException as error:  # noqa: BLE001 - judged below
                raised = error
            if self.coroutine is not None:
                self._judge(raised)
            elif raised is not None:
                raise raised
            self._inspect()

    def _goes_on(self) -> bool:
        return self._wanted and self.clean

    def _serve(self) -> Awaitable[object] | None:  # noqa: C901, PLR0912 - the hot path: one loop to be read from top to bottom
        """Run steps until one has suspended (it is in ``_rest`` then), or there is something to wait for first.

        Returns:
            What to await before serving on; None to leave the scopes: for the rest of a step, or for good.
        """
        executor, ready, task = self._executor, self._executor.ready, self._task
        sentinel = executor.sentinel
        budget = BUDGET
        while True:
            if (cell := self.cell) is None:
                if not ready:
                    self.waiter = executor.new_waiter()
                    self._wanted = executor.park(self)
                    return self.waiter if self._wanted else None
                if not budget:
                    return anyio.lowlevel.checkpoint()  # before the next is taken: none goes back that was not served
                cell = self.cell = ready.popleft()
            if sentinel.wait.cancelled():
                return anyio.lowlevel.checkpoint()  # raises there if the system is being cancelled
            if not budget:
                self.cell = None
                ready.append(cell)
                return anyio.lowlevel.checkpoint()  # others have a turn
            budget -= 1
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
                more = self._finish(RETURNED, stop.value)
            except Exception as error:  # noqa: BLE001 - the asker's
                more = self._finish(Ending.RAISED, error)
            except BaseException as error:
                self.thrown = error
                raise
            else:
                self._rest = drive(self, context, coroutine, yielded)
                return None
            if not more:
                self.cell = None
                executor.release(cell)
            if self._cut or (task is not None and task.cancelling()):
                return None

    def _let_others_serve(self) -> bool:
        """The step has suspended: until it has ended, somebody else serves the queue. Whether its time is limited."""
        self._executor.asleep(self)
        cell = self.cell
        assert cell is not None
        if cell.step is REPLY or (limit := cell.time_limit) is None:
            return False
        self._outer.deadline = anyio.current_time() + limit
        cell.system.watchdog.watch(cell, limit + GRACE)
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

    def _finish(self, ending: Ending, value: Any = None) -> bool:
        """The step has ended. False: its cell has nothing more to do."""
        self.coroutine = None
        cell = self.cell
        assert cell is not None
        if cell.system.watchdog.watched:
            cell.system.watchdog.step_ended()
        if cell.lever is self:
            return cell.finish(ending, value)
        self.cell = None  # the cell was cut off from this step, and is somewhere else by now
        return True

    def _inspect(self) -> None:
        """Is the task as it was before the step?"""
        if self._task is not None and self._task.cancelling():
            self.clean = False
