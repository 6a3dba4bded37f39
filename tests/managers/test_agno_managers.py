"""A manager that was written for agno is injected as it is, and cancelled through its own methods."""

from __future__ import annotations

import anyio
import pytest

from actors.abc import adapt
from tests._support import Call, Doer, Gate, Hang
from tests.contracts.agno_like import AsyncOnlyManager, CookbookFileManager, InMemoryRunManager, SyncOnlyManager

pytestmark = pytest.mark.usefixtures("patient", "quick_polls")

KINDS = [SyncOnlyManager, AsyncOnlyManager, InMemoryRunManager, CookbookFileManager]
KEEPS_EARLY_CANCELS = [SyncOnlyManager, AsyncOnlyManager, CookbookFileManager]


@pytest.fixture
def quick_polls(monkeypatch):
    """What has no push is polled; not every half second here."""
    monkeypatch.setitem(adapt.__kwdefaults__, "poll_period", 0.005)


def runs_in(manager):
    """What such a manager knows, by its own account."""
    if isinstance(manager, CookbookFileManager):
        return manager.read()
    return dict(getattr(manager, "inner", manager).runs)


async def cancel(manager, run_id):
    """Through its own method, as an agno application would."""
    if hasattr(manager, "cancel_run"):
        return manager.cancel_run(run_id)
    return await manager.acancel_run(run_id)


@pytest.fixture(params=KINDS)
def theirs(request, tmp_path):
    manager = request.param(tmp_path / "theirs.json")
    yield manager
    assert runs_in(manager) == {}


async def test_a_run_is_registered_in_it_while_it_runs(system, theirs):
    """R25: and cleaned up in it when the asker is told, however the reply has ended."""
    ref = await system.spawn(Doer(), cancellation=theirs)
    gate = Gate()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, gate, run_id="run")
        await gate.began.wait()
        assert runs_in(theirs) == {"run": False}
        gate.open()
        assert await call.result() == "opened"
    assert runs_in(theirs) == {}

    async def fails(_actor):
        assert runs_in(theirs) == {"another": False}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ref.ask(fails, run_id="another")
    assert runs_in(theirs) == {}


async def test_its_own_cancel_interrupts_the_reply(system, theirs):
    """Design, section 4: source `manager`; a reason or an author it does not know."""
    actor, hang = Doer(), Hang()
    ref = await system.spawn(actor, cancellation=theirs)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, hang, run_id="run")
        await hang.began.wait()
        assert await cancel(theirs, "run") is True
        interruption = await call.result()
    assert (interruption.source, interruption.started) == ("manager", True)
    assert (interruption.reason, interruption.by) == ("", None)
    assert actor.handled == [interruption]
    assert runs_in(theirs) == {}


async def test_the_next_run_with_that_id_does_not_die_of_it(system, theirs):
    """R2: cleaned up, its flag is gone."""
    actor, hang = Doer(), Hang()
    ref = await system.spawn(actor, cancellation=theirs)
    run = await ref.request(hang, run_id="run")
    await hang.began.wait()
    await cancel(theirs, "run")
    assert (await run).source == "manager"
    gate = Gate()
    again = await ref.request(gate, run_id="run")
    await gate.began.wait()
    assert runs_in(theirs) == {"run": False}
    gate.open()
    assert await again == "opened"
    assert len(actor.handled) == 1


@pytest.mark.parametrize("theirs", KEEPS_EARLY_CANCELS, indirect=True)
async def test_a_cancel_before_the_run_is_answered_without_beginning(system, theirs):
    """Promise 4, where the manager keeps the cancel of a run it does not know; agno's first one did not."""
    actor, never = Doer(), Hang()
    ref = await system.spawn(actor, cancellation=theirs)
    assert await cancel(theirs, "run") is False
    interruption = await ref.ask(never, run_id="run")
    assert (interruption.source, interruption.started) == ("manager", False)
    assert not never.began.is_set()
    assert len(actor.handled) == 1


async def test_through_the_system_it_is_cancelled_with_a_reason(new_system, theirs):
    """Design, section 4: what goes through the system's own adapter keeps reason and author, if the run is registered."""
    hang = Hang()
    async with new_system(cancellation=theirs) as system:
        run = await (await system.spawn(Doer())).request(hang, run_id="run")
        await hang.began.wait()
        assert (await system.interrupt("run", "too dear", by="anna")).outcome == "interrupted"
        assert ((await run).source, (await run).reason) == ("caller", "too dear")
        assert (await system.interrupt("run")).outcome in ("stored", "finished")
        if runs_in(theirs):  # it keeps no tombstones: the cancel waits for another run with that id
            assert (await (await system.spawn(Doer())).ask("never", run_id="run")).started is False
        assert runs_in(theirs) == {}


async def test_two_actors_that_share_one_share_its_runs(system, theirs):
    """R21: whatever its kind, a manager is told apart by identity."""
    hangs = [Hang(), Hang()]
    runs = []
    for number, hang in enumerate(hangs):
        ref = await system.spawn(Doer(), cancellation=theirs)
        runs.append(await ref.request(hang, run_id=f"run-{number}"))
        await hang.began.wait()
    assert runs_in(theirs) == {"run-0": False, "run-1": False}
    assert await cancel(theirs, "run-1")
    assert (await runs[1]).source == "manager"
    assert runs[0].status == "running"
    assert await cancel(theirs, "run-0")
    assert (await runs[0]).source == "manager"
    assert runs_in(theirs) == {}


@pytest.mark.parametrize("method", ["register_run", "is_cancelled", "cleanup_run"])
async def test_one_that_raises_fails_no_reply(system, method):
    """R28: whatever somebody else's class raises."""

    class Broken(SyncOnlyManager):
        def register_run(self, run_id):
            self.use("register_run")
            super().register_run(run_id)

        def is_cancelled(self, run_id):
            self.use("is_cancelled")
            return super().is_cancelled(run_id)

        def cleanup_run(self, run_id):
            self.use("cleanup_run")
            super().cleanup_run(run_id)

        def use(self, name):
            used.append(name)
            if name == method:
                raise ZeroDivisionError

    used = []
    ref = await system.spawn(Doer(), cancellation=Broken())
    assert await ref.ask("a reply") == "a reply"
    assert await ref.ask("another") == "another"
    assert method in used
