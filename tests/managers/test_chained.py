"""A local manager in front of one over a network: interrupts never wait for the network, and nothing gets lost behind."""

from __future__ import annotations

import anyio
import attrs
import pytest

from actors import DuplicateRunError, InMemoryCancellationManager, ManagerError
from actors.abc import CancelIntent
from actors.backends import ChainedCancellationManager
from tests._programs import until
from tests._support import Doer, Gate, Hang
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401
from tests.contracts.remote_like import RemoteManager
from tests.managers._doubles import Held, said

PATIENCE = 0.05


@attrs.define(eq=False)
class Chain:
    """A chain, its parts, and the way of somebody who is elsewhere."""

    remote: Held
    local: InMemoryCancellationManager
    manager: ChainedCancellationManager

    @property
    def server(self):
        return self.remote.server

    def behind(self):
        return self.server.runs.get_active_runs()

    def elsewhere(self):
        return RemoteManager(self.server)


@pytest.fixture
def chain():
    """In virtual time, so what is said about seconds is exact; each turn of the event loop takes a thousandth."""
    remote, local = Held(timeout=5, safety_period=2), InMemoryCancellationManager()
    yield Chain(remote, local, ChainedCancellationManager(local, remote, patience=PATIENCE))
    assert local.get_active_runs() == {}


async def elapsed(call):
    began = anyio.current_time()
    await call
    return anyio.current_time() - began


async def hanging(ref, run_id="run"):
    hang = Hang()
    run = await ref.request(hang, run_id=run_id)
    await hang.began.wait()
    return run


@attrs.define
class Watched:
    """Runs that are watched through the chain, without a system, and what was told of them."""

    told: list = attrs.field(factory=list)


async def watched(group, manager, *run_ids):
    seen = Watched()
    group.start_soon(manager.watch, lambda: run_ids, seen.told.append)
    await until(lambda: manager.health().watching)
    return seen


# ---- here -----------------------------------------------------------------------------------------------------------


async def test_neither_an_interrupt_nor_its_caller_waits_while_the_network_hangs(new_system, chain):
    """Issue 4: local interrupts never wait for a network; the asker is told at once too, although nothing answers behind."""
    async with new_system(cancellation=chain.manager) as system:
        ref = await system.spawn(Doer())
        run = await hanging(ref)
        assert chain.behind() == {"run": False}
        chain.server.hangs = True

        async def cancel():
            assert await chain.manager.acancel_run("run", reason="enough", by="anna") is True
            interruption = await run
            assert (interruption.source, interruption.reason, interruption.by) == ("manager", "enough", "anna")

        assert await elapsed(cancel()) < PATIENCE
        chain.server.hangs = False
        await until(lambda: not chain.behind())


async def test_a_reply_waits_for_the_registration_behind_by_its_patience_once_and_then_not_at_all(
    system, chain, caplog
):
    """R28: and is registered in front all the while, and behind as soon as that answers again."""
    chain.server.hangs = True
    ref = await system.spawn(Doer(), cancellation=chain.manager)
    assert PATIENCE <= await elapsed(ref.ask("first")) < 1.5 * PATIENCE
    for _ in range(3):
        assert await elapsed(ref.ask("next")) < PATIENCE / 2
    gate = Gate()
    run = await ref.request(gate, run_id="run")
    await gate.began.wait()
    assert (chain.local.get_active_runs(), chain.behind()) == ({"run": False}, {})
    assert not chain.manager.health()
    assert "behind (Held): " in chain.manager.health().error
    assert len(said(caplog, "manager_unreachable")) == 1
    chain.server.hangs = False
    await until(lambda: chain.behind() == {"run": False})
    assert chain.manager.health()
    gate.open()
    await run
    await until(lambda: not chain.behind())


async def test_a_cancel_here_is_told_behind_when_that_answers_again(chain):
    """Issue 4: a cancel issued during the outage takes effect, everywhere; as long as the run lives."""
    async with chain.manager, anyio.create_task_group() as group:
        await chain.manager.enroll("run", owner="me")
        seen = await watched(group, chain.manager, "run")
        chain.server.error = ManagerError("down")
        assert await chain.manager.acancel_run("run", reason="enough", by="anna")
        await until(lambda: seen.told)
        await until(lambda: chain.server.count("cancel") > 3)
        assert not chain.server.runs.is_cancelled("run")
        chain.server.error = None
        await until(lambda: chain.server.runs.is_cancelled("run"))
        (intent,) = chain.server.runs.intents_sync(["run"]).values()
        assert (intent.reason, intent.by) == ("enough", "anna")
        await chain.manager.acleanup_run("run", owner="me")
        await until(lambda: not chain.behind())
        group.cancel_scope.cancel()


async def test_a_cancel_that_could_not_be_told_behind_does_not_meet_the_next_run_with_that_id(chain):
    """R2, R22: what was not told while the run lived is not told later."""
    async with chain.manager, anyio.create_task_group() as group:
        await chain.manager.enroll("run", owner="me")
        seen = await watched(group, chain.manager, "run")
        chain.server.error = ManagerError("down")
        assert await chain.manager.acancel_run("run")
        await until(lambda: seen.told)
        await chain.manager.acleanup_run("run", owner="me")
        assert await chain.manager.enroll("run", owner="me") is None
        chain.server.error = None
        await until(lambda: chain.behind() == {"run": False} and chain.manager.health())
        await anyio.sleep(10)
        assert (len(seen.told), chain.server.runs.is_cancelled("run")) == (1, False)
        await chain.manager.acleanup_run("run", owner="me")
        group.cancel_scope.cancel()


async def test_a_cancel_of_a_run_that_is_not_here_raises_if_it_cannot_be_stored_and_is_not_kept_in_front(chain):
    """R28: never both, an error and a cancel that takes effect later; and R2: no local flag for what ends elsewhere."""
    async with chain.manager, chain.elsewhere() as elsewhere:
        await elsewhere.enroll("theirs", owner="them")
        chain.server.error = ManagerError("down")
        for run_id in ("theirs", "nobody's"):
            with pytest.raises(ManagerError, match="down"):
                await chain.manager.acancel_run(run_id)
        chain.server.error = None
        assert await chain.manager.acancel_run("theirs") is True
        assert (await chain.manager.request_cancel("nobody's")).outcome == "stored"
        assert chain.local.intents_sync(["theirs", "nobody's"]) == {}
        assert await chain.manager.ais_cancelled("nobody's")
        await elsewhere.acleanup_run("theirs")
        assert await chain.manager.enroll("theirs") is None
        await chain.manager.acleanup_run("theirs")


# ---- behind ---------------------------------------------------------------------------------------------------------


async def test_a_cancel_that_is_stored_behind_interrupts_the_run_here(system, chain):
    """Issue 4: with the words of whoever cancelled, and seen in front as well."""
    actor = Doer()
    run = await hanging(await system.spawn(actor, cancellation=chain.manager))
    async with chain.elsewhere() as elsewhere:
        assert await elsewhere.acancel_run("run", reason="from afar", by="ben") is True
        interruption = await run
    assert (interruption.source, interruption.reason, interruption.by) == ("manager", "from afar", "ben")
    assert len(actor.handled) == 1
    await until(lambda: not chain.behind())


async def test_a_cancel_behind_that_came_before_the_run_is_answered_without_beginning(system, chain):
    """Promise 4."""
    async with chain.elsewhere() as elsewhere:
        assert await elsewhere.acancel_run("run", reason="early") is False
    never = Hang()
    interruption = await (await system.spawn(Doer(), cancellation=chain.manager)).ask(never, run_id="run")
    assert (interruption.started, interruption.reason, never.began.is_set()) == (False, "early", False)


async def test_a_run_that_was_cancelled_behind_before_an_outage_let_it_be_registered_is_interrupted_after_it(
    system, chain
):
    """R26: found when the registration is made up for."""
    chain.server.runs.cancel_run("run", reason="early")
    chain.server.error = ManagerError("down")
    run = await hanging(await system.spawn(Doer(), cancellation=chain.manager))
    chain.server.error = None
    interruption = await run
    assert (interruption.started, interruption.source, interruption.reason) == (True, "manager", "early")
    await until(lambda: not chain.behind())


async def test_a_cancel_behind_whose_push_was_lost_is_found_by_reading_again(system, chain):
    """R26: after the connection is cut, and on the safety poll."""
    ref = await system.spawn(Doer(), cancellation=chain.manager)
    for cut in (True, False):
        run = await hanging(ref)
        await until(lambda: chain.server.listeners)
        chain.server.mute = True
        chain.server.runs.cancel_run("run", reason="unheard")
        if cut:
            chain.server.cut_off()
        assert (await run).reason == "unheard"
        chain.server.mute = False


async def test_a_run_id_that_is_registered_elsewhere_is_refused_and_not_kept_in_front(system, chain):
    """R22: and the one that has it goes on."""
    ref = await system.spawn(Doer(), cancellation=chain.manager)
    async with chain.elsewhere() as elsewhere:
        await elsewhere.enroll("run", owner="them")
        with pytest.raises(DuplicateRunError, match="run"):
            await ref.ask("never", run_id="run")
        assert (chain.local.get_active_runs(), chain.behind()) == ({}, {"run": False})
        await elsewhere.acleanup_run("run", owner="them")
    assert await ref.ask("now", run_id="run") == "now"


async def test_what_could_not_be_cleaned_up_behind_is_made_up_for_while_others_run(system, chain):
    """R25."""
    run, long = [
        await hanging(await system.spawn(Doer(), cancellation=chain.manager), run_id) for run_id in ("run", "long")
    ]
    chain.server.error = ManagerError("down")
    await run.interrupt()
    assert chain.behind() == {"run": False, "long": False}
    chain.server.error = None
    await until(lambda: chain.behind() == {"long": False})
    await long.interrupt()
    await until(lambda: not chain.behind())


async def test_the_cancel_of_an_earlier_run_that_is_still_stored_behind_does_not_meet_the_next_one(system, chain):
    """R2: its end could not be told behind; the next run with that id begins during the outage, and lives."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=chain.manager)
    run = await hanging(ref)
    await until(lambda: chain.server.listeners)
    chain.server.error = ManagerError("down")
    chain.server.runs.cancel_run("run", reason="for the first")
    await run.interrupt("by hand")
    gate = Gate()
    again = await ref.request(gate, run_id="run")
    await gate.began.wait()
    chain.server.error = None
    await until(lambda: chain.behind() == {"run": False})
    await anyio.sleep(10)
    assert not await chain.manager.ais_cancelled("run")
    gate.open()
    assert await again == "opened"
    assert [interruption.reason for interruption in actor.handled] == ["by hand"]


async def test_a_question_is_not_answered_with_the_flag_of_an_earlier_run_whose_end_is_on_its_way(chain):
    """R2: the cleanup hangs behind while the next run with that id is registered in front."""
    async with chain.manager, anyio.create_task_group() as group:
        await chain.manager.enroll("run", owner="me")
        await watched(group, chain.manager, "run")
        chain.server.mute = True
        chain.server.runs.cancel_run("run")
        chain.remote.held.add("cleanup")
        await chain.manager.acleanup_run("run", owner="me")
        await chain.remote.arrived.wait()
        assert await chain.manager.enroll("run", owner="me") is None
        assert not await chain.manager.ais_cancelled("run")
        chain.remote.let_go()
        await until(lambda: chain.behind() == {"run": False})
        assert not await chain.manager.ais_cancelled("run")
        await chain.manager.acleanup_run("run", owner="me")
        group.cancel_scope.cancel()


async def test_a_cancel_behind_of_a_run_that_follows_at_once_on_one_with_its_id_is_not_taken_for_that_ones(chain):
    """R2, R26: the end of the first is on its way when the second is registered, which waits for it."""
    async with chain.manager, chain.elsewhere() as elsewhere, anyio.create_task_group() as group:
        await chain.manager.enroll("run", owner="me")
        seen = await watched(group, chain.manager, "run")
        assert await elsewhere.acancel_run("run", reason="first")
        await until(lambda: seen.told)
        chain.remote.held.add("cleanup")
        await chain.manager.acleanup_run("run", owner="me")
        await chain.remote.arrived.wait()
        group.start_soon(let_go_soon, chain.remote)
        assert await chain.manager.enroll("run", owner="me") is None
        assert await elsewhere.acancel_run("run", reason="second")
        await until(lambda: len(seen.told) > 1)
        assert [intent.reason for intent in seen.told] == ["first", "second"]
        await chain.manager.acleanup_run("run", owner="me")
        group.cancel_scope.cancel()


async def let_go_soon(remote):
    await anyio.sleep(PATIENCE / 2)
    remote.let_go()


async def test_a_cancel_that_is_passed_on_after_the_run_has_ended_is_not_kept_for_the_next(chain):
    """R2: a push that was on its way."""
    async with chain.manager:
        await chain.manager._pass_on(CancelIntent("run", "late"))
        assert chain.local.intents_sync(["run"]) == {}


async def test_a_question_is_answered_from_what_is_known_in_front_while_nothing_answers_behind(chain):
    """R28: a reply that polls its own flag does not fail; a list that would not be whole does."""
    async with chain.manager:
        await chain.manager.enroll("run", owner="me")
        chain.server.hangs = True
        assert await elapsed(chain.manager.ais_cancelled("run")) < 2 * PATIENCE
        await chain.manager.acancel_run("run")
        assert await chain.manager.ais_cancelled("run")
        with pytest.raises(ManagerError, match="Held, behind, did not answer within 5 s"):
            await chain.manager.aget_active_runs()
        chain.server.hangs = False
        await until_async(lambda: chain.manager.acleanup_run("run"), lambda: not chain.behind())


async def until_async(call, condition):
    while not condition():
        await call()
        await anyio.sleep(0.1)


async def test_two_systems_that_share_a_chain_are_both_heard_also_when_one_has_left(new_system, chain):
    """R27: one subscription behind, and whoever is left takes it over."""
    async with new_system(cancellation=chain.manager) as staying, chain.elsewhere() as elsewhere:
        async with new_system(cancellation=chain.manager) as leaving:
            run = await hanging(await leaving.spawn(Doer()), "run")
            other = await hanging(await staying.spawn(Doer()), "other")
            await until(lambda: chain.server.listeners)
            assert len(chain.server.listeners) == 1
            await elsewhere.acancel_run("run", reason="one")
            assert (await run).reason == "one"
        await elsewhere.acancel_run("other", reason="another")
        assert (await other).reason == "another"
        assert len(chain.server.listeners) <= 1


async def test_a_chain_that_is_closed_takes_back_what_is_registered_behind_and_opens_again(chain):
    """R25: bounded in time when it hangs."""
    for _ in range(2):
        async with chain.manager:
            await chain.manager.enroll("run", owner="me")
            assert chain.behind() == {"run": False}
            began = anyio.current_time()
        assert anyio.current_time() - began < 0.1
        assert (chain.behind(), chain.server.connections) == ({}, 0)
        chain.local.cleanup_run("run")
    async with chain.manager:
        await chain.manager.enroll("run", owner="me")
        chain.server.hangs = True
        began = anyio.current_time()
    assert anyio.current_time() - began < 5
    chain.local.cleanup_run("run")


async def test_the_one_behind_being_down_at_the_start_harms_nobody(new_system, chain):
    """R28: not even opening; and it is used as soon as it is there."""
    chain.server.error = ManagerError("down")
    async with new_system(cancellation=chain.manager) as system:
        ref = await system.spawn(Doer())
        assert await ref.ask("a reply") == "a reply"
        run = await hanging(ref)
        chain.server.error = None
        await until(lambda: chain.behind() == {"run": False})
        assert chain.server.runs.cancel_run("run", reason="now it is there")
        assert (await run).reason == "now it is there"


async def test_used_without_being_opened_it_says_so(chain):
    with pytest.raises(ManagerError, match="is not open: use it inside `async with`"):
        await chain.manager.enroll("run")
