"""R21: a cancellation manager is injected for each actor; there is no global one. The rest of it is in tests/managers/."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

import anyio
import pytest

import actors
from actors import ActorSystem, DuplicateRunError, InMemoryCancellationManager
from actors._managers import Managers
from actors._registrar import Registrar
from actors.abc import CancellationManager
from tests._support import Call, Doer, Gate, Hang, quiet
from tests.contracts.agno_like import SyncOnlyManager
from tests.managers._doubles import Gossip


async def hanging(ref, run_id):
    """A run of this actor that hangs until it is cut."""
    hang = Hang()
    run = await ref.request(hang, run_id=run_id)
    await hang.began.wait()
    return run


async def test_two_actors_of_one_system_have_two_managers(system):
    """R21: each run is registered where its actor's are, and nowhere else; a cancel reaches what is registered there."""
    ours, theirs = InMemoryCancellationManager(), InMemoryCancellationManager()
    one = await system.spawn(Doer(), cancellation=ours)
    other = await system.spawn(Doer(), cancellation=theirs)
    mine, yours = await hanging(one, "mine"), await hanging(other, "yours")
    assert (ours.get_active_runs(), theirs.get_active_runs()) == ({"mine": False}, {"yours": False})
    assert not await ours.acancel_run("yours")
    assert not await theirs.acancel_run("mine")
    await quiet()
    assert (mine.status, yours.status) == ("running", "running")
    assert await ours.acancel_run("mine", reason="through ours")
    assert (await mine).reason == "through ours"
    assert yours.status == "running"
    assert await theirs.acancel_run("yours", reason="through theirs")
    assert (await yours).reason == "through theirs"
    assert ours.get_active_runs() == theirs.get_active_runs() == {}


async def test_a_manager_that_tells_of_runs_that_are_not_its_own_reaches_none_of_them(system):
    """R21: of whatever id. A cancel counts only if it comes through the manager of the actor whose run it is."""
    gossip, quiet_one = Gossip(), InMemoryCancellationManager()
    theirs = await system.spawn(Doer(), cancellation=gossip)
    ours = await system.spawn(Doer(), cancellation=quiet_one)
    without = await system.spawn(Doer())
    listening = await hanging(theirs, "theirs")
    mine, nobodys = await hanging(ours, "ours"), await hanging(without, "nobody's")
    for run_id in ("ours", "nobody's", "unheard of"):
        assert not await gossip.acancel_run(run_id)
    assert gossip.told == ["ours", "nobody's", "unheard of"]
    await quiet()
    assert [run.status for run in (listening, mine, nobodys)] == ["running"] * 3
    assert await gossip.acancel_run("theirs", reason="its own")
    assert (await listening).reason == "its own"
    await mine.interrupt()
    await nobodys.interrupt()
    assert ours.statistics().interrupted == without.statistics().interrupted == 1


async def test_the_same_run_id_in_two_managers_is_two_runs(new_system):
    """R21: two systems of one process do not know each other's managers."""
    ours, theirs = InMemoryCancellationManager(), InMemoryCancellationManager()
    async with new_system(cancellation=ours) as one, new_system(cancellation=theirs) as other:
        mine = await hanging(await one.spawn(Doer()), "run")
        yours = await hanging(await other.spawn(Doer()), "run")
        assert await ours.acancel_run("run", reason="mine alone")
        assert (await mine).reason == "mine alone"
        assert yours.status == "running"
        assert theirs.get_active_runs() == {"run": False}
        await yours.interrupt("done with it")
        assert (await yours).source == "caller"


async def test_two_actors_share_one_manager(system):
    """R21: and a cancel reaches the one run that it names, whosever it is."""
    manager = InMemoryCancellationManager()
    one, other = [await system.spawn(Doer(), cancellation=manager) for _ in range(2)]
    first, second = await hanging(one, "first"), await hanging(other, "second")
    assert manager.get_active_runs() == {"first": False, "second": False}
    assert await manager.acancel_run("second", reason="that one")
    assert (await second).reason == "that one"
    assert (first.status, manager.get_active_runs()) == ("running", {"first": False})
    assert await manager.acancel_run("first", reason="and this one")
    assert (await first).reason == "and this one"
    assert [ref.statistics().interrupted for ref in (one, other)] == [1, 1]
    assert manager.get_active_runs() == {}


async def test_the_systems_manager_is_used_only_where_spawn_names_none(new_system):
    """R21: it is a default for `spawn`, not one more place where every run is registered."""
    default, own = InMemoryCancellationManager(), InMemoryCancellationManager()
    async with new_system(cancellation=default) as system:
        plain = await system.spawn(Doer())
        special = await system.spawn(Doer(), cancellation=own)
        one, other = await hanging(plain, "plain"), await hanging(special, "special")
        assert (default.get_active_runs(), own.get_active_runs()) == ({"plain": False}, {"special": False})
        assert not await default.acancel_run("special")
        await quiet()
        assert other.status == "running"
        assert await default.acancel_run("plain", reason="the default's")
        assert (await one).reason == "the default's"
        await other.interrupt()
    assert default.get_active_runs() == own.get_active_runs() == {}


async def test_a_child_has_the_systems_manager_and_not_its_parents_unless_it_is_given_one(new_system):
    """R21: what `context.spawn` names none for, as what `system.spawn` names none for."""
    default, own = InMemoryCancellationManager(), InMemoryCancellationManager()
    hangs = [Hang(), Hang()]

    async def has_children(actor):
        plain = await actor.context.spawn(Doer())
        special = await actor.context.spawn(Doer(), cancellation=own)
        runs = [await ref.request(hang, run_id=hang_id) for ref, hang, hang_id in children(plain, special)]
        for hang in hangs:
            await hang.began.wait()
        return [await run for run in runs]

    def children(plain, special):
        return (plain, hangs[0], "plain"), (special, hangs[1], "special")

    async with new_system(cancellation=default) as system, anyio.create_task_group() as group:
        parent = await system.spawn(Doer(), cancellation=own)
        call = Call(group, parent.ask, has_children, run_id="parent")
        for hang in hangs:
            await hang.began.wait()
        assert default.get_active_runs() == {"plain": False}
        assert own.get_active_runs() == {"parent": False, "special": False}
        assert default.cancel_run("plain", reason="one")
        assert own.cancel_run("special", reason="other")
        assert [interruption.reason for interruption in await call.result()] == ["one", "other"]
    assert default.get_active_runs() == own.get_active_runs() == {}


async def test_managers_are_told_apart_by_identity(system):
    """R21: two that are equal, and cannot be hashed, are two."""

    class AllAlike(SyncOnlyManager):
        def __eq__(self, other):
            return isinstance(other, AllAlike)

        __hash__ = None

    ours, theirs = AllAlike(), AllAlike()
    gate = Gate()
    one = await system.spawn(Doer(), cancellation=ours)
    other = await system.spawn(Doer(), cancellation=theirs)
    again = await system.spawn(Doer(), cancellation=theirs)
    async with anyio.create_task_group() as group:
        calls = [
            Call(group, ref.ask, gate, run_id=run_id)
            for ref, run_id in ((one, "ours"), (other, "theirs"), (again, "theirs too"))
        ]
        while len(ours.runs) + len(theirs.runs) < 3:  # noqa: ASYNC110 - a thread registers them, and tells nobody
            await anyio.sleep(0.001)
        assert (set(ours.runs), set(theirs.runs)) == ({"ours"}, {"theirs", "theirs too"})
        gate.open()
        assert [await call.result() for call in calls] == ["opened"] * 3
    assert (ours.runs, theirs.runs) == ({}, {})


async def test_without_a_manager_there_is_none(system):
    """R21: no default anywhere that somebody else could have put something into."""
    bystander = InMemoryCancellationManager()
    ref = await system.spawn(Doer())
    run = await hanging(ref, "run")
    assert bystander.get_active_runs() == {}
    assert not await bystander.acancel_run("run")
    await quiet()
    assert run.status == "running"
    assert (await run.interrupt()).outcome == "interrupted"
    assert await ref.ask("next", run_id="run") == "next"


def test_no_module_holds_a_manager():
    """R21: no module-level manager, registry or default that can be replaced."""
    for module in pkgutil.walk_packages(actors.__path__, "actors."):
        import_module(module.name)
    kinds = (CancellationManager, Registrar, Managers, ActorSystem)
    modules = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in ("actors", "backends")}
    held = [
        f"{name}.{attribute}"
        for name, module in modules.items()
        for attribute, value in vars(module).items()
        if isinstance(value, kinds)
    ]
    assert held == []
    assert len(modules) > 40


async def test_what_is_no_manager_is_refused_at_spawn(system):
    """Design, section 4: any object with agno's methods will do; the error says which one is missing, and no actor is left."""

    class Halfway:
        def register_run(self, run_id):
            """Only this one."""

    for nonsense, missing in ((object(), "register_run"), ("runs.json", "register_run"), (Halfway(), "cancel_run")):
        with pytest.raises(TypeError, match=f"{type(nonsense).__name__} is no .*: it has neither {missing}"):
            await system.spawn(Doer(), name="actor", cancellation=nonsense)
        assert system.find("actor") is None
    assert await (await system.spawn(Doer(), name="actor")).ask("hello") == "hello"


async def test_a_class_of_managers_is_no_manager(system):
    """A pair of forgotten parentheses would otherwise be a manager that registers nothing, and nobody would be told."""
    with pytest.raises(TypeError, match="InMemoryCancellationManager"):
        await system.spawn(Doer(), name="actor", cancellation=InMemoryCancellationManager)
    assert system.find("actor") is None


async def test_a_run_id_belongs_to_one_run_of_the_system_whatever_the_managers(system):
    """docs/managers.md: one run at a time in the whole system has an id, also where two managers could keep it apart."""
    ours, theirs = InMemoryCancellationManager(), InMemoryCancellationManager()
    one = await system.spawn(Doer(), cancellation=ours)
    other = await system.spawn(Doer(), cancellation=theirs)
    first = await hanging(one, "run")
    for ref in (other, one):
        with pytest.raises(DuplicateRunError) as caught:
            await ref.ask("second", run_id="run")
        assert (caught.value.run_id, caught.value.where) == ("run", one.path)
    await quiet()
    assert (ours.get_active_runs(), theirs.get_active_runs()) == ({"run": False}, {})
    assert await ours.acancel_run("run", reason="still reached")
    assert (await first).reason == "still reached"
    assert await other.ask("after it", run_id="run") == "after it"


async def test_a_cancelled_run_is_answered_and_no_longer_registered_when_its_asker_is_told(system):
    """R21, R25, promise 4: the three things that a manager is for, in one."""
    manager = InMemoryCancellationManager()
    actor = Doer()
    ref = await system.spawn(actor, cancellation=manager)
    looked = []

    async def ask(message, run_id):
        try:
            return await ref.ask(message, run_id=run_id)
        finally:
            looked.append(manager.get_active_runs())

    manager.cancel_run("early", reason="before")
    hang, begun = Hang(), []

    async def never(_actor):
        begun.append("never")

    async with anyio.create_task_group() as group:
        call = Call(group, ask, hang, "running")
        await hang.began.wait()
        assert await manager.acancel_run("running", reason="during")
        interruption = await call.result()
    assert (interruption.source, interruption.reason, interruption.started) == ("manager", "during", True)
    interruption = await ask(never, "early")
    assert begun == []
    assert (interruption.source, interruption.reason, interruption.started) == ("manager", "before", False)
    assert len(actor.handled) == 2
    assert not await manager.acancel_run("running", reason="after")
    assert await ask("again", "running") == "again"
    assert looked == [{}, {}, {}]
