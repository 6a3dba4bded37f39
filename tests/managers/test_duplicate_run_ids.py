"""Design, section 4: a second active registration raises `DuplicateRunError` to the asker, and leaves the first alone."""

from __future__ import annotations

import anyio
import pytest

from actors import DuplicateRunError
from tests._support import Call, Doer, Gate, Hang, quiet


def never(_actor):
    raise AssertionError("the reply of a run whose id was taken has begun")


async def test_an_id_that_somebody_else_has_registered_is_refused(system, store):
    """By hand, with the same store: the asker is told, nothing begins or is handled, and the registration stays theirs."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=store.manager)
    store.elsewhere.register_run("run")
    for _ in range(2):
        with pytest.raises(DuplicateRunError, match="'run' is already in use") as caught:
            await ref.ask(never, run_id="run")
        assert caught.value.run_id == "run"
        assert store.active() == {"run": False}
    assert (actor.handled, ref.statistics().failed) == ([], 2)
    assert store.cancel("run", reason="meant for them") == "registered"
    await quiet()
    assert actor.handled == []
    store.elsewhere.cleanup_run("run")
    assert await ref.ask("now it is free", run_id="run") == "now it is free"


async def test_the_actor_goes_on_with_what_is_queued_behind_it(system, store):
    """Promise 8: one message's failure is its own."""
    ref = await system.spawn(Doer(), cancellation=store.manager)
    store.elsewhere.register_run("taken")
    gate = Gate()
    first = await ref.request(gate)
    await gate.began.wait()
    refused, behind = await ref.request(never, run_id="taken"), await ref.request("behind", run_id="free")
    gate.open()
    assert await first == "opened"
    with pytest.raises(DuplicateRunError):
        await refused
    assert await behind == "behind"
    assert (refused.status, store.active()) == ("failed", {"taken": False})
    store.elsewhere.cleanup_run("taken")


async def test_a_cancelled_registration_of_somebody_else_is_not_this_ones_cancel(system, store):
    """R2: the intent is the other run's; a duplicate is a duplicate all the same."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=store.manager)
    store.elsewhere.register_run("run")
    assert store.cancel("run", reason="meant for them") == "registered"
    with pytest.raises(DuplicateRunError):
        await ref.ask(never, run_id="run")
    assert (actor.handled, store.active()) == ([], {"run": True})
    store.elsewhere.cleanup_run("run")
    assert store.cancel("run") == "finished"


async def test_two_systems_that_share_a_manager_cannot_both_have_an_id(new_system, store):
    """Each of them knows only its own runs; the store knows both."""
    hang = Hang()
    async with new_system(cancellation=store.manager) as one, new_system(cancellation=store.manager) as other:
        ref, theirs = await one.spawn(Doer()), await other.spawn(Doer())
        async with anyio.create_task_group() as group:
            call = Call(group, ref.ask, hang, run_id="run")
            await hang.began.wait()
            with pytest.raises(DuplicateRunError):
                await theirs.ask(never, run_id="run")
            assert store.active() == {"run": False}
            assert store.cancel("run", reason="the first one") == "registered"
            assert (await call.result()).reason == "the first one"
        assert await theirs.ask("after it", run_id="run") == "after it"
        assert ref.statistics().interrupted == 1
