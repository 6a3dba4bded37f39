"""What comes between two steps of one run: it is looked at when the next step begins."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from actors import Actor
from actors._run import Phase


class Registers:
    """A manager as one written for agno may be: asynchronous, and never really waiting."""

    def __init__(self):
        self.runs = {}

    async def aregister_run(self, run_id):
        self.runs.setdefault(run_id, False)

    async def acancel_run(self, run_id):
        known = run_id in self.runs
        self.runs[run_id] = True
        return known

    async def ais_cancelled(self, run_id):
        return self.runs.get(run_id, False)

    async def araise_if_cancelled(self, run_id):
        pass

    async def acleanup_run(self, run_id):
        self.runs.pop(run_id, None)

    async def aget_active_runs(self):
        return dict(self.runs)

    def register_run(self, run_id):
        self.runs.setdefault(run_id, False)

    def cancel_run(self, run_id):
        return self.runs.get(run_id) is not None

    def is_cancelled(self, run_id):
        return self.runs.get(run_id, False)

    def raise_if_cancelled(self, run_id):
        pass

    def cleanup_run(self, run_id):
        self.runs.pop(run_id, None)

    def get_active_runs(self):
        return dict(self.runs)


class Echo(Actor[int, object]):
    async def reply(self, message, /):
        return message

    async def handle_interrupt(self, message, interruption, /):
        return (message, interruption.started)


async def test_an_interrupt_between_registration_and_reply_is_not_lost(system):
    """Promise 2, promise 4: the worker lets others turn between the two steps, and somebody interrupts just then."""
    ref = await system.spawn(Echo(), cancellation=Registers())
    runs = [await ref.request(number, run_id=f"run-{number}") for number in range(400)]
    caught = []
    with anyio.fail_after(10):
        while not all(run.settled for run in runs):
            for number, run in enumerate(runs):
                if run.phase is Phase.REGISTERING and run.cell.next_step is not None and run.request is None:
                    assert ref.interrupt_nowait("now", run_id=run.id)
                    caught.append(number)
            await anyio.lowlevel.checkpoint()
    assert caught
    for number, run in enumerate(runs):
        assert await run == ((number, False) if number in caught else number)
