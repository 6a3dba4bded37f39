"""R53, promise 20: a manager costs nothing while none of its runs is registered: no task, no poll, no wake-up."""

from __future__ import annotations

import anyio
import pytest

from actors import DuplicateRunError, InMemoryCancellationManager
from tests._leaks import tasks
from tests._support import Doer, Hang, Turns, quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401
from tests.contracts.agno_like import AsyncOnlyManager
from tests.contracts.remote_like import RemoteManager, Server


@pytest.fixture
def server():
    return Server()


async def one_run(ref, seconds, run_id=None, *, pause=2.0):
    """A run that lasts so long, and a pause; after two seconds its subscription has been given up."""

    async def lasts(_actor):
        await anyio.sleep(seconds)
        return "a reply"

    assert await ref.ask(lasts, run_id=run_id) == "a reply"
    await anyio.sleep(pause)


async def nothing_happens():
    """Nothing at all, in the next hour: no task, no turn of the event loop."""
    await quiet()
    before = tasks()
    with Turns() as turns:
        await anyio.sleep(3600)
    assert tasks() == before
    return turns.count < 10


async def test_an_actor_that_was_never_asked_costs_its_manager_nothing(system, server):
    """Promise 20: not a call, not a task."""
    await quiet()
    before = tasks()
    await system.spawn(Doer(), cancellation=RemoteManager(server, lease=30))
    assert await nothing_happens()
    assert (server.calls, tasks()) == ([], before)


async def test_when_its_last_run_is_over_nothing_is_left_of_the_watch(system, server):
    """R53: neither the subscription nor the renewal of leases; and it begins again with the next run."""
    ref = await system.spawn(Doer(), cancellation=RemoteManager(server, lease=3))
    await one_run(ref, seconds=10)
    idle = tasks()
    for number in (1, 2, 3):
        assert (server.listeners, server.count("listen")) == ([], number)
        calls = list(server.calls)
        assert await nothing_happens()
        assert server.calls == calls
        renewals = server.count("renew")
        await one_run(ref, seconds=10, run_id="again")
        assert server.count("renew") > renewals
        assert len(tasks()) == len(idle)


async def test_a_manager_without_a_push_is_polled_only_while_a_run_is_registered(system):
    """Section 4 of the design: an agno manager, say."""

    class Counting(AsyncOnlyManager):
        async def ais_cancelled(self, run_id):
            looks.append(run_id)
            return await super().ais_cancelled(run_id)

    looks = []
    ref = await system.spawn(Doer(), cancellation=Counting())
    await one_run(ref, seconds=30, run_id="run")
    assert 50 < len(looks) < 100
    looks.clear()
    assert await nothing_happens()
    assert looks == []


async def test_runs_in_a_row_share_one_subscription(system, server):
    """R27: it outlasts a short pause, so that it need not be made for each run."""
    ref = await system.spawn(Doer(), cancellation=RemoteManager(server))
    for _ in range(20):
        await one_run(ref, seconds=0.1, pause=0.5)
    assert server.count("listen") == 1
    await anyio.sleep(5)
    await one_run(ref, seconds=0.1)
    assert (server.count("listen"), server.listeners) == (2, [])


async def test_the_manager_of_one_process_needs_no_task_even_while_its_runs_are_registered(new_system):
    """Design, section 4: it tells by itself, in the call that cancels."""
    counts = []
    for manager in (None, InMemoryCancellationManager()):
        hang = Hang()
        async with new_system(cancellation=manager) as system:
            run = await (await system.spawn(Doer())).request(hang, run_id="run")
            await hang.began.wait()
            counts.append(len(tasks()))
            assert await nothing_happens()
            await run.interrupt()
    assert counts[0] == counts[1]


async def test_a_run_id_that_was_refused_leaves_nothing_running(system, server):
    """R53: the other owner's run is none of ours."""
    ref = await system.spawn(Doer(), cancellation=RemoteManager(server, lease=3))
    server.runs.enroll_nowait("run", owner="somebody else")
    with pytest.raises(DuplicateRunError):
        await ref.ask("never", run_id="run")
    await anyio.sleep(2)
    assert server.listeners == []
    assert await nothing_happens()
    assert server.runs.get_active_runs() == {"run": False}
