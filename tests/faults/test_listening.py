"""R26: whoever listens is told when something may have been missed, whichever client it is that has reconnected."""

from __future__ import annotations

import anyio
import pytest

from actors import ManagerError
from tests._support import Call
from tests.faults.conftest import PATIENCE, Runs, interruption_of, until
from tests.servers.managers import MANAGERS, own_client

NEVER = 600.0


@pytest.fixture(params=["our client", "the application's"])
async def listener(request, kind, server, way, namespace):
    """A manager that hears, and does not look by itself in the time of a test."""
    url = way.url(server.url)
    if request.param == "our client":
        yield MANAGERS[kind](url, namespace=namespace, safety_period=NEVER)
        return
    async with own_client(kind, url) as client:
        yield MANAGERS[kind](client=client, namespace=namespace, safety_period=NEVER)


async def test_a_subscription_that_was_cut_ends_or_asks_for_everything_to_be_read_again(listener, way):
    """Ecosystem: redis-py resubscribes in silence, nats-py reconnects in silence, asyncpg's connection closes."""
    async with listener, anyio.create_task_group() as group:
        hints = []
        listening = Call(group, listener.listen, hints.append)
        await until(lambda: hints)
        assert hints[0] is None
        hints.clear()
        way.cut()
        await until(lambda: listening.over or None in hints)
        if listening.over:
            with pytest.raises(ManagerError):
                await listening.result()
        group.cancel_scope.cancel()


async def test_a_subscription_that_is_cut_short_leaves_the_client_of_an_application_as_it_was(
    kind, server, way, namespace
):
    """Issue 4: it is used by others too. nats-py is deafened by a flush that is cancelled and answered later."""
    async with own_client(kind, way.url(server.url)) as client:
        manager = MANAGERS[kind](client=client, namespace=namespace, timeout=PATIENCE)
        async with manager:
            for wait in (0.0, 0.03, 0.1, 0.15, 0.25):
                way.delay = 0.1
                async with anyio.create_task_group() as group:
                    group.start_soon(manager.listen, lambda _: None)
                    await anyio.sleep(wait)
                    group.cancel_scope.cancel()
                way.delay = 0.0
                with anyio.fail_after(PATIENCE):
                    assert await manager.enroll(f"run-{wait}", owner="me") is None
                    assert await manager.acancel_run(f"run-{wait}")
                    await manager.acleanup_run(f"run-{wait}")


async def test_a_subscription_that_stands_hears_at_once(listener, make):
    """R26: the push itself, without any looking."""
    async with listener, make() as elsewhere, anyio.create_task_group() as group:
        hints = []
        group.start_soon(listener.listen, hints.append)
        await until(lambda: hints)
        await elsewhere.acancel_run("a run")
        await until(lambda: "a run" in hints)
        group.cancel_scope.cancel()
    await elsewhere.acleanup_run("a run")


@pytest.mark.may_leave("errors", "the application's nats-py does not close the sockets of its attempts to reconnect")
async def test_a_cancel_is_found_after_a_cut_without_the_safety_poll(system, listener, make, way):
    """R26: pushed while nobody could hear it, and read when the connection is back."""
    (run,) = await Runs(system, listener).begin("run")
    async with make() as elsewhere:
        await until(lambda: is_active(elsewhere))
        way.refusing = True
        way.cut()
        assert await elsewhere.acancel_run("run", reason="unheard")
        with anyio.move_on_after(0.3):
            await run
        assert run.status == "running"
        way.refusing = False
        assert (await interruption_of(run)).reason == "unheard"


async def is_active(manager):
    return "run" in await manager.aget_active_runs()


@pytest.mark.may_leave("errors", "the application's nats-py does not close the sockets of its attempts to reconnect")
async def test_a_server_that_was_restarted_is_found_again_with_any_client(system, listener, make, server):
    """Issue 4: the application's client reconnects in its own way, and ours in ours."""
    runs = Runs(system, listener)
    (run,) = await runs.begin("run")
    await until(lambda: is_active(make()))
    server.kill()
    await runs.ask()
    server.start()
    async with make() as elsewhere:
        await elsewhere.acancel_run("run", reason="after it")
        with anyio.fail_after(PATIENCE):
            assert (await run).reason == "after it"
