"""The in-memory cancellation manager: bounded, thread-safe, never waiting."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import DuplicateRunError, InMemoryCancellationManager
from actors._cancellation._fading import Fading


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_million_bogus_run_ids_take_no_more_memory_than_the_capacity():
    """R23: whoever makes up run ids fills nothing but a bounded place."""
    manager = InMemoryCancellationManager(capacity=100)
    manager.register_run("real")
    for number in range(1_000_000):
        manager.request_cancel_sync(f"bogus-{number}")
    assert len(manager._early) <= 100
    assert manager.get_active_runs() == {"real": False}
    assert manager.cancel_run("real")


def test_a_million_finished_runs_leave_no_more_tombstones_than_the_capacity():
    """R22, R23: tombstones are bounded too; the last ones are there."""
    manager = InMemoryCancellationManager(capacity=100)
    for number in range(1_000_000):
        manager.enroll_nowait(f"run-{number}")
        manager.release_nowait(f"run-{number}")
    assert len(manager._finished) <= 100
    assert manager.request_cancel_sync("run-999999").outcome == "finished"
    assert manager.request_cancel_sync("run-0").outcome == "stored"


def test_setting_the_computers_clock_expires_nothing(monkeypatch):
    """R22: what lasts some seconds is measured on a monotonic clock; only `requested_at` is the time of day."""
    manager = InMemoryCancellationManager()
    manager.cancel_run("run")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert manager.is_cancelled("run")


def test_a_tombstone_of_no_seconds_is_none():
    manager = InMemoryCancellationManager(tombstone=0)
    manager.cleanup_run("run")
    assert manager.request_cancel_sync("run").outcome == "stored"


def test_one_of_many_threads_that_cancel_a_run_is_the_one_that_did():
    """R26: from whatever thread a cancel comes, the owner hears of it once, with the reason that is kept."""
    manager = InMemoryCancellationManager()
    told = []
    manager.enroll_nowait("run", told.append)
    start = threading.Barrier(16)

    def cancel(number):
        start.wait()
        assert manager.cancel_run("run", reason=f"thread {number}")

    threads = [threading.Thread(target=cancel, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [manager.intents_sync(["run"])["run"]]


def test_registering_from_many_threads_at_once_has_one_winner():
    manager = InMemoryCancellationManager()
    start, won = threading.Barrier(16), []

    def register(number):
        start.wait()
        try:
            manager.register_run("run")
        except DuplicateRunError:
            return
        won.append(number)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_whoever_is_told_of_a_cancel_may_use_the_manager_from_any_thread():
    """What is told is told outside the lock: an owner that waits there for another thread does not hang."""
    manager = InMemoryCancellationManager()
    seen = []

    def told(intent):
        thread = threading.Thread(target=lambda: seen.append(manager.get_active_runs()))
        thread.start()
        thread.join(5)

    manager.enroll_nowait("run", told)
    manager.cancel_run("run")
    assert seen == [{"run": True}]


def test_a_cancel_in_the_middle_of_another_operation_does_not_hang():
    """A signal handler or a finalizer runs anywhere, also where this thread holds the lock."""

    def interrupting_clock():
        if interrupting:
            interrupting.pop()
            manager.cancel_run("other")
        return 0.0

    interrupting = []
    manager = InMemoryCancellationManager(clock=interrupting_clock)
    interrupting.append(True)
    manager.cleanup_run("run")
    assert manager.is_cancelled("other")


@pytest.mark.parametrize("method", ["enroll", "acancel_run", "ais_cancelled", "acleanup_run"])
def test_the_asynchronous_forms_never_wait(method):
    """Design, section 4: the in-memory manager has nothing to wait for."""
    call = getattr(InMemoryCancellationManager(), method)("run")
    with pytest.raises(StopIteration):
        call.send(None)


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "pop", "discard", "pass"]), st.sampled_from("abcdef"), st.integers(0, 4)),
        max_size=60,
    )
)
def test_what_fades_is_found_until_its_time_and_not_after(steps):
    """R22, R23: entries live exactly `ttl` seconds unless crowded out, and never more than `capacity` are held."""
    fading, model, now = Fading(3.0, 1000), {}, 0
    for action, key, seconds in steps:
        now += seconds
        alive = key in model and now < model[key][0]
        assert fading.get(key, now) == (model[key][1] if alive else None)
        if action == "put":
            fading.put(key, now, now)
            model[key] = (now + 3.0, now)
        elif action == "pop":
            assert fading.pop(key, now) == (model[key][1] if alive else None)
            model.pop(key, None)
        elif action == "discard":
            fading.discard(key)
            model.pop(key, None)


@given(st.lists(st.integers(0, 50), max_size=200), st.integers(2, 12))
def test_what_fades_never_outgrows_its_capacity_and_keeps_the_newest(keys, capacity):
    """R23"""
    fading = Fading(100.0, capacity)
    for key in keys:
        fading.put(str(key), key, 0.0)
        assert len(fading) <= capacity
        assert fading.get(str(key), 0.0) == key


def test_runs_are_listed_with_their_owner_since_when_and_their_cancel():
    """R30: what a person needs to find the owner; on the clock of the day, whatever clock the manager is on."""
    manager = InMemoryCancellationManager(clock=Clock())
    before = time.time()
    manager.enroll_sync("run", owner="me")
    manager.register_run("another")
    manager.cancel_run("run", reason="why", by="who")
    run, another = manager.runs_sync()
    assert (run.run_id, run.owner, run.cancelled, run.intent.reason, run.intent.by) == ("run", "me", True, "why", "who")
    assert before <= run.registered_at <= time.time()
    assert (another.run_id, another.owner, another.cancelled, another.intent) == ("another", "", False, None)
