"""Promise 3, R25: handle_interrupt has a time limit; its asker is told then, and its run stays registered until it has ended."""

from __future__ import annotations

import anyio
import pytest

from actors import InMemoryCancellationManager, Interrupted
from tests._support import Call, Doer, Hang, quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401
from tests.contracts.remote_like import RemoteManager, Server
from tests.managers._doubles import Gossip

LIMIT = 1.0


class Refuses(Doer):
    """Its handle_interrupt absorbs everything until it is let go."""

    def __init__(self, log):
        super().__init__()
        self.let_go = anyio.Event()
        self.log = log

    async def handle_interrupt(self, message, interruption, /):
        with anyio.CancelScope(shield=True):
            await self.let_go.wait()
        return "at last"

    async def on_stop(self):
        self.log.append("stopped")


@pytest.fixture(params=["none", "memory", "network"])
def manager(request):
    """What the run is registered with, and a look into it."""
    if request.param == "none":
        yield None, dict
    elif request.param == "memory":
        memory = InMemoryCancellationManager()
        yield memory, memory.get_active_runs
    else:
        server = Server()
        yield RemoteManager(server), server.runs.get_active_runs


@pytest.fixture
async def given_up(system, manager):
    """An actor whose handle_interrupt refuses to end, and whose asker has been told that nothing comes of it."""
    log, hang = [], Hang()
    actor = Refuses(log)
    ref = await system.spawn(actor, cancellation=manager[0], interrupt_timeout=LIMIT)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, hang, run_id="run")
        await hang.began.wait()
        assert ref.interrupt_nowait("enough")
        assert await call.ended() == "raised"
    assert isinstance(call.value, Interrupted)
    let_go = actor.let_go
    del actor
    yield ref, let_go, log
    let_go.set()


async def test_its_run_is_registered_as_long_as_it_runs(given_up, manager):
    """R29: nobody is told that the run is over while something of it still runs."""
    ref, let_go, _ = given_up
    active = manager[1]
    assert list(active()) == ([] if manager[0] is None else ["run"])
    let_go.set()
    assert await ref.ask("next") == "next"
    assert active() == {}


async def test_its_request_is_settled_once(system, settlements, given_up):
    """R50: and a later run with the same id is not forgotten when it ends at last."""
    ref, let_go, _ = given_up
    hang = Hang()
    other = await system.spawn(Doer())
    later = await other.request(hang, run_id="run")
    await hang.began.wait()
    let_go.set()
    assert await ref.ask("next") == "next"
    assert (await system.interrupt("run")).outcome == "interrupted"
    assert (await later).source == "caller"
    assert set(settlements.values()) == {1}


async def test_an_actor_that_is_stopped_without_it_undoes_the_registration_and_runs_on_stop(given_up, manager):
    """R25, promise 11: the step is left to itself, the actor ends in order."""
    ref, _, log = given_up
    with anyio.fail_after(60):
        await ref.stop()
    assert log == ["stopped"]
    assert manager[1]() == {}


async def test_a_cancel_meant_for_it_does_not_reach_a_later_run_with_that_id(system):
    """R21: although that manager still has the old run, and the later one is registered with another."""
    gossip, hang, log = Gossip(), Hang(), []
    actor = Refuses(log)
    let_go = actor.let_go
    ref = await system.spawn(actor, cancellation=gossip, interrupt_timeout=LIMIT)
    del actor
    run = await ref.request(hang, run_id="run")
    await hang.began.wait()
    ref.interrupt_nowait()
    with pytest.raises(Interrupted):
        await run
    assert gossip.get_active_runs() == {"run": False}
    theirs, again = InMemoryCancellationManager(), Hang()
    later = await (await system.spawn(Doer(), cancellation=theirs)).request(again, run_id="run")
    await again.began.wait()
    assert gossip.cancel_run("run", reason="meant for the old one")
    await quiet()
    assert later.status == "running"
    assert theirs.cancel_run("run", reason="meant for the new one")
    assert (await later).reason == "meant for the new one"
    let_go.set()
