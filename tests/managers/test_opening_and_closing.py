"""Section 2 of the design: a manager is opened by the system at its first use, and closed by it: counted, so it can be shared."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest

from actors import ActorSystem, InMemoryCancellationManager, WrongLoopError
from actors.backends import FileCancellationManager
from tests._support import Doer, Hang, quiet
from tests.contracts.remote_like import RemoteManager, Server
from tests.managers._doubles import leave

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def server():
    server = Server()
    yield server
    assert (server.connections, server.listeners) == (0, [])


async def test_it_is_opened_at_the_first_run_and_closed_with_the_system(new_system, server):
    """Not at spawn: an actor that is never asked costs no connection."""
    manager = RemoteManager(server)
    async with new_system() as system:
        ref = await system.spawn(Doer(), cancellation=manager)
        await quiet()
        assert server.calls == []
        assert await ref.ask("first") == "first"
        assert await ref.ask("second") == "second"
        assert (server.count("connect"), server.connections) == (1, 1)
    assert (server.count("disconnect"), server.connections) == (1, 0)
    assert manager.lifetime.users == 0


async def test_one_that_is_never_used_is_never_opened(new_system, server):
    """Promise 20."""
    async with new_system(cancellation=RemoteManager(server)) as system:
        await system.spawn(Doer())
    assert server.calls == []


@pytest.mark.parametrize("leaving", ["by an exception", "by a cancellation"])
async def test_it_is_closed_however_the_system_is_left(new_system, server, leaving):
    """Promise 19: with a run in the middle of something; its registration is undone first."""
    hang = Hang()
    with anyio.CancelScope() as scope:
        try:
            async with new_system(cancellation=RemoteManager(server)) as system:
                await (await system.spawn(Doer())).request(hang, run_id="run")
                await hang.began.wait()
                assert server.connections == 1
                leave(leaving, scope)
        except ZeroDivisionError:
            assert leaving == "by an exception"
    assert server.connections == 0
    assert server.calls.index("cleanup") < server.calls.index("disconnect")
    assert server.runs.get_active_runs() == {}


async def test_one_that_the_user_has_entered_stays_open(new_system, server):
    """It is the user's: still good after the system, and closed by its own block."""
    async with RemoteManager(server) as manager:
        async with new_system(cancellation=manager) as system:
            assert await (await system.spawn(Doer())).ask("hello", run_id="run") == "hello"
        assert server.connections == 1
        assert (await manager.request_cancel("run")).outcome == "finished"
        assert await manager.aget_active_runs() == {}
    assert (server.count("connect"), server.connections) == (1, 0)


async def test_two_systems_share_one_and_the_last_closes_it(new_system, server):
    """Counted: the first that leaves takes nothing from the other."""
    manager = RemoteManager(server)
    async with new_system(cancellation=manager) as first:
        one = await first.spawn(Doer())
        async with new_system(cancellation=manager) as second:
            other = await second.spawn(Doer())
            assert [await one.ask("one"), await other.ask("other")] == ["one", "other"]
            assert server.connections == 1
        assert server.connections == 1
        hang = Hang()
        run = await one.request(hang, run_id="run")
        await hang.began.wait()
        assert await manager.acancel_run("run", reason="still reached")
        assert (await run).reason == "still reached"
    assert (server.count("connect"), server.connections) == (1, 0)


async def test_two_actors_share_one_connection_and_one_subscription(new_system, server):
    """R27: one per process and manager, however many runs and actors."""
    manager = RemoteManager(server)
    async with new_system(cancellation=manager) as system:
        hangs = [Hang() for _ in range(4)]
        runs = [await (await system.spawn(Doer())).request(hang, run_id=f"run-{n}") for n, hang in enumerate(hangs)]
        for hang in hangs:
            await hang.began.wait()
        await quiet()
        assert (server.count("connect"), server.count("listen"), len(server.listeners)) == (1, 1, 1)
        for run in runs:
            assert await manager.acancel_run(run.id)
            assert (await run).source == "manager"
    assert server.count("disconnect") == 1


async def test_it_can_be_used_again_after_its_system_has_closed_it(new_system, server):
    """One manager, one system after the other."""
    manager = RemoteManager(server)
    for number in (1, 2):
        async with new_system(cancellation=manager) as system:
            assert await (await system.spawn(Doer())).ask("hello", run_id="run") == "hello"
            assert server.count("connect") == number
    assert server.count("disconnect") == 2


@pytest.fixture(params=["memory", "file", "network"])
def any_manager(request, server, tmp_path):
    makers = {
        "memory": InMemoryCancellationManager,
        "file": lambda: FileCancellationManager(tmp_path / "runs.json"),
        "network": lambda: RemoteManager(server),
    }
    return makers[request.param]()


@pytest.mark.parametrize("entered", [False, True])
async def test_on_a_second_event_loop_spawn_says_what_is_wrong(new_system, any_manager, entered):
    """Section 2 of the design: a clear error at once, not a hang at the first run; and nothing has been started."""

    async def elsewhere():
        async with ActorSystem() as system:
            with pytest.raises(WrongLoopError) as caught:
                await system.spawn(Doer(), name="actor", cancellation=any_manager)
            assert system.find("actor") is None
            assert await (await system.spawn(Doer(), name="actor")).ask("without") == "without"
        async with ActorSystem(cancellation=any_manager) as system:
            with pytest.raises(WrongLoopError):
                await system.spawn(Doer())
            with pytest.raises(WrongLoopError):
                await system.interrupt("run")
        return str(caught.value)

    async with new_system() as system:
        if entered:
            async with any_manager:
                text = await anyio.to_thread.run_sync(anyio.run, elsewhere)
        else:
            ref = await system.spawn(Doer(), cancellation=any_manager)
            text = await anyio.to_thread.run_sync(anyio.run, elsewhere)
            assert await ref.ask("still well") == "still well"
    name = type(any_manager).__name__
    assert text.startswith(f"{name} is open on another event loop: give each event loop a manager of its own")


async def test_on_a_second_event_loop_it_works_when_the_first_has_let_it_go(new_system, any_manager):
    """Bound to a loop only while somebody uses it."""
    async with new_system(cancellation=any_manager) as system:
        assert await (await system.spawn(Doer())).ask("here", run_id="run") == "here"

    async def elsewhere():
        async with ActorSystem(cancellation=any_manager) as system:
            return await (await system.spawn(Doer())).ask("there", run_id="run")

    assert await anyio.to_thread.run_sync(anyio.run, elsewhere) == "there"
