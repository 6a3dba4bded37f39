"""Ctrl-C, and exceptions that mean the end of the program, while a reply is interrupted: before, in the same tick, and after.

To the replies a SIGINT looks like any cancellation of what hosts the system; `anyio.run` raises KeyboardInterrupt. None of it is
ever converted. (R1, P5; truth table, third part.) These tests run event loops of their own.
"""

import asyncio
import signal
from functools import partial

import anyio
import anyio.lowlevel
import pytest

from actors import ActorStopped, ActorSystem
from tests.conftest import LOOPS
from tests.truth_table._layers import CUT_EARLIER, CUT_FIRST, INTERRUPT_FIRST, WHILE_HANDLING
from tests.truth_table._replies import Scripted, turns

# Not the fixture `anyio_backend`: with it an event loop would be running already.
every_loop = pytest.mark.parametrize("loop", LOOPS)
every_loop_of_asyncio = pytest.mark.parametrize("loop", [loop for loop in LOOPS if loop.id != "trio"])


@pytest.fixture(autouse=True)
def sigint_as_in_a_terminal():
    """A shell starts what it runs in the background with SIGINT ignored, which is inherited."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run_on(loop, main):
    backend, options = loop
    return anyio.run(main, backend=backend, backend_options=options)


def alone(error):
    """The one exception in what may be a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    return error


async def script(actor):
    actor.about_to_wait()
    await anyio.sleep_forever()


class Program:
    """A program whose system has a reply that waits; then something happens in the system's block."""

    def __init__(self, what_happens):
        self.what_happens = what_happens
        self.actor = None
        self.ref = None
        self.handling = None

    async def _hold(self):
        self.handling.set()
        await anyio.sleep_forever()

    def interrupt(self):
        self.ref.interrupt_nowait("stop", by="anna")

    async def main(self):
        self.actor, self.handling = Scripted(), anyio.Event()
        self.actor.before_answering = self._hold
        with anyio.fail_after(10):
            async with ActorSystem() as system:
                self.ref = await system.spawn(self.actor)
                await self.ref.request(script)
                await self.actor.waiting.wait()
                await turns(5)
                await self.what_happens(self)
                await anyio.sleep_forever()


async def ctrl_c(order, program):
    if order in {INTERRUPT_FIRST, WHILE_HANDLING}:
        program.interrupt()
    if order == WHILE_HANDLING:
        await program.handling.wait()
    try:
        signal.raise_signal(signal.SIGINT)  # on trio it is raised right here
        if order == CUT_EARLIER:
            await anyio.lowlevel.checkpoint()
    finally:
        if order in {CUT_FIRST, CUT_EARLIER}:
            program.interrupt()


@every_loop
@pytest.mark.parametrize("order", [None, CUT_EARLIER, CUT_FIRST, INTERRUPT_FIRST, WHILE_HANDLING])
def test_a_sigint_ends_the_system_and_the_program_and_the_interrupt_is_not_handled(loop, order, reached):
    """R1, P5; row KeyboardInterrupt: SIGINT: looks like an outer scope's cancel to replies; `run()` raises KeyboardInterrupt."""
    program = Program(partial(ctrl_c, order))
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - looked at below
        run_on(loop, program.main)
    assert type(alone(caught.value)) is KeyboardInterrupt
    assert len(program.actor.handled) == (order == WHILE_HANDLING)
    run = program.actor.run
    assert (run.status, run.partial, program.actor.stops) == ("stopped", ("half",), 1)
    with pytest.raises(ActorStopped):
        run.result()
    reached()


class Fatal:
    """A reply that raises something that means the end of the program."""

    def __init__(self, error, *, when):
        self.error = error
        self.when = when
        self.actor = None

    async def __call__(self, actor):
        actor.about_to_wait()
        if self.when == "at once":
            raise self.error
        await anyio.lowlevel.checkpoint()
        if self.when == "later":
            raise self.error
        try:
            await anyio.sleep_forever()
        finally:
            raise self.error

    async def main(self):
        self.actor = Scripted()
        with anyio.fail_after(10):
            async with ActorSystem() as system:
                ref = await system.spawn(self.actor)
                await ref.request(self)
                await self.actor.waiting.wait()
                await turns(5)
                if self.when == "while being interrupted":
                    ref.interrupt_nowait("stop", by="anna")
                await anyio.sleep_forever()


@every_loop
@pytest.mark.parametrize("when", ["at once", "later", "while being interrupted"])
@pytest.mark.parametrize("error", [KeyboardInterrupt("mine"), SystemExit(3)], ids=["KeyboardInterrupt", "SystemExit"])
def test_what_means_the_end_of_the_program_leaves_it_as_it_is_when_a_reply_raises_it(loop, error, when, reached):
    """P5; row KeyboardInterrupt/SystemExit raised by the reply: out of the loop on asyncio, through task groups on uvloop and
    trio; never converted."""
    program = Fatal(error, when=when)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - looked at below
        run_on(loop, program.main)
    assert alone(caught.value) is error
    assert program.actor.handled == []
    assert program.actor.run.status == "stopped"
    reached()


@every_loop_of_asyncio
@pytest.mark.parametrize("interrupted", [False, True])
def test_the_end_of_the_program_ends_a_system_that_is_hosted_by_a_task_of_its_own(loop, interrupted, reached):
    """P9: when the main function returns, asyncio cancels all tasks natively: host, workers and all. They end."""

    async def set_up(program):
        ready.set()

    async def main():
        nonlocal ready, hosted
        ready = asyncio.Event()
        hosted = asyncio.create_task(program.main())
        await ready.wait()
        if interrupted:
            program.interrupt()

    program = Program(set_up)
    ready = hosted = None
    run_on(loop, main)
    assert hosted.cancelled()
    # By what name the run has ended depends on which of all these tasks is cut first: the host, or its worker alone.
    assert program.actor.run.status in {"stopped", "interrupted" if interrupted else "failed"}
    assert len(program.actor.handled) <= interrupted
    assert program.actor.stops == 1
    reached()
