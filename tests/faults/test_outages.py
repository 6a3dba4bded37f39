"""R26, R28: real servers that are killed, unreachable, paused and slow. Replies do not notice, and no cancel is lost."""

from __future__ import annotations

import logging
from functools import partial

import anyio
import pytest

from actors import ManagerError
from tests._support import Call
from tests.faults.conftest import PATIENCE, interruption_of, until
from tests.managers._doubles import said


async def registered(manager, *run_ids):
    async def there():
        active = await manager.aget_active_runs()
        return all(run_id in active for run_id in run_ids)

    await until(there)


async def insist(manager, run_id, reason):
    """Cancel a run, again and again until that is stored."""
    while True:
        try:
            await manager.acancel_run(run_id, reason=reason)
        except ManagerError:
            await anyio.sleep(0.05)
        else:
            return


def empty(manager):
    async def nothing_is_registered():
        return await manager.aget_active_runs() == {}

    return nothing_is_registered


async def test_a_server_that_is_killed_and_restarted_in_the_middle_of_runs(runs, manager, make, server, caplog):
    """Issue 4: runs go on, new ones begin and end, health and log say what is wrong; afterwards cancels arrive as before."""
    caplog.set_level(logging.INFO)
    spared, stopped = await runs.begin("spared", "stopped")
    await registered(make(), "spared", "stopped")
    assert manager.health()
    server.kill()
    await until(lambda: not manager.health())
    assert "ManagerError" in manager.health().error
    await until(lambda: said(caplog, "manager_subscription_lost") and said(caplog, "manager_unreachable"))
    for _ in range(3):
        await runs.ask()
    (meanwhile,) = await runs.begin("meanwhile")
    with pytest.raises(ManagerError):
        await make(timeout=0.5).acancel_run("stopped")
    assert [run.status for run in (spared, stopped, meanwhile)] == ["running"] * 3
    server.start()
    async with make() as elsewhere:
        await registered(elsewhere, "spared", "stopped", "meanwhile")
        for run in (stopped, meanwhile):
            assert await elsewhere.acancel_run(run.id, reason="after it")
            assert (await interruption_of(run)).reason == "after it"
        await until(lambda: manager.health().healthy and manager.health().watching)
        await until(lambda: said(caplog, "manager_recovered"))
        assert spared.status == "running"
        await spared.interrupt("done with it")
        await until(empty(elsewhere))


async def test_a_server_that_is_down_at_the_start(runs, manager, make, server, caplog):
    """Issue 4: a system starts without it; what begins meanwhile is registered as soon as it is there."""
    server.kill()
    (run,) = await runs.begin("run")
    await runs.ask()
    assert not manager.health()
    assert said(caplog, "manager_unreachable")
    with pytest.raises(ManagerError):
        await make(timeout=0.5).acancel_run("run")
    server.start()
    async with make() as elsewhere:
        await registered(elsewhere, "run")
        assert await elsewhere.acancel_run("run", reason="now it is there")
        assert (await interruption_of(run)).reason == "now it is there"
        await until(empty(elsewhere))


async def test_cancels_that_are_stored_while_the_connection_is_cut(runs, manager, make, way):
    """R26: whoever cancels reaches the server, and the owner does not: a push would have been lost."""
    before = await runs.begin("one", "two")
    async with make() as elsewhere:
        await registered(elsewhere, "one", "two")
        way.refusing = True
        way.cut()
        (within,) = await runs.begin("three")
        await until(lambda: not manager.health())
        assert [await elsewhere.acancel_run(run_id, reason="unheard") for run_id in ("one", "two")] == [True, True]
        assert (await elsewhere.request_cancel("three", reason="unheard")).outcome == "stored"
        await runs.ask()
        way.refusing = False
        for run in (*before, within):
            assert (await interruption_of(run)).reason == "unheard"
        await until(empty(elsewhere))


async def test_connections_that_are_cut_again_and_again(runs, make, way):
    """R26: each reconnect reads again; what was published in between is lost, and the cancel is not."""
    async with make() as elsewhere:
        for number in range(5):
            (run,) = await runs.begin(f"run-{number}")
            await registered(elsewhere, f"run-{number}")
            way.cut()
            assert await elsewhere.acancel_run(f"run-{number}", reason=f"cut {number}")
            assert (await interruption_of(run)).reason == f"cut {number}"
        await until(empty(elsewhere))


async def test_a_server_that_is_paused_and_goes_on(runs, manager, make, server):
    """Issue 4: connections stay, and nobody answers. A cancel raises, or takes effect afterwards: always one of the two."""
    begun = await runs.begin(*(f"run-{number}" for number in range(6)))
    async with make(timeout=1.0) as elsewhere:
        await registered(elsewhere, *(run.id for run in begun))
        server.pause()
        async with anyio.create_task_group() as group:
            cancels = [Call(group, elsewhere.acancel_run, run.id, reason="in the pause") for run in begun]
            await runs.ask()
            for cancel in cancels[:3]:
                assert await cancel.ended() == "raised"  # after its timeout
            late = Call(group, elsewhere.acancel_run, begun[0].id, reason="in the pause")
            server.go_on()
            how = await late.ended()
        assert [run.status for run in begun].count("failed") == 0
        await until(lambda: manager.health().healthy)
        for run, cancel in zip(begun, [late, *cancels[1:]], strict=True):
            if cancel.how != "returned":
                with pytest.raises(ManagerError):
                    await cancel.result()
                await insist(elsewhere, run.id, reason="once more")
            assert (await interruption_of(run)).reason in ("in the pause", "once more")
        assert how in ("returned", "raised")
        await until(empty(elsewhere))


async def test_a_network_that_falls_silent(runs, manager, make, way):
    """R26, R28: packets vanish, and nobody is told that the connection is gone."""
    (run,) = await runs.begin("run")
    async with make() as elsewhere:
        await registered(elsewhere, "run")
        way.silent = True
        assert await elsewhere.acancel_run("run", reason="into the silence")
        await runs.ask()
        await until(lambda: not manager.health())
        assert run.status == "running"
        way.silent = False
        assert (await interruption_of(run)).reason == "into the silence"
        await until(empty(elsewhere))


async def test_a_slow_server_delays_nothing_but_its_own_answers(runs, make, way):
    """R28: with answers after 0.2 s a reply begins when the register timeout is over, and is registered later."""
    way.delay = 0.1
    async with make() as elsewhere:
        (run,) = await runs.begin("run")
        for _ in range(3):
            await runs.ask()
        await registered(elsewhere, "run")
        assert await elsewhere.acancel_run("run", reason="slowly")
        assert (await interruption_of(run)).reason == "slowly"
        await until(empty(elsewhere))


async def test_kills_while_cancels_are_under_way_lose_none(runs, make, server):
    """Issue 4: each cancel either raises, and is asked for again, or its run ends. None is lost, none ends without one."""
    count = 40
    begun = await runs.begin(*(f"run-{number}" for number in range(count)), "spared")
    async with make(timeout=1.0) as elsewhere:
        await registered(elsewhere, *(run.id for run in begun))
        async with anyio.create_task_group() as group:
            for number, run in enumerate(begun[:-1]):
                group.start_soon(partial(insist, elsewhere, run.id, reason="stop"))
                if number % 10 == 5:
                    await anyio.sleep(0.005)
                    server.restart()  # blocks this event loop as well; the requests are under way
        with anyio.fail_after(PATIENCE):
            for run in begun[:-1]:
                assert (await run).reason == "stop"
        assert begun[-1].status == "running"
        await begun[-1].interrupt()
        await until(empty(elsewhere))
