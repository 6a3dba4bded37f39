"""Promise 20, R53: idle actors and idle systems do nothing; no task for each idle actor, no poll, no wake-up."""

from __future__ import annotations

import gc
import sys
import threading
import time
import tracemalloc

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest

from actors import InMemoryCancellationManager
from tests._leaks import tasks, timers
from tests._support import Doer, Hang, Turns, quiet

IDLE = 1000
WINDOW = 0.3  # seconds


async def idle_actors(system, count=IDLE, **options):
    """Actors that have all been busy once, some of them interrupted, and are idle now."""
    refs = [await system.spawn(Doer(), **options) for _ in range(count)]
    for number, ref in enumerate(refs):
        if number % 10:
            assert await ref.ask(number) == number
        else:
            hang = Hang()
            await ref.tell(hang)
            await hang.began.wait()
            assert (await ref.interrupt()).outcome == "interrupted"
    return refs


async def window():
    """Let nothing happen for a while, and end that by an event from another thread."""
    token, over = anyio.lowlevel.current_token(), anyio.Event()

    def end_it():
        time.sleep(WINDOW)
        anyio.from_thread.run_sync(over.set, token=token)

    thread = threading.Thread(target=end_it)
    thread.start()
    await over.wait()
    await anyio.to_thread.run_sync(thread.join)


@pytest.mark.parametrize("managed", [False, True])
async def test_with_a_thousand_idle_actors_the_event_loop_makes_no_turn(new_system, managed):
    """R53: but for those in which the window begins and ends."""
    if not Turns.can_be_counted():
        pytest.skip("uvloop does not tell how often it turns; see the next test")
    options = {"cancellation": InMemoryCancellationManager()} if managed else {}
    async with new_system() as system:
        refs = await idle_actors(system, **options)
        await quiet()
        with Turns() as turns:
            await window()
        assert turns.count <= 10
        assert await refs[0].ask("alive") == "alive"


async def test_with_a_thousand_idle_actors_the_processor_rests(new_system):
    """R53: measured on every loop, as the time that this thread has spent."""
    async with new_system() as system:
        refs = await idle_actors(system)
        await quiet()
        before = time.thread_time()
        await window()
        spent = time.thread_time() - before
        assert spent < WINDOW / 10
        assert await refs[0].ask("alive") == "alive"


async def test_there_is_no_task_for_each_idle_actor(new_system):
    """Promise 20: a parked sentinel and some parked workers for the whole system are fine."""
    async with new_system() as system:
        before = len(tasks())
        refs = await idle_actors(system)
        await quiet()
        assert len(tasks()) - before <= 12
        assert await refs[-1].ask("alive") == "alive"


async def test_actors_that_have_all_been_busy_at_once_keep_no_task_each_either(new_system):
    """Promise 20: the workers that a burst has taken go, but for a few hundred spare ones."""
    hangs = [Hang() for _ in range(IDLE)]
    async with new_system() as system:
        before = len(tasks())
        refs = [await system.spawn(Doer()) for _ in range(IDLE)]
        for ref, hang in zip(refs, hangs, strict=True):
            ref.tell_nowait(hang)
        for hang in hangs:
            await hang.began.wait()
        assert len(tasks()) - before >= IDLE
        for ref in refs:
            assert ref.interrupt_nowait()
        for ref in refs:
            assert await ref.ask("next") == "next"
        await quiet()
        assert len(tasks()) - before <= 700


async def test_an_idle_actor_is_small(new_system):
    """A figure to notice when it grows: the bytes of an actor that has never had anything to do."""
    if sys.implementation.name != "cpython":
        pytest.skip("the figure is one of CPython")
    async with new_system() as system:
        await idle_actors(system, 10)
        gc.collect()
        tracemalloc.start()
        try:
            refs = [await system.spawn(Doer(), name=str(number)) for number in range(IDLE)]
            gc.collect()
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert size / IDLE < 4000
        assert len(refs) == IDLE


async def test_a_system_that_was_busy_sets_no_timers_any_more(new_system):
    """R53: not for deadlines and time limits that were not needed."""
    before = len(timers())
    async with new_system(cancellation=InMemoryCancellationManager()) as system:
        ref = await system.spawn(Doer(), interrupt_timeout=1000)
        for number in range(20):
            assert await ref.ask(number, timeout=1000) == number
        assert len(timers()) == before
        await ref.stop(timeout=1000)
        await quiet()
        assert len(timers()) == before


async def test_after_an_interrupt_no_timer_is_set_any_more(new_system):
    """R53: the grace is over when the reply has ended, and the system has nothing to wake up for."""
    before = len(timers())
    async with new_system() as system:
        ref = await system.spawn(Doer())
        for _ in range(5):
            hang = Hang()
            await ref.tell(hang)
            await hang.began.wait()
            assert (await ref.interrupt(grace=1000)).outcome == "interrupted"
        await quiet()
        assert len(timers()) == before
