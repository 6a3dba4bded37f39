"""``cancel``: store that a run shall end, and, if asked for, wait until it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from actors._cancellation._health import describe
from actors._command_line._exit import Exit
from actors._command_line._output import plain
from actors._errors import ManagerError

if TYPE_CHECKING:
    from actors._cancellation._intent import CancelIntent
    from actors._cancellation._manager import CancellationManager
    from actors._command_line._output import Output

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5


async def cancel_run(
    manager: CancellationManager,
    output: Output,
    *,
    run_id: str,
    reason: str,
    by: str | None,
    wait: bool,
    timeout: float | None,
) -> Exit:
    """Cancel a run. With ``wait`` it is not over before the run is, and at no time does it say more than is known.

    Args:
        manager: opened.
        output: for the answer.
        run_id: the run.
        reason: why.
        by: who asks.
        wait: until the run has ended, however it does; only of a run that is registered.
        timeout: seconds to wait at most.
    """
    began = anyio.current_time()
    with anyio.fail_after(manager.timeout):
        result = await manager.request_cancel(run_id, reason=reason, by=by)
    name = plain(run_id)
    outcome, ended = result.outcome, False
    if outcome == "stored":
        output.say(
            f"{name}: no such run is registered. The cancel is stored, and waits for it",
            run_id=run_id, outcome=outcome, ended=ended, waited=0.0,
        )  # fmt: skip
        return Exit.NO_SUCH_RUN
    if outcome == "finished":
        output.say(
            f"{name}: had ended before; nothing was stored", run_id=run_id, outcome=outcome, ended=True, waited=0.0
        )
        return Exit.FINISHED
    if outcome == "registered" and not wait:
        output.say(
            f"{name}: the cancel is stored, and its owner will be told",
            run_id=run_id,
            outcome=outcome,
            ended=ended,
            waited=0.0,
        )
        return Exit.DONE
    if outcome == "registered":
        assert result.intent is not None, "of a registered run"
        with anyio.move_on_after(timeout):
            ended = await _end_of(manager, result.intent)
            outcome = outcome if ended else "owner_gone"
    waited = anyio.current_time() - began
    fields = {"run_id": run_id, "outcome": outcome, "ended": ended, "waited": round(waited, 3)}
    if outcome == "owner_gone":
        output.say(f"{name}: its owner is gone; it does not run any more, and nobody has ended it in order", **fields)
        return Exit.OWNER_GONE
    if not ended:
        output.say(f"{name}: the cancel is stored, but the run has not ended within {waited:.1f} s", **fields)
        return Exit.STILL_RUNS
    output.say(f"{name}: has ended, {waited:.1f} s after the cancel", **fields)
    return Exit.DONE


async def _end_of(manager: CancellationManager, intent: CancelIntent) -> bool:
    """Wait for the end of a run that was told of an intent. False if it will not come, because the owner is gone."""
    pause = FIRST_PAUSE
    while True:
        try:
            with anyio.fail_after(manager.timeout):
                if not await _goes_on(manager, intent):
                    return True
                if intent.run_id not in await manager.aget_active_runs():
                    return not await _goes_on(manager, intent)  # it may have ended between the two questions
        except (ManagerError, TimeoutError) as error:
            text = f"the cancel is stored, but whether the run has ended cannot be seen: {describe(error)}"
            raise ManagerError(text) from error
        await anyio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


async def _goes_on(manager: CancellationManager, intent: CancelIntent) -> bool:
    """Whether the run with that intent is there: the intent goes with it, and a later run with its id has another one."""
    return (await manager.intents((intent.run_id,))).get(intent.run_id) == intent
