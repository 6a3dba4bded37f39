"""Who waits for whom: a wait that would close a circle is refused at once instead of hanging.

An actor handles one message at a time, so it waits for every actor whose reply its current run awaits (an ``ask``, an
``await run``) or in whose full mailbox it waits for room. The graph needs no store of its own: each run knows what it waits
for, each actor knows its current run.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from actors._current import hook_of_caller, running
from actors._errors import AskCycleError

if TYPE_CHECKING:
    from collections.abc import Generator

    from actors._cell import Cell
    from actors._run import Run


def path_between(start: Cell, goal: Cell) -> list[Cell] | None:
    """The actors through which ``start`` waits for ``goal``, both included; None if it does not wait for it."""
    if start is goal:
        return [start]
    came_from: dict[int, Cell | None] = {id(start): None}
    to_visit = [start]
    while to_visit:
        cell = to_visit.pop()
        run = cell.current
        awaited = (run.waits_for or []) if run is not None else []
        if cell.ending is not None:
            awaited = [*awaited, *(cell.children or {}).values()]  # its end waits for theirs
        for target in awaited:
            if id(target) in came_from:
                continue
            came_from[id(target)] = cell
            if target is goal:
                path = [target]
                while (previous := came_from[id(path[-1])]) is not None:
                    path.append(previous)
                return path[::-1]
            to_visit.append(target)
    return None


def begin_wait(asker: Run[Any, Any], target: Cell) -> None:
    """The asker's run is about to wait for ``target``.

    Raises:
        AskCycleError: if ``target`` waits, through whomever, for the asker's actor.
    """
    circle = path_between(target, asker.cell)
    if circle is not None:
        raise cycle_error(target, (asker.cell.path, *(cell.path for cell in circle)))
    if asker.waits_for is None:
        asker.waits_for = [target]
    else:
        asker.waits_for.append(target)


def cycle_error(target: Cell, paths: tuple[str, ...]) -> AskCycleError:
    """The error that names the circle."""
    error = AskCycleError(
        f"{paths[0]} would wait for itself: {' -> '.join(paths)}. Use tell, or request without waiting for the reply, "
        f"or let a third actor ask",
        ref=target.ref,
    )
    error.cycle = paths
    return error


def end_wait(asker: Run[Any, Any], target: Cell) -> None:
    """The wait is over, however it ended."""
    if asker.waits_for is not None:
        asker.waits_for.remove(target)


def waits_for_itself(cell: Cell, *, for_its_end: bool = False) -> bool:
    """Whether the calling code would wait for itself if it waited for this actor.

    Args:
        cell: the actor.
        for_its_end: it would wait for the actor's end, which waits for the ends of all that is below it.
    """
    hook = hook_of_caller()
    if hook is not None:
        return hook is cell or (for_its_end and _is_above(cell, hook))
    asker = running()
    if asker is None:
        return False
    return path_between(cell, asker.cell) is not None or (for_its_end and _is_above(cell, asker.cell))


@contextmanager
def waiting(cell: Cell) -> Generator[None]:
    """While the calling code waits for this actor, others see that it does. Ask ``waits_for_itself`` before."""
    asker = running()
    if asker is None or path_between(cell, asker.cell) is not None:
        yield
        return
    begin_wait(asker, cell)
    try:
        yield
    finally:
        end_wait(asker, cell)


def _is_above(cell: Cell, other: Cell | None) -> bool:
    while other is not None:
        if other is cell:
            return True
        other = other.parent
    return False
