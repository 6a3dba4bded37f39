"""R28: a store that fails or hangs never fails a healthy reply, delays it by the register timeout at most, and is logged."""

from __future__ import annotations

import anyio
import pytest

from actors import DuplicateRunError, InMemoryCancellationManager, ManagerError
from tests._support import Call, Doer, Gate, Hang, quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401
from tests.contracts.remote_like import RemoteManager, Server
from tests.managers._doubles import Held, leave, said

REGISTER_TIMEOUT = 0.1


@pytest.fixture
def server():
    return Server()


async def elapsed(call):
    """How long the call took, in seconds of virtual time; each turn of the event loop takes a thousandth."""
    began = anyio.current_time()
    await call
    return anyio.current_time() - began


@pytest.mark.parametrize("call", ["connect", "enroll", "cleanup", "listen", "intents"])
async def test_a_call_that_fails_is_nothing_to_the_reply(system, server, caplog, call):
    """R28: neither value nor error nor time."""
    manager = RemoteManager(server)
    ref = await system.spawn(Doer(), cancellation=manager)

    async def fails(_actor):
        raise ZeroDivisionError

    async def talks(_actor):
        await anyio.sleep(1)  # so that the watch begins too
        return "a reply"

    server.broken.add(call)
    assert await ref.ask(talks) == "a reply"
    with pytest.raises(ZeroDivisionError):
        await ref.ask(fails)
    assert await elapsed(ref.ask("next")) < REGISTER_TIMEOUT
    assert (ref.statistics().completed, ref.statistics().failed) == (2, 1)
    faults = {"connect": "manager_unreachable", "enroll": "manager_unreachable", "cleanup": "manager_unreachable"}
    faults |= {"listen": "manager_subscription_lost", "intents": "manager_unreachable"}
    assert f"{call} does not work" in said(caplog, faults[call])[0]["error"]
    server.broken.clear()


@pytest.mark.parametrize("call", ["connect", "enroll"])
async def test_a_registration_that_hangs_delays_the_reply_by_the_register_timeout(system, server, caplog, call):
    """Design, section 4: 0.1 s, then it goes on, with a log entry."""
    manager = Held(call, server=server)
    ref = await system.spawn(Doer(), cancellation=manager)
    assert REGISTER_TIMEOUT <= await elapsed(ref.ask("first", run_id="first")) < 1.5 * REGISTER_TIMEOUT
    (fields,) = said(caplog, "manager_unreachable")
    assert (fields["manager"], fields["run_id"], fields["wanted"]) == ("Held", "first", True)
    manager.let_go()
    await anyio.sleep(10)
    assert await elapsed(ref.ask("well again")) < REGISTER_TIMEOUT / 2


async def test_a_store_that_is_known_not_to_answer_delays_nobody(system, server, caplog):
    """Design, section 4: the first one has waited for all; one outage is one log entry."""
    ref = await system.spawn(Doer(), cancellation=RemoteManager(server))
    server.hangs = True
    assert REGISTER_TIMEOUT <= await elapsed(ref.ask("first")) < 1.5 * REGISTER_TIMEOUT
    for _ in range(5):
        assert await elapsed(ref.ask("next")) < REGISTER_TIMEOUT / 2
    assert len(said(caplog, "manager_unreachable")) == 1
    server.hangs = False


async def test_a_store_that_can_be_read_but_not_written_delays_only_the_first(system, server):
    """Design, section 4: as when another process keeps the lock of the JSON file, which reading does not need."""
    manager, hang = Held("enroll", "cleanup", server=server, safety_period=0.01), Hang()
    ref = await system.spawn(Doer(), cancellation=manager)
    run = await ref.request(hang)
    await hang.began.wait()
    reads = server.count("intents")
    await anyio.sleep(1)
    assert server.count("intents") > reads
    try:
        await run.interrupt()
        assert await elapsed(ref.ask("second")) < REGISTER_TIMEOUT / 2
    finally:
        manager.let_go()
    assert not manager.health()


async def test_runs_that_do_not_wait_find_out_that_the_store_is_well_again(system, server):
    """R28: after an outage that outlasted every retry, though each run is over before anybody could have tried for it."""
    manager = RemoteManager(server)
    ref = await system.spawn(Doer(), cancellation=manager)
    server.broken |= {"enroll", "cleanup"}
    assert await ref.ask("first") == "first"
    await anyio.sleep(100)
    assert not manager.health()
    server.broken.clear()
    assert await ref.ask("second") == "second"
    await anyio.sleep(5)
    assert manager.health()
    assert await ref.ask("third", run_id="third") == "third"
    assert server.runs.request_cancel_sync("third").outcome == "finished"


async def test_a_cleanup_that_hangs_delays_the_asker_by_the_register_timeout_and_goes_on_later(system, server, caplog):
    """Design, section 4: cleanup is bounded in time; what it could not do is done when the store is well again (R25)."""
    manager = Held("cleanup", server=server, timeout=0.5)
    ref = await system.spawn(Doer(), cancellation=manager)
    assert REGISTER_TIMEOUT <= await elapsed(ref.ask("first", run_id="first")) < 1.5 * REGISTER_TIMEOUT
    assert server.runs.get_active_runs() == {"first": False}
    (fields,) = said(caplog, "manager_unreachable")
    assert (fields["run_id"], fields["wanted"]) == ("first", False)
    manager.let_go()
    await anyio.sleep(20)
    assert server.runs.get_active_runs() == {}
    assert server.runs.request_cancel_sync("first").outcome == "finished"


async def test_the_same_run_id_can_be_used_again_while_its_cleanup_hangs(system, server):
    """R22: and the cancel of the old run is not meant for the new one."""
    manager, hang, actor = Held("cleanup", server=server, timeout=0.5), Hang(), Doer()
    ref = await system.spawn(actor, cancellation=manager)
    run = await ref.request(hang, run_id="run")
    await hang.began.wait()
    server.runs.cancel_run("run", reason="meant for the old one")
    server.push("run")
    assert (await run).reason == "meant for the old one"
    gate = Gate()
    again = await ref.request(gate, run_id="run")
    await gate.began.wait()
    manager.let_go()
    await anyio.sleep(20)
    assert (again.status, server.runs.get_active_runs()) == ("running", {"run": False})
    gate.open()
    assert await again == "opened"
    assert len(actor.handled) == 1


async def test_a_cancel_stored_before_the_late_registration_is_delivered_by_it(system, server):
    """R26, R28: the store was down when the run began; whoever cancelled meanwhile is heard as soon as it is back."""
    actor, hang = Doer(), Hang()
    ref = await system.spawn(actor, cancellation=RemoteManager(server))
    server.error = ConnectionError("no route")
    run = await ref.request(hang, run_id="run")
    await hang.began.wait()
    assert server.runs.request_cancel_sync("run", reason="while it was down", by="anna").outcome == "stored"
    await anyio.sleep(10)
    assert run.status == "running"
    server.error = None
    interruption = await run
    assert (interruption.source, interruption.started) == ("manager", True)
    assert (interruption.reason, interruption.by) == ("while it was down", "anna")
    assert len(actor.handled) == 1
    assert server.runs.get_active_runs() == {}


@pytest.mark.parametrize("outage", [0.1, 3, 60])
@pytest.mark.parametrize("push", ["heard", "lost"])
async def test_what_was_stored_in_an_outage_is_delivered_within_two_seconds_of_its_end(system, server, outage, push):
    """R26: however long it was, for runs that were registered before it and for those that were not."""
    manager = RemoteManager(server, safety_period=1.0)
    ref, other = [await system.spawn(Doer(), cancellation=manager) for _ in range(2)]
    hangs = [Hang(), Hang()]
    before = await ref.request(hangs[0], run_id="before")
    await hangs[0].began.wait()
    server.error = ConnectionError("no route")
    server.cut_off()
    within = await other.request(hangs[1], run_id="within")
    await hangs[1].began.wait()
    await anyio.sleep(outage)
    assert not manager.health()
    for run_id in ("before", "within"):
        server.runs.request_cancel_sync(run_id, reason="in the outage")
    server.mute = push == "lost"
    server.error = None
    assert await elapsed(before) < 2
    assert await elapsed(within) < 2
    assert server.runs.get_active_runs() == {}


async def test_the_late_registration_itself_brings_the_cancel(system, server):
    """R26, R28: also while nothing else can be read from the store, be it by push or by poll."""
    hang = Hang()
    ref = await system.spawn(Doer(), cancellation=RemoteManager(server))
    server.error = ConnectionError("no route")
    run = await ref.request(hang, run_id="run")
    await hang.began.wait()
    server.runs.request_cancel_sync("run", reason="while it was down")
    server.broken |= {"listen", "intents"}
    server.error = None
    assert (await run).reason == "while it was down"
    server.broken.clear()


async def test_a_cancel_stored_after_the_late_registration_is_delivered_too(system, server):
    """R28: registered in the background, a run is watched like any other."""
    manager, hang = Held("enroll", server=server, timeout=0.5), Hang()
    ref = await system.spawn(Doer(), cancellation=manager)
    run = await ref.request(hang, run_id="run")
    await hang.began.wait()
    assert server.runs.get_active_runs() == {}
    manager.let_go()
    await anyio.sleep(20)
    assert server.runs.get_active_runs() == {"run": False}
    assert server.runs.cancel_run("run", reason="at last")
    server.push("run")
    assert (await run).reason == "at last"


async def test_a_run_that_has_ended_before_its_late_registration_is_never_registered(system, server):
    """R25, R28: what came too late to be of use is not done, or undone."""
    manager = Held("enroll", server=server, timeout=0.5)
    ref = await system.spawn(Doer(), cancellation=manager)
    assert await ref.ask("over before it was registered") == "over before it was registered"
    manager.let_go()
    await anyio.sleep(20)
    assert server.runs.get_active_runs() == {}
    assert await ref.ask("next", run_id="next") == "next"
    assert server.runs.request_cancel_sync("next").outcome == "finished"


async def test_a_duplicate_that_shows_only_later_leaves_the_reply_and_the_other_owner_alone(system, server, caplog):
    """R28: a healthy reply is not failed for it; it is logged."""
    gate = Gate()
    ref = await system.spawn(Doer(), cancellation=RemoteManager(server))
    server.error = ConnectionError("no route")
    run = await ref.request(gate, run_id="run")
    await gate.began.wait()
    server.runs.enroll_nowait("run", owner="somebody else")
    server.error = None
    await anyio.sleep(20)
    assert [fields["run_id"] for fields in said(caplog, "run_id_registered_elsewhere")] == ["run"]
    server.runs.cancel_run("run", reason="meant for somebody else")
    server.push("run")
    await quiet()
    gate.open()
    assert await run == "opened"
    assert server.runs.get_active_runs() == {"run": True}
    with pytest.raises(DuplicateRunError):
        await ref.ask("while it is well", run_id="run")
    server.runs.cleanup_run("run")


async def test_interrupts_do_without_the_store(system, server):
    """R28: an interrupt by ref and its receipt do not wait for a manager that is known not to answer."""
    server.hangs = True
    ref = await system.spawn(Doer(), cancellation=RemoteManager(server, timeout=0.5))
    assert await ref.ask("first") == "first"
    for _ in range(3):
        hang = Hang()
        run = await ref.request(hang)
        await hang.began.wait()
        receipt = await ref.interrupt("by hand")
        assert (receipt.outcome, receipt.elapsed < REGISTER_TIMEOUT / 2) == ("interrupted", True)
        assert (await run).reason == "by hand"
    server.hangs = False


async def test_another_actor_with_another_manager_does_not_notice(system, server):
    """R21, R28: neither while one registration hangs nor afterwards."""
    broken, well = Held("enroll", server=server), RemoteManager(Server())
    one, other = await system.spawn(Doer(), cancellation=broken), await system.spawn(Doer(), cancellation=well)
    async with anyio.create_task_group() as group:
        call = Call(group, one.ask, "slowly")
        await broken.arrived.wait()
        assert await elapsed(other.ask("quickly")) < REGISTER_TIMEOUT / 2
        assert not call.over
        assert await call.result() == "slowly"
        broken.let_go()
    assert (well.health().healthy, well.health().since) == (True, None)
    assert broken.health().since is not None


@pytest.mark.parametrize("leaving", ["by its end", "by an exception", "by a cancellation"])
@pytest.mark.parametrize("when", ["from the start", "from the middle"])
async def test_the_system_can_be_left_in_bounded_time(new_system, server, leaving, when):
    """Promise 19: with a store that answers nothing any more, not even to being closed; leases do the rest."""
    hang, moments = Hang(), []
    manager = RemoteManager(server, lease=30)
    server.hangs = when == "from the start"
    try:
        with anyio.CancelScope() as scope:
            async with new_system(drain_timeout=1) as system:
                ref = await system.spawn(Doer(), cancellation=manager)
                run = await ref.request(hang, run_id="run")
                await hang.began.wait()
                server.hangs = True
                await anyio.sleep(10)
                moments.append(anyio.current_time())
                leave(leaving, scope)
    except ZeroDivisionError:
        assert leaving == "by an exception"
    moments.append(anyio.current_time())
    assert moments[1] - moments[0] < 6
    assert run.status == ("interrupted" if leaving == "by its end" else "stopped")
    assert manager.lifetime.users == 0
    server.hangs = False


class Faulty(InMemoryCancellationManager):
    """One that never waits, of which a call fails: a bug of whoever wrote it."""

    def __init__(self, call):
        super().__init__()
        self.call = call

    def enroll_nowait(self, *args, **options):
        if self.call == "enroll":
            raise ConnectionError("enroll does not work")
        return super().enroll_nowait(*args, **options)

    def release_nowait(self, run_id):
        if self.call == "release":
            raise ConnectionError("release does not work")
        super().release_nowait(run_id)


@pytest.mark.parametrize("call", ["enroll", "release"])
async def test_a_manager_that_never_waits_may_fail_too(system, caplog, call):
    """R28: `InlineCancellationManager` is for everybody to write."""
    manager = Faulty(call)
    ref = await system.spawn(Doer(), cancellation=manager)
    with anyio.fail_after(5):
        assert await ref.ask("first") == "first"
        assert await ref.ask("second") == "second"
    assert f"{call} does not work" in said(caplog, "manager_unreachable")[0]["error"]
    manager.call = None
    assert await ref.ask("third", run_id="third") == "third"


async def test_a_cancel_that_could_not_be_stored_raises(new_system, server):
    """R28: a lost cancel is never silent; one that hangs is given up when the manager's own time is over."""
    async with new_system(cancellation=RemoteManager(server, timeout=0.5)) as system:
        server.broken.add("cancel")
        with pytest.raises(ManagerError, match="cancel does not work"):
            await system.interrupt("elsewhere")
        server.broken.clear()
        server.hangs = True
        with pytest.raises(ManagerError, match=r"RemoteManager did not answer within 0\.5 s"):
            await system.interrupt("elsewhere")
        server.hangs = False
        assert (await system.interrupt("elsewhere")).outcome == "stored"
