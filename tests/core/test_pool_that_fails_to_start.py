"""R53: a worker that cannot start again is tried again, after longer and longer times. In virtual time."""

from __future__ import annotations

import anyio
import pytest

from actors import ActorStopped, Pool
from tests._support import Doer
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401


class Factory:
    """Makes workers, and can be broken in two ways."""

    def __init__(self):
        self.broken = None
        self.times = []

    def __call__(self):
        factory = self

        class Worker(Doer):
            async def on_start(self):
                if factory.broken == "on_start":
                    raise ZeroDivisionError

        if self.broken:
            self.times.append(round(anyio.current_time(), 1))
        if self.broken == "factory":
            raise ZeroDivisionError
        return Worker()


@pytest.mark.parametrize("broken", ["factory", "on_start"])
async def test_a_worker_that_cannot_start_is_tried_again_after_longer_and_longer_times(system, caplog, broken):
    """It neither burns the processor nor floods the log, and is there again when it can be."""
    factory = Factory()
    pool = await system.spawn(Pool(factory, 2))
    factory.broken = broken
    began = anyio.current_time()
    await pool.workers[0].kill()
    await anyio.sleep(13)
    waits = [round(time - began, 1) for time in factory.times]
    assert waits == pytest.approx([0.0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 12.7], abs=0.11)
    assert [await pool.ask("a"), await pool.ask("b")] == ["a", "b"]  # of the other one
    events = [record.event for record in caplog.records]
    assert events.count("pool.worker_not_started") == 8
    factory.broken = None
    await anyio.sleep(30)
    await pool.workers[1].kill()
    assert await pool.ask("c") == "c"
    assert len(pool._cell.children) == 2


async def test_without_any_worker_whoever_asks_is_told(system):
    factory = Factory()
    pool = await system.spawn(Pool(factory, 1))
    factory.broken = "factory"
    await pool.workers[0].kill()
    with pytest.raises(ActorStopped):
        await pool.ask("a")
    await pool.tell("b")
    assert [letter.message for letter in system.dead_letters] == ["b"]
    factory.broken = None
    await anyio.sleep(1)
    assert await pool.ask("c") == "c"


async def test_a_pool_that_is_stopped_meanwhile_is_not_filled_up_again(system):
    factory = Factory()
    pool = await system.spawn(Pool(factory, 2))
    factory.broken = "factory"
    await pool.workers[0].kill()
    await pool.stop()
    factory.broken = None
    count = len(factory.times)
    await anyio.sleep(100)
    assert len(factory.times) == count
    assert system.roots == {}


async def test_a_pool_that_has_shrunk_meanwhile_is_not_filled_up_again(system):
    factory = Factory()
    pool = await system.spawn(Pool(factory, 2))
    factory.broken = "on_start"
    await pool.workers[1].kill()
    await pool.resize(1)
    factory.broken = None
    await anyio.sleep(100)
    assert list(pool._cell.children) == ["1"]
