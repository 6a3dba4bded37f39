"""What a cancellation manager promises when its calls are cut short, and when many come at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint

from actors.testing._bench import PATIENCE, must, same

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from actors.testing._bench import Bench, Clause, Feature

TURNS = (0, 1, 2, 4, 8)
"""Of the event loop, after which a call is cut."""
AT_ONCE = 50


async def a_cancellation_in_the_middle_of_an_operation_leaves_the_manager_usable(bench: Bench) -> None:
    manager = bench.first
    operations: dict[str, Callable[[str], Coroutine[Any, Any, object]]] = {
        "enroll()": lambda run: manager.enroll(run, owner="me"),
        "request_cancel()": lambda run: manager.request_cancel(run, reason="why"),
        "intents()": lambda run: manager.intents([run]),
        "renew()": lambda run: manager.renew([run], owner="me"),
        "aget_active_runs()": lambda _: manager.aget_active_runs(),
        "acleanup_run()": lambda run: manager.acleanup_run(run, owner="me"),
    }
    for name, operation in operations.items():
        for turns in TURNS:
            async with anyio.create_task_group() as group:
                group.start_soon(operation, bench.run_id())
                for _ in range(turns):
                    await checkpoint()
                group.cancel_scope.cancel()
            with anyio.move_on_after(PATIENCE) as time_out:
                await _work(bench, f"after {name} was cancelled")
            must(not time_out.cancelled_caught, f"nothing is answered any more after {name} was cancelled")


async def _work(bench: Bench, after: str) -> None:
    """A run from its beginning to its end."""
    manager, run = bench.first, bench.run_id()
    same(await manager.enroll(run, owner="me"), None, f"enroll() {after}")
    same((await manager.request_cancel(run, reason=run)).outcome, "registered", f"the outcome of a cancel {after}")
    intents = await manager.intents([run])
    same(list(intents), [run], f"the runs in intents() {after}")
    if "reasons" in bench.has:
        same(intents[run].reason, run, f"the reason in intents() {after}")
    await manager.acleanup_run(run, owner="me")
    must(run not in await manager.aget_active_runs(), f"acleanup_run() did nothing {after}")


async def of_many_operations_at_once_each_gets_its_own_answer(bench: Bench) -> None:
    runs = [bench.run_id() for _ in range(AT_ONCE)]
    outcomes: dict[str, str] = {}

    async def cancel(run: str) -> None:
        outcomes[run] = (await bench.second.request_cancel(run, reason=run)).outcome

    async with anyio.create_task_group() as group:
        for run in runs:
            group.start_soon(bench.first.aregister_run, run)
    async with anyio.create_task_group() as group:
        for run in runs[::2]:
            group.start_soon(cancel, run)
    same(outcomes, dict.fromkeys(runs[::2], "registered"), "the outcomes of many cancels at once")
    intents = await bench.first.intents(runs)
    same(sorted(intents), sorted(runs[::2]), "the runs in intents() after many cancels at once")
    if "reasons" in bench.has:
        same({run: intent.reason for run, intent in intents.items()}, {run: run for run in runs[::2]}, "their reasons")
    active = await bench.second.aget_active_runs()
    same(
        {run: active.get(run) for run in runs},
        {run: number % 2 == 0 for number, run in enumerate(runs)},
        "aget_active_runs() after many cancels at once",
    )


CUT_CLAUSES: tuple[tuple[Clause, tuple[Feature, ...]], ...] = (
    (a_cancellation_in_the_middle_of_an_operation_leaves_the_manager_usable, ()),
    (of_many_operations_at_once_each_gets_its_own_answer, ()),
)
"""Each with the features without which it says nothing."""
