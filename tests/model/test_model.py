"""Whatever is done to a system, in whatever order, what the design promises is true after each step (promises 1, 2, 4, 8, 9, 11,
15, 17, 19), and at the end nothing is left.

A failing program of steps is printed as it can be put into ``REGRESSIONS``, with the seed: ``MODEL_SEED=... pytest tests/model``
tries the same again, ``MODEL_EXAMPLES=1000`` tries more.
"""

from __future__ import annotations

import asyncio
import os
import secrets

import anyio
import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from trio.testing import MockClock

from tests._virtual_time import VirtualTimeLoop
from tests.model import _programs as programs
from tests.model._programs import REGRESSIONS, world

SEED = int(os.environ.get("MODEL_SEED") or secrets.randbelow(2**32))
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "25"))

quick = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


class Machine(RuleBasedStateMachine):
    """Takes the steps one by one, on an event loop that stands still between two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.program = []
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        self.over = asyncio.Event()
        began = asyncio.get_running_loop().create_future()
        self.life = asyncio.create_task(self._live(began))
        self.world = await began

    async def _live(self, began) -> None:
        async with world() as made:
            began.set_result(made)
            await self.over.wait()

    async def _finish(self) -> None:
        self.over.set()
        await self.life

    def do(self, command) -> None:
        self.program.append(command)
        self.runner.run(self.world.do(command))

    @rule(command=programs.spawns)
    def spawn(self, command):
        self.do(command)

    @rule(command=programs.tells)
    def tell(self, command):
        self.do(command)

    @rule(command=programs.asks)
    def ask(self, command):
        self.do(command)

    @rule(command=programs.interrupts)
    def interrupt(self, command):
        self.do(command)

    @rule(command=programs.leaves)
    def asker_gone(self, command):
        self.do(command)

    @rule(command=programs.ends)
    def end(self, command):
        self.do(command)

    @rule(command=programs.watches)
    def watch(self, command):
        self.do(command)

    @rule(command=programs.advances)
    def advance(self, command):
        self.do(command)

    def teardown(self) -> None:
        note(f"MODEL_SEED={SEED}; {self.program!r}")
        try:
            self.runner.run(self._finish())
            self.world.check_end({})
        finally:
            self.runner.close()


def test_whatever_is_done_what_is_promised_is_true() -> None:
    run_state_machine_as_test(seed(SEED)(Machine), settings=quick)


def run_on(loop: str, program, settlements) -> None:
    trio_options = {"clock": MockClock(autojump_threshold=0)}
    options = trio_options if loop == "trio" else {"loop_factory": VirtualTimeLoop}
    settlements.clear()
    anyio.run(programs.run, program, settlements, backend=loop, backend_options=options)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_so_it_is_for_whole_programs_on_each_loop(loop, settlements) -> None:
    """And each request settles exactly once, from the first step to the end of the system (promise 8, R50)."""

    @seed(SEED)
    @quick
    @given(programs.programs)
    def holds(program):
        note(f"MODEL_SEED={SEED}; {program!r}")
        run_on(loop, program, settlements)

    holds()


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_is_kept_does_not_fail_again(loop, name, settlements) -> None:
    run_on(loop, REGRESSIONS[name], settlements)
