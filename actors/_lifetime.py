"""The life of a system: how it opens, drains, stops, and makes sure that nothing is left."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import anyio

from actors import _ending
from actors._background import Background
from actors._errors import ActorStopped
from actors._fatal import is_fatal
from actors._hanging import HangingReport
from actors._interrupt import GRACE, interrupt_run
from actors._left_queued import report_left
from actors._logging import get_logger
from actors._reply import coroutine_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from actors._cell import Cell
    from actors._system import ActorSystem

logger = get_logger("actors.system")


@asynccontextmanager
async def lifetime(system: ActorSystem) -> AsyncGenerator[None]:
    """Open the system for the block; see :class:`ActorSystem` for how it ends."""
    failure: Exception | None = None
    cancelled_natively = False
    report = HangingReport(system)
    try:
        async with anyio.create_task_group() as services:
            system.background = Background(services, system.context)
            system.background.start(system.timetable.run, "timetable", again=True)
            try:
                async with anyio.create_task_group() as workers:
                    system.end_with(workers.cancel_scope)
                    Background(workers, system.context).start(system.executor.sentinel.run, "sentinel", again=True)
                    system.executor.open(workers)
                    system.is_open = True
                    try:
                        yield
                        report.begin()
                        await _end_in_order(system)
                    except Exception as error:  # noqa: BLE001 - raised below, out of our groups, as it is
                        failure = error
                    finally:
                        cancelled_natively = workers.cancel_scope.cancel_called
                        _close(system)
                        report.begin()
                        workers.cancel_scope.cancel()
                        await system.commits.ended()
            finally:
                with anyio.CancelScope(shield=True):
                    await _clean_up(system)
                system.timetable.close()
                system.dead_letters.summarise()
                report.end()
                services.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _alone(group) from None
    if failure is not None:
        raise failure
    if system.failure is not None:
        raise system.failure
    if cancelled_natively:
        raise ActorStopped(
            f"the tasks of the system {system.name!r} were cancelled natively, one by one, which ends it: cancel the block "
            f"around it instead"
        )


def _alone(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """A Ctrl-C or an exit out of a reply leaves the system as itself, not wrapped in our groups."""
    if len(group.exceptions) != 1:
        return group
    inner = group.exceptions[0]
    if isinstance(inner, BaseExceptionGroup):
        return _alone(cast("BaseExceptionGroup[BaseException]", inner))
    return inner if is_fatal(inner) else group


async def _end_in_order(system: ActorSystem) -> None:
    """Let everything that is queued or running end by itself, for a while, without timers; then stop all actors."""
    _end_timers(system)
    system.commits.limit(anyio.current_time() + system.drain_timeout)
    with anyio.move_on_after(system.drain_timeout) as scope:
        await _drained(system)
    report_left(system, _all(system.roots))
    if scope.cancelled_caught:
        for cell in list(_all(system.roots)):
            logger.info("system.drain_timeout", system=system.name, actor=cell.path, queued=len(cell.queue))
            _ending.refuse_all(cell)
            if cell.current is not None:
                interrupt_run(cell.current, reason="the system is closing")
    while system.roots:  # children before parents, in reverse start order
        cell = next(reversed(system.roots.values()))
        _ending.begin_end(cell, _ending.End.STOP)
        await _ending.join(cell)


async def _drained(system: ActorSystem) -> None:
    """Wait until no actor has anything to do, and none that is being restarted has messages waiting."""
    while True:
        await system.executor.quiet()
        busy = next((restarts for restarts in system.rounds if restarts.has_mail), None)
        if busy is None:
            return
        await busy.ended()


def _end_timers(system: ActorSystem) -> None:
    system.takes_timers = False
    for cell in _all(system.roots):
        _ending.cancel_timers(cell)


def _close(system: ActorSystem) -> None:
    """Nothing new begins; what still runs, after a sudden end, is about to be cut."""
    system.is_open = False
    for restarts in tuple(system.rounds):
        restarts.cancel()
    _end_timers(system)
    system.executor.close()
    system.commits.limit(anyio.current_time() + system.drain_timeout)
    for cell in system.executor.running():
        system.watchdog.watch(cell, GRACE)


async def _clean_up(system: ActorSystem) -> None:
    """No reply runs any more. Let commits finish, stop the actors that a sudden end has left, close the managers."""
    report_left(system, _all(system.roots))
    for cell in _all(system.roots):
        if cell.ending is None or cell.ending is _ending.End.RESTART:
            cell.ending = _ending.End.STOP  # it takes no more messages
    try:
        with anyio.move_on_after(system.drain_timeout):
            await system.commits.ended()
            for cell in list(_all(system.roots)):
                await _stop_here(cell)
    finally:
        for cell in list(_all(system.roots)):
            _ending.die(cell)
        system.event_stream.close()
    await system.managers.aclose()


async def _stop_here(cell: Cell) -> None:
    """Run ``on_stop`` of an actor whose workers are gone."""
    if (
        cell.actor is not None
        and not cell.starting
        and not cell.stop_begun
        and not (cell.ending is not None and cell.ending.kills)
    ):
        cell.stop_begun = True
        try:
            await coroutine_of(cell.actor.on_stop(), cell.actor, "on_stop")
        except Exception as error:
            logger.error("on_stop.failed", actor=cell.path, exc_info=error)
    _ending.die(cell)


def _all(cells: dict[str, Cell]) -> Iterator[Cell]:
    """Children before parents, in reverse start order."""
    order: list[Cell] = []
    to_visit = list(reversed(cells.values()))
    while to_visit:  # a list and no recursion: a tree may be deeper than functions may call each other
        cell = to_visit.pop()
        order.append(cell)
        to_visit.extend(reversed((cell.children or {}).values()))
    return reversed(order)
