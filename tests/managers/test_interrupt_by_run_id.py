"""`system.interrupt(run_id)`: a run of this system is interrupted; any other id goes to the system's own manager."""

from __future__ import annotations

import anyio
import pytest

from actors import ActorStopped, InMemoryCancellationManager
from actors.abc import CancelResult
from tests._support import Call, Doer, Gate, Hang, quiet


async def hanging(ref, run_id="run"):
    hang = Hang()
    run = await ref.request(hang, run_id=run_id)
    await hang.began.wait()
    return run


async def test_a_run_of_this_system_is_interrupted_directly(new_system, memory):
    """Section 2 of the design: wherever it is; its source is the caller, its receipt the whole one."""
    async with new_system(cancellation=memory.manager) as system:
        actor = Doer()
        run = await hanging(await system.spawn(actor))
        receipt = await system.interrupt("run", "too dear", by="anna", message="sorry")
        assert (receipt.outcome, receipt.run_id, bool(receipt)) == ("interrupted", "run", True)
        assert (receipt.reason, receipt.by) == ("too dear", "anna")
        interruption = await run
        assert (interruption.source, interruption.reason, interruption.by) == ("caller", "too dear", "anna")
        assert interruption.message == "sorry"
        assert not memory.manager.is_cancelled("run")


async def test_it_finds_the_run_of_an_actor_with_another_manager_or_none(new_system, memory):
    """Section 2 of the design: for a run of this system no manager is asked."""
    own = InMemoryCancellationManager()
    async with new_system(cancellation=memory.manager) as system:
        other = await hanging(await system.spawn(Doer(), cancellation=own), "other")
        assert (await system.interrupt("other")).outcome == "interrupted"
        assert (await other).source == "caller"
        assert await memory.manager.acancel_run("unknown") is False
    async with new_system() as system:
        without = await hanging(await system.spawn(Doer()), "without")
        assert (await system.interrupt("without")).outcome == "interrupted"
        assert (await without).source == "caller"


async def test_a_queued_run_is_answered_before_others_and_touches_no_store(new_system, memory):
    """R40: it need not wait for its registration, as a cancel through the manager would."""
    async with new_system(cancellation=memory.manager) as system:
        ref = await system.spawn(Doer())
        gate = Gate()
        await ref.request(gate)
        await gate.began.wait()
        queued = await ref.request("never", run_id="queued")
        assert (await system.interrupt("queued", grace=0)).outcome == "deferred"
        gate.open()
        assert (await queued).started is False
        assert not memory.manager.is_cancelled("queued")


async def test_an_unknown_id_is_stored_for_the_run_that_will_have_it(new_system, store):
    """Design, section 2: the receipt says `stored`, which is not a success, for nothing has ended."""
    async with new_system(cancellation=store.manager) as system:
        receipt = await system.interrupt("run", "never mind", by="anna")
        assert (receipt.outcome, receipt.run_id, bool(receipt)) == ("stored", "run", False)
        assert (receipt.reason, receipt.by) == ("never mind", "anna")
        ref = await system.spawn(Doer())
        interruption = await ref.ask("never", run_id="run")
        assert (interruption.started, interruption.source) == (False, "manager")
        assert (interruption.reason, interruption.by) == ("never mind", "anna")


async def test_an_id_that_has_just_ended_is_finished(new_system, store):
    """R22: nothing is stored, and the next run with that id is left alone."""
    async with new_system(cancellation=store.manager) as system:
        ref = await system.spawn(Doer())
        assert await ref.ask("done", run_id="run") == "done"
        receipt = await system.interrupt("run", "too late", by="anna")
        assert (receipt.outcome, receipt.run_id, bool(receipt)) == ("finished", "run", False)
        assert (receipt.reason, receipt.by) == ("too late", "anna")
        assert await ref.ask("again", run_id="run") == "again"


async def test_an_id_whose_owner_is_gone_is_said_to_be(new_system):
    """R30: the receipt passes on what the manager has found out."""

    class Widowed(InMemoryCancellationManager):
        def request_cancel_sync(self, run_id, *, reason="", by=None):
            asked.append((run_id, reason, by))
            return CancelResult(run_id, "owner_gone")

    asked = []
    async with new_system(cancellation=Widowed()) as system:
        receipt = await system.interrupt("orphan", "no use", by="anna")
        assert (receipt.outcome, receipt.run_id, bool(receipt)) == ("owner_gone", "orphan", False)
        assert asked == [("orphan", "no use", "anna")]


async def test_a_run_of_another_system_is_interrupted_through_the_manager_they_share(new_system, store):
    """R29: `stored`, not `interrupted`: that its reply has ended is not known here."""
    async with new_system(cancellation=store.manager) as ours, new_system(cancellation=store.manager) as theirs:
        actor = Doer()
        run = await hanging(await theirs.spawn(actor))
        receipt = await ours.interrupt("run", "from next door", by="anna")
        assert (receipt.outcome, bool(receipt)) == ("stored", False)
        interruption = await run
        assert (interruption.source, interruption.reason, interruption.by) == ("manager", "from next door", "anna")
        assert len(actor.handled) == 1
        assert (await ours.interrupt("run")).outcome == "finished"


async def test_two_systems_in_two_files_of_one_process_cancel_each_other(new_system, file):
    """R21, R26: what they share is the store, not the manager."""
    async with new_system(cancellation=file.manager) as one, new_system(cancellation=file.elsewhere) as other:
        mine, yours = await hanging(await one.spawn(Doer()), "mine"), await hanging(await other.spawn(Doer()), "yours")
        assert file.active() == {"mine": False, "yours": False}
        async with anyio.create_task_group() as group:
            calls = [Call(group, one.interrupt, "yours", "by one"), Call(group, other.interrupt, "mine", "by other")]
            assert [(await call.result()).outcome for call in calls] == ["stored", "stored"]
            assert [(await mine).reason, (await yours).reason] == ["by other", "by one"]
        assert file.active() == {}


async def test_without_a_manager_of_its_own_an_unknown_id_is_finished(system, memory):
    """R21: managers that `spawn` was given are their actors', and are not asked for ids of nobody's."""
    ref = await system.spawn(Doer(), cancellation=memory.manager)
    receipt = await system.interrupt("run", "why", by="anna")
    assert (receipt.outcome, receipt.run_id, receipt.reason, receipt.by) == ("finished", "run", "why", "anna")
    assert await ref.ask("left alone", run_id="run") == "left alone"
    assert ref.statistics().interrupted == 0


async def test_asking_the_manager_opens_it_and_the_system_closes_it(new_system, memory):
    """Design, section 2: also if no actor has ever used it."""

    class Counting(InMemoryCancellationManager):
        async def connect(self):
            log.append("connect")

        async def disconnect(self):
            log.append("disconnect")

    log = []
    async with new_system(cancellation=Counting()) as system:
        await quiet()
        assert log == []
        assert (await system.interrupt("run")).outcome == "stored"
        assert (await system.interrupt("run")).outcome == "stored"
        assert log == ["connect"]
    assert log == ["connect", "disconnect"]


async def test_a_system_that_is_not_open_interrupts_nothing(new_system, memory):
    """Nothing is stored on its behalf."""
    system = new_system(cancellation=memory.manager)
    with pytest.raises(ActorStopped):
        await system.interrupt("run")
    async with system:
        pass
    with pytest.raises(ActorStopped):
        await system.interrupt("run")
    assert not memory.manager.is_cancelled("run")
