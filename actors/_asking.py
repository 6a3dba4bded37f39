"""Asking: sending a message and waiting for its reply, with everything that can come in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from actors._current import running
from actors._errors import AskTimeout, ReplyTypeError
from actors._interrupt import asker_gone
from actors._run import ASK, SETTLED, Run
from actors._sending import new_run, put, refuse_mail, send, takes_mail
from actors._statistics import doing
from actors._waiting import begin_wait, end_wait

if TYPE_CHECKING:
    from actors._cell import Cell


async def ask(
    cell: Cell,
    message: Any,
    *,
    timeout: float | None,
    run_id: str | None,
    detach: bool,
    expect: type[Any] | None,
) -> Any:
    """See :meth:`ActorRef.ask`."""
    asker = running()
    if asker is not None and asker.request is not None:
        await anyio.lowlevel.checkpoint_if_cancelled()  # an interrupted run starts nothing new
    run: Run[Any, Any] = new_run(cell, message, ASK, run_id)
    run.detached = detach
    if cell.ending is not None and not takes_mail(cell):
        refuse_mail(cell, run)
    try:
        if timeout is None and asker is None and not cell.queue.full:  # nothing to wait for but the reply
            run.asker = waiter = cell.system.new_waiter()
            put(cell, run)
            await waiter
        elif timeout is None:
            await _exchange(cell, run, asker)
        else:
            with anyio.move_on_after(timeout):
                await _exchange(cell, run, asker)
    except BaseException:
        asker_gone(run, asker, "asker_gone")
        raise
    try:
        if run.phase is not SETTLED:
            assert timeout is not None
            raise _timed_out(cell, run, asker, timeout)
        reply = run.result()
    finally:
        del run
    if expect is not None and not isinstance(reply, expect):
        error = ReplyTypeError(
            f"{cell.path} replied with a {type(reply).__qualname__}, and a {expect.__qualname__} was expected",
            ref=cell.ref,
        )
        error.reply = reply
        raise error
    return reply


async def _exchange(cell: Cell, run: Run[Any, Any], asker: Run[Any, Any] | None) -> None:
    """Send, and wait until the run is settled."""
    if asker is None:
        await send(cell, run)
        await run.wait_unwatched()
        return
    begin_wait(asker, cell)
    try:
        await send(cell, run)
        await run.wait_unwatched()
    finally:
        end_wait(asker, cell)


def _timed_out(cell: Cell, run: Run[Any, Any], asker: Run[Any, Any] | None, timeout: float) -> AskTimeout:
    """Who, what, how long, how deep the mailbox was, and what the actor was doing."""
    busy_with = doing(cell) or "nothing"
    queued = len(cell.queue)
    who = f"{asker.cell.path} asked" if asker is not None else "an ask of"
    error = AskTimeout(
        f"{who} {cell.path} for a reply to a {type(run.message).__qualname__} and got none within {timeout} s; "
        f"{queued} messages were queued there, and it was busy with: {busy_with}",
        ref=cell.ref,
        run_id=run.known_id,
        message=run.message,
    )
    error.timeout, error.queued, error.doing = timeout, queued, busy_with
    asker_gone(run, asker, "deadline")
    return error
