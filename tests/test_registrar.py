"""A system's side of a cancellation manager: no store delays or fails a reply, and no cancel is missed."""

import asyncio
import logging
import threading

import anyio
import anyio.lowlevel
import pytest
import uvloop

from actors import DuplicateRunError, InMemoryCancellationManager, ManagerError, WrongLoopError
from actors._registrar import Registrar
from actors.backends import FileCancellationManager
from tests._support import quiet
from tests.contracts.remote_like import RemoteManager, Server

NATIVE = [  # where tasks can be cancelled natively
    pytest.param(("asyncio", {}), id="asyncio"),
    pytest.param(("asyncio", {"loop_factory": uvloop.new_event_loop}), id="uvloop"),
]


async def until(condition):
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await anyio.sleep(0.001)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
async def bench():
    """Makes registrars whose background tasks run in a group, as a system's do; after the test nothing may be left in it."""
    made = []
    async with anyio.create_task_group() as group:

        def make(manager, deliver=None, **options):
            told = []
            registrar = Registrar(
                manager,
                start_soon=lambda call, name: group.start_soon(call, name=name),
                deliver=deliver or told.append,
                **{"linger": 0.02, **options},
            )
            registrar.told = told
            made.append(registrar)
            return registrar

        yield make
        with anyio.fail_after(10):
            for registrar in made:
                await registrar.aclose()


async def test_a_run_is_registered_while_it_lives_and_cleaned_up_after_it(bench, server):
    """R25: registration is undone, and the manager's active runs are empty."""
    registrar = bench(RemoteManager(server))
    assert not registrar.inline
    assert await registrar.enroll("run") is None
    assert server.runs.get_active_runs() == {"run": False}
    assert registrar.health().registered == 1
    await registrar.release("run")
    assert server.runs.get_active_runs() == {}
    assert registrar.health().registered == 0
    assert server.runs.request_cancel_sync("run").outcome == "finished"


async def test_a_cancel_from_elsewhere_is_delivered_once_with_reason_and_author(bench, server):
    """R26: the intent, not only the fact, reaches the loop."""
    registrar = bench(RemoteManager(server))
    await registrar.enroll("run")
    await registrar.enroll("other")
    async with RemoteManager(server) as elsewhere:
        await elsewhere.acancel_run("run", reason="why", by="anna")
        await elsewhere.acancel_run("run", reason="again", by="ben")
        await elsewhere.acancel_run("other")
    await until(lambda: len(registrar.told) >= 2)
    assert [(intent.run_id, intent.reason, intent.by) for intent in registrar.told] == [
        ("run", "why", "anna"),
        ("other", "", None),
    ]


async def test_a_cancel_that_came_first_is_the_answer_of_the_registration_and_is_not_delivered_too(bench, server):
    """R2, R26: one intent, told once."""
    registrar = bench(RemoteManager(server, safety_period=0.005))
    server.runs.cancel_run("run", reason="early")
    intent = await registrar.enroll("run")
    assert intent.reason == "early"
    reads = server.count("intents")
    await until(lambda: server.count("intents") > reads + 3)
    assert registrar.told == []


async def test_a_cancel_that_arrives_while_the_run_is_being_registered_is_not_lost(bench, server):
    """R26: pushed between the store's step and its answer, when the run is not yet known to be registered."""
    manager = RemoteManager(server)
    enroll = manager.enroll

    async def slow(run_id, *, owner=""):
        intent = await enroll(run_id, owner=owner)
        server.runs.cancel_run(run_id, reason="in between")
        server.push(run_id)
        await quiet()
        return intent

    manager.enroll = slow
    registrar = bench(manager)
    first = await registrar.enroll("run")
    await quiet()
    reasons = [intent.reason for intent in [first, *registrar.told] if intent is not None]
    assert reasons == ["in between"]


async def test_a_store_that_is_down_delays_no_run_and_fails_none(bench, server, caplog):
    """R28: logged once, visible in the health report, tried again in the background while the run lives."""
    registrar = bench(RemoteManager(server))
    server.error = ConnectionError("no route")
    with caplog.at_level(logging.INFO, "actors"):
        assert await registrar.enroll("first") is None
        health = registrar.health()
        assert (health.healthy, health.registered, health.unregistered) == (False, 0, 1)
        assert "no route" in health.error
        calls = server.count("enroll")
        with pytest.raises(StopIteration):
            registrar.enroll("second").send(None)  # known to be down: not a single wait
        assert server.count("enroll") == calls
        server.runs.cancel_run("second", reason="while it was down")
        server.error = None
        await until(lambda: registrar.health().registered == 2)
    assert registrar.health().healthy
    await until(lambda: registrar.told)
    assert [intent.reason for intent in registrar.told] == ["while it was down"]
    texts = [record.getMessage() for record in caplog.records if record.name == "actors.registrar"]
    assert sum("manager_unreachable" in text for text in texts) == 1
    assert sum("manager_recovered" in text for text in texts) <= 1


async def test_a_store_that_hangs_delays_a_run_by_the_register_timeout_and_no_more(bench, server):
    """R28: then the run goes on without, and the next ones do not wait."""
    registrar = bench(RemoteManager(server), register_timeout=0.05)
    server.hangs = True
    began = anyio.current_time()
    assert await registrar.enroll("run") is None
    assert 0.04 < anyio.current_time() - began < 1
    with pytest.raises(StopIteration):
        registrar.enroll("next").send(None)
    with pytest.raises(StopIteration):
        registrar.release("next").send(None)
    assert not registrar.health()


async def test_a_cleanup_that_hangs_delays_a_run_by_the_register_timeout_and_goes_on_in_the_background(bench, server):
    """R25, R28"""
    registrar = bench(RemoteManager(server, timeout=0.05), register_timeout=0.02)
    await registrar.enroll("run")
    server.hangs = True
    began = anyio.current_time()
    await registrar.release("run")
    assert anyio.current_time() - began < 1
    server.hangs = False
    await until(lambda: server.runs.get_active_runs() == {})


async def test_a_run_with_the_id_of_one_that_is_still_being_cleaned_up_is_registered_after_it(bench, server):
    """R22: the cancel of the old run does not reach the new one, and the old cleanup does not undo the new registration."""
    registrar = bench(RemoteManager(server, timeout=0.05), register_timeout=0.02)
    await registrar.enroll("run")
    server.runs.cancel_run("run", reason="meant for the old one")
    server.hangs = True
    await registrar.release("run")
    assert await registrar.enroll("run") is None
    server.hangs = False
    await until(lambda: registrar.health().registered == 1)
    await quiet()
    assert server.runs.get_active_runs() == {"run": False}
    assert registrar.told == []
    server.runs.cancel_run("run", reason="meant for the new one")
    server.push("run")
    await until(lambda: registrar.told)
    assert [intent.reason for intent in registrar.told] == ["meant for the new one"]


async def test_the_cancel_of_a_run_that_could_not_be_cleaned_up_does_not_reach_the_next_one_with_that_id(bench, server):
    """R22: what the store still says is about the old run."""
    registrar = bench(RemoteManager(server))
    await registrar.enroll("run")
    server.mute = True
    server.runs.cancel_run("run", reason="meant for the old one")
    server.broken.add("cleanup")
    await registrar.release("run")
    assert await registrar.enroll("run") is None
    server.mute = False
    reads = server.count("intents")
    server.push("run")
    await until(lambda: server.count("intents") > reads)
    await quiet()
    assert registrar.told == []
    server.broken.clear()
    await until(lambda: registrar.health().registered == 1)
    assert server.runs.get_active_runs() == {"run": False}
    assert registrar.told == []


async def test_an_answer_that_was_lost_on_its_way_is_asked_for_again_and_is_no_duplicate(bench, server):
    """R28: the store has registered the run, the client has not heard."""
    manager = RemoteManager(server)
    enroll = manager.enroll

    async def lossy(run_id, *, owner=""):
        await enroll(run_id, owner=owner)
        manager.enroll = enroll
        raise ConnectionResetError("after the store had done it")

    manager.enroll = lossy
    registrar = bench(manager)
    assert await registrar.enroll("run") is None
    await until(lambda: registrar.health().registered == 1)
    await registrar.release("run")
    assert server.runs.get_active_runs() == {}


async def test_a_run_that_was_never_registered_is_not_cleaned_up(bench, server):
    """R28: what is known not to be in the store needs no call that could fail."""
    registrar = bench(RemoteManager(server))
    server.error = ConnectionError()
    await registrar.enroll("first")  # after this it is known to be down
    await registrar.enroll("second")
    await registrar.release("second")
    server.error = None
    await until(lambda: registrar.health().registered == 1)
    assert server.count("cleanup") == 0


async def test_a_second_run_with_an_id_is_refused_in_one_system_and_in_two(bench, server):
    """Design, section 4: a second active registration raises, and leaves the first alone."""
    one, two = bench(RemoteManager(server)), bench(RemoteManager(server))
    await one.enroll("run")
    with pytest.raises(DuplicateRunError):
        await one.enroll("run")
    with pytest.raises(DuplicateRunError):
        await two.enroll("run")
    await two.release("run")
    assert server.runs.get_active_runs() == {"run": False}
    await one.release("run")
    assert await two.enroll("run") is None


async def test_a_duplicate_that_shows_only_later_is_logged_and_never_cleaned_up_by_us(bench, server, caplog):
    """R28: the reply goes on; the registration belongs to somebody else."""
    registrar = bench(RemoteManager(server))
    server.error = ConnectionError()
    await registrar.enroll("run")
    server.runs.enroll_nowait("run", owner="somebody else")
    with caplog.at_level(logging.ERROR, "actors"):
        server.error = None
        await until(lambda: "run_id_registered_elsewhere run_id='run'" in caplog.text)
    server.runs.cancel_run("run", reason="meant for somebody else")
    server.push("run")
    await quiet()
    assert registrar.told == []
    await registrar.release("run")
    assert server.runs.get_active_runs() == {"run": True}


async def test_registering_is_shielded_from_the_cancellation_of_whoever_asks(bench, server):
    """Semantics, section 4: a store must not be left in doubt because somebody lost patience."""
    registrar = bench(RemoteManager(server))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await registrar.enroll("run")
    assert server.runs.get_active_runs() == {"run": False}
    with anyio.CancelScope() as scope:
        scope.cancel()
        await registrar.release("run")
    assert server.runs.get_active_runs() == {}


@pytest.mark.parametrize("anyio_backend", NATIVE)
async def test_a_native_cancel_in_the_middle_of_registering_undoes_it(bench, server):
    """R25: also on the exit path that nobody expects."""
    registrar = bench(RemoteManager(server))
    server.hangs = True
    task = asyncio.ensure_future(registrar.enroll("run"))
    await until(lambda: server.count("connect") or server.count("enroll"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.hangs = False
    await until(lambda: registrar.health().registered == 0 and not registrar._upkeep.book)
    assert server.runs.get_active_runs() == {}
    assert await registrar.enroll("run") is None


@pytest.mark.parametrize("anyio_backend", NATIVE)
async def test_a_cancelled_exception_that_a_client_library_makes_up_is_a_failure_of_the_store(bench, server):
    """R4, R28: passed on, it would silently end the system's task group."""
    registrar = bench(RemoteManager(server))
    server.error = asyncio.CancelledError("made up")
    assert await registrar.enroll("run") is None
    assert not registrar.health()
    server.error = None
    await until(lambda: registrar.health().registered == 1)


@pytest.mark.parametrize("anyio_backend", NATIVE)
async def test_a_native_cancel_of_the_background_task_neither_ends_the_system_nor_the_watch(bench, server):
    """Promise 5: nothing that is not the system's own cancellation may leave a task in its group."""
    registrar = bench(RemoteManager(server))
    await registrar.enroll("run")
    await until(lambda: server.listeners)
    first = server.listeners[0]
    for task in asyncio.all_tasks():
        if "cancellation manager" in task.get_name():
            task.cancel()
    await until(lambda: server.listeners and server.listeners[0] is not first)
    server.runs.cancel_run("run")
    server.push("run")
    await until(lambda: registrar.told)


async def test_nothing_runs_while_no_run_is_registered(bench, server):
    """R53, promise 20: the subscription ends a moment after the last run, and begins again with the next one."""
    registrar = bench(RemoteManager(server, lease=0.03))
    assert server.calls == []
    for _ in range(2):
        await registrar.enroll("run")
        await until(lambda: server.listeners)
        await registrar.release("run")
        await until(lambda: registrar._upkeep._scope is None)
        assert server.listeners == []
        calls = len(server.calls)
        await quiet()
        assert len(server.calls) == calls
    assert registrar.health().watching is None


async def test_runs_in_a_row_share_one_subscription(bench, server):
    """R27: one subscription per process and manager, however many runs."""
    registrar = bench(RemoteManager(server), linger=60)
    for number in range(50):
        await registrar.enroll(f"run-{number}")
    await until(lambda: server.listeners)
    for number in range(50):
        await registrar.release(f"run-{number}")
    await registrar.enroll("one more")
    await quiet()
    assert server.count("listen") == 1


async def test_what_was_cancelled_while_the_subscription_was_broken_is_found_when_it_stands_again(bench, server):
    """R26: pub/sub drops what is sent meanwhile; the flag does not."""
    registrar = bench(RemoteManager(server))
    await registrar.enroll("run")
    await until(lambda: server.listeners and server.count("intents"))
    server.mute = True
    server.runs.cancel_run("run")
    server.push("run")
    await quiet()
    assert registrar.told == []
    server.cut_off()
    await until(lambda: registrar.told)


async def test_what_was_cancelled_is_found_even_while_the_subscription_stays_broken(bench, server):
    """R26: the flag can be read although nothing can be subscribed to."""
    registrar = bench(RemoteManager(server))
    await registrar.enroll("run")
    await until(lambda: server.listeners and server.count("intents"))
    server.mute = True
    server.runs.cancel_run("run")
    server.broken.add("listen")
    server.cut_off()
    await until(lambda: registrar.told)
    assert "listen does not work" in registrar.health().error or registrar.health().watching is False


async def test_what_a_lost_push_was_about_is_found_by_the_safety_poll(bench, server):
    """R26: slow, but nothing is lost."""
    registrar = bench(RemoteManager(server, safety_period=0.02))
    await registrar.enroll("run")
    await until(lambda: server.listeners)
    server.mute = True
    server.runs.cancel_run("run")
    await until(lambda: registrar.told)


async def test_a_watch_survives_a_store_that_goes_down_and_comes_back(bench, server):
    """R28: with a growing pause, and without a log entry for each try."""
    registrar = bench(RemoteManager(server, safety_period=0.01))
    await registrar.enroll("run")
    await until(lambda: server.listeners)
    server.error = ManagerError("down")
    server.cut_off()
    await until(lambda: not registrar.health())
    server.runs.cancel_run("run")
    server.error = None
    await until(lambda: registrar.told)
    await until(lambda: registrar.health().healthy)


async def test_an_owner_that_fails_to_take_a_cancel_does_not_end_the_watch_for_the_others(bench, server, caplog):
    """R58: logged with its run."""

    def deliver(intent):
        told.append(intent.run_id)
        if intent.run_id == "bad":
            raise ZeroDivisionError

    told = []
    registrar = bench(RemoteManager(server), deliver)
    await registrar.enroll("bad")
    await registrar.enroll("good")
    await until(lambda: server.listeners)
    async with RemoteManager(server) as elsewhere:
        await elsewhere.acancel_run("bad")
        await elsewhere.acancel_run("good")
    await until(lambda: "good" in told)
    assert told == ["bad", "good"]
    assert "cancel_not_delivered run_id='bad'" in caplog.text


async def test_leases_are_renewed_while_runs_are_registered(bench, server):
    """R30: every third of the lease, all runs in one call."""
    registrar = bench(RemoteManager(server, lease=0.03))
    await registrar.enroll("one")
    await registrar.enroll("two")
    await until(lambda: ["one", "two"] in server.renewed)
    await registrar.release("one")
    await until(lambda: server.renewed[-1] == ["two"])


async def test_closing_releases_what_is_left_and_disconnects(bench, server):
    """R25: also a run that nobody released."""
    manager = RemoteManager(server)
    registrar = bench(manager)
    await registrar.enroll("one")
    await registrar.enroll("two")
    assert server.connections == 1
    await registrar.aclose()
    assert server.runs.get_active_runs() == {}
    assert (server.connections, manager.lifetime.users) == (0, 0)
    await registrar.aclose()  # twice does no harm


async def test_closing_is_bounded_when_the_store_hangs_and_not_cut_by_a_cancellation(bench, server):
    """R28: leases do the rest."""
    registrar = bench(RemoteManager(server))
    await registrar.enroll("run")
    server.hangs = True
    with anyio.fail_after(10):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await registrar.aclose()
        server.hangs = False


async def test_cancelling_a_run_of_another_system_connects_first_and_raises_what_cannot_be_stored(bench, server):
    """R28: a system can cancel through a manager that it has not yet used."""
    registrar = bench(RemoteManager(server, timeout=0.05))
    server.runs.register_run("theirs")
    assert await registrar.request_cancel("theirs", reason="why", by="anna")
    assert server.runs.intents_sync(["theirs"])["theirs"].by == "anna"
    server.broken.add("cancel")
    with pytest.raises(ManagerError, match="cancel does not work"):
        await registrar.request_cancel("another")
    server.hangs = True
    with pytest.raises(ManagerError, match=r"RemoteManager did not answer within 0\.05 s"):
        await registrar.request_cancel("another")
    server.hangs = False
    server.broken.clear()


async def test_a_manager_that_the_user_has_entered_stays_the_users(bench, server):
    """Design, section 2: and one that several systems share is closed by the last."""
    manager = RemoteManager(server)
    async with manager:
        one, two = bench(manager), bench(manager)
        await one.enroll("one")
        await two.enroll("two")
        await one.aclose()
        await two.aclose()
        assert server.connections == 1
        assert await manager.aget_active_runs() == {}
    assert server.connections == 0
    one, two = bench(manager), bench(manager)
    await one.enroll("one")
    await two.enroll("two")
    await one.aclose()
    assert server.connections == 1
    await two.aclose()
    assert server.connections == 0


async def test_a_manager_on_a_second_event_loop_is_a_clear_error(bench, server):
    """Design, section 2"""
    manager = RemoteManager(server)
    bench(manager)

    async def elsewhere():
        with pytest.raises(WrongLoopError, match="RemoteManager is open on another event loop"):
            Registrar(manager, start_soon=print, deliver=print)

    await anyio.to_thread.run_sync(lambda: anyio.run(elsewhere))


async def test_the_memory_manager_needs_no_background_task(bench):
    """Promise 20: it tells its owner directly, in the call that cancels."""
    manager = InMemoryCancellationManager()
    registrar = bench(manager)
    assert registrar.inline
    assert registrar.enroll_nowait("run") is None
    assert await manager.acancel_run("run", reason="why")
    assert [intent.reason for intent in registrar.told] == ["why"]
    assert registrar._upkeep._scope is None
    registrar.release_nowait("run")
    assert manager.get_active_runs() == {}


async def test_a_cancel_in_another_thread_is_delivered_on_the_event_loop(bench):
    """Promise 14: the owner's state is touched by one thread."""
    threads = []
    manager = InMemoryCancellationManager()
    registrar = bench(manager, lambda intent: threads.append(threading.get_ident()))
    registrar.enroll_nowait("run")
    assert await anyio.to_thread.run_sync(manager.cancel_run, "run")
    await until(lambda: threads)
    assert threads == [threading.get_ident()]


async def test_a_cancel_on_its_way_between_threads_does_not_hit_the_next_run_with_that_id(bench):
    """R2, R22: what arrives is compared with what is running now."""
    manager = InMemoryCancellationManager()
    registrar = bench(manager)
    registrar.enroll_nowait("run")
    thread = threading.Thread(target=manager.cancel_run, args=("run",))
    thread.start()
    thread.join()  # the event loop stands still meanwhile, so the news has not arrived
    registrar.release_nowait("run")
    assert registrar.enroll_nowait("run") is None
    await quiet()
    assert registrar.told == []


async def test_a_file_manager_is_watched_and_left_alone_when_idle(bench, tmp_path):
    """R26, R53: a cancel through another manager on the same file arrives, and no thread is left after the last run."""
    path = tmp_path / "runs.json"
    registrar = bench(FileCancellationManager(path, poll_period=0.005))
    await registrar.enroll("run")
    FileCancellationManager(path).cancel_run("run", reason="from elsewhere", by="anna")
    await until(lambda: registrar.told)
    assert [(intent.reason, intent.by) for intent in registrar.told] == [("from elsewhere", "anna")]
    await registrar.release("run")
    assert FileCancellationManager(path).get_active_runs() == {}
    await until(lambda: not any("watching" in thread.name for thread in threading.enumerate()))
