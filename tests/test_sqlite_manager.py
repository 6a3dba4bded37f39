"""The SQLite manager: nothing lost between processes, nothing half done, nothing kept alive by the dead, no loop that waits."""

import gc
import os
import re
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import DuplicateRunError, InMemoryCancellationManager, ManagerError
from actors.backends import SQLiteCancellationManager
from tests._programs import finish, programs, says, until

# Through the door, as these modules are seen under one of two names only.
_module = sys.modules[SQLiteCancellationManager.__module__]
Database = _module.Database


@pytest.fixture
def python():
    """Starts other processes; none is left after the test."""
    with programs("import os, sys, time\nfrom actors.backends import SQLiteCancellationManager") as start:
        yield start


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


@pytest.fixture
def manager(path):
    return SQLiteCancellationManager(path, poll_period=0.005)


def rows_in(path, where="1"):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT run_id FROM bargein_runs WHERE {where}").fetchall()


# ---- several processes ----------------------------------------------------------------------------------------------


def test_two_processes_that_write_three_hundred_times_each_lose_nothing(path, python):
    """R31: each registers, cancels and cleans up, and cancels what the other registers, all at once."""
    program = """
path, me, other = sys.argv[1:]
manager = SQLiteCancellationManager(path, timeout=30)
input()
for number in range(300):
    manager.register_run(f"{me}-{number}")
    manager.cancel_run(f"{other}-{number}", reason=f"{me} says so")
    if number % 3 == 0:
        manager.cleanup_run(f"{me}-{number}")
print("done", flush=True)
input()  # lives on, for a cancel of a dead process's run would be answered "owner_gone"
"""
    processes = python(program, path, "one", "two"), python(program, path, "two", "one")
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert says(process) == "done"
    expected = {f"{name}-{number}": True for name in ("one", "two") for number in range(300) if number % 3}
    manager = SQLiteCancellationManager(path)
    found = manager.intents_sync(list(expected))
    assert [run_id for run_id in expected if run_id not in found] == []
    # Of those cleaned up, the ones whose cancel came first are gone, and late cancels stored nothing.
    assert manager.get_active_runs() == expected
    assert rows_in(path, "state = 'waiting'") == []
    assert found["one-1"].reason == "two says so"


def test_processes_that_start_at_once_on_a_new_file_all_find_the_tables(path, python):
    """Issue 4: the tables are made once, and nobody is refused while they are being made."""
    program = """
manager = SQLiteCancellationManager(sys.argv[1], timeout=30)
print("ready", flush=True)
input()
manager.register_run(sys.argv[2])
print("done", flush=True)
input()
"""
    processes = [python(program, path, f"run-{number}") for number in range(6)]
    for process in processes:
        assert says(process) == "ready"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert says(process) == "done"
    assert SQLiteCancellationManager(path).get_active_runs() == {f"run-{number}": False for number in range(6)}


def test_whoever_comes_while_the_tables_are_being_made_waits_for_them(path):
    """Issue 4: SQLite by itself does not wait when it changes the mode of the journal."""
    manager = SQLiteCancellationManager(path, timeout=20)
    refused = threading.Event()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE something (it)")
        prepare = sys.modules[Database.__module__]._use_wal

        def seen(connection):
            try:
                prepare(connection)
            except sqlite3.OperationalError:
                refused.set()
                raise

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules[Database.__module__], "_use_wal", seen)
            thread = threading.Thread(target=manager.register_run, args=("run",))
            thread.start()
            assert refused.wait(30)
            other.execute("COMMIT")
            thread.join(30)
    assert manager.get_active_runs() == {"run": False}


def test_a_process_killed_in_the_middle_of_a_change_leaves_nothing_of_it_and_blocks_nobody(path, python):
    """R31: the system gives the lock back, however the holder dies, and what was not committed never was."""
    process = python(
        "manager = SQLiteCancellationManager(sys.argv[1])\n"
        "with manager.batch():\n"
        "    manager.register_run('half')\n    print('locked', flush=True)\n    time.sleep(60)",
        path,
    )
    assert says(process) == "locked"
    with pytest.raises(ManagerError, match=r"runs\.db: cannot lock .*Another process has kept it locked for 0\.1 s"):
        SQLiteCancellationManager(path, timeout=0.1).register_run("run")
    assert SQLiteCancellationManager(path, timeout=0.1).get_active_runs() == {}  # who reads does not wait
    process.kill()
    process.communicate()
    manager = SQLiteCancellationManager(path, timeout=5)
    manager.register_run("run")
    assert manager.get_active_runs() == {"run": False}


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_the_runs_of_a_killed_process_are_known_to_be_nobodys_at_once(path, reaped, python):
    """R30: on the same machine nobody waits for the lease."""
    process = python(
        "manager = SQLiteCancellationManager(sys.argv[1])\nmanager.register_run('run')\nmanager.register_run('told')\n"
        "print(1, flush=True)\ntime.sleep(60)",
        path,
    )
    says(process)
    manager = SQLiteCancellationManager(path)
    assert manager.get_active_runs() == {"run": False, "told": False}
    assert manager.cancel_run("told", reason="stop")
    with pytest.raises(DuplicateRunError):
        manager.register_run("run")
    process.send_signal(signal.SIGKILL)
    if reaped:
        process.communicate()
    deadline = time.monotonic() + 10
    while manager.get_active_runs() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert manager.get_active_runs() == {}
    assert manager.request_cancel_sync("run").outcome == "owner_gone"
    assert not manager.is_cancelled("run")
    assert manager.enroll_sync("run") is None
    # The user had pressed stop; that the process died since changes nothing for the one that takes the run over.
    assert manager.enroll_sync("told").reason == "stop"
    process.communicate()


async def test_a_cancel_in_another_process_arrives_with_reason_and_author(manager, path, python):
    """R26: the push side of a database."""
    told = []
    await manager.enroll("run")
    async with anyio.create_task_group() as group:
        group.start_soon(manager.watch, lambda: ["run"], told.append)
        process = python("SQLiteCancellationManager(sys.argv[1]).cancel_run('run', reason='why ☂', by='anna')", path)
        await until(lambda: told)
        group.cancel_scope.cancel()
    finish(process)
    assert [(intent.run_id, intent.reason, intent.by) for intent in told] == [("run", "why ☂", "anna")]


async def test_a_cancel_in_another_process_arrives_within_a_poll_period(path, python):
    """R26: measured over both processes' clocks, which are one on a machine; a busy one gets some tries."""
    manager = SQLiteCancellationManager(path)  # 20 ms
    program = """
manager = SQLiteCancellationManager(sys.argv[1])
print("ready", flush=True)
for run_id in sys.stdin:
    print(time.time(), manager.cancel_run(run_id.strip()), flush=True)
"""
    took, told, runs = [], {}, [f"run-{number}" for number in range(20)]
    for run_id in runs:
        await manager.enroll(run_id)
    process = python(program, path)
    says(process)
    async with anyio.create_task_group() as group:
        group.start_soon(manager.watch, lambda: runs, lambda intent: told.setdefault(intent.run_id, time.time()))
        await until(lambda: manager.health().watching)
        for run_id in runs:
            process.stdin.write(f"{run_id}\n")
            process.stdin.flush()
            called, known = (await anyio.to_thread.run_sync(says, process)).split()
            assert known == "True"
            await until(lambda: run_id in told)  # noqa: B023 - awaited at once
            took.append(told[run_id] - float(called))
            if took[-1] < 0.03:
                break
        group.cancel_scope.cancel()
    assert min(took) < 0.03, took


def test_a_child_made_by_fork_uses_a_connection_of_its_own(path, python):
    """SQLite forbids that parent and child share one; what the child closes must not be the parent's."""
    program = """
import gc
manager = SQLiteCancellationManager(sys.argv[1])
manager.register_run("parent's")
parents = manager._writer._connection
child = os.fork()
if not child:
    manager.register_run("child's")
    if manager._writer._connection is parents:
        os._exit(1)
    manager.close()
    gc.collect()
    print(sorted(manager.get_active_runs()), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
manager.cancel_run("parent's")
print(manager.get_active_runs())
"""
    assert finish(python(program, path)) == '["child\'s", "parent\'s"]\n{"parent\'s": True}\n'


def test_two_namespaces_in_one_file_do_not_see_each_other(path):
    """Issue 4: namespaces are arguments."""
    one, two = (SQLiteCancellationManager(path, namespace=name) for name in ("one", "two"))
    one.register_run("run")
    two.register_run("run")
    assert one.cancel_run("run", reason="one")
    assert (one.is_cancelled("run"), two.is_cancelled("run")) == (True, False)
    one.cleanup_run("run")
    assert (one.get_active_runs(), two.get_active_runs()) == ({}, {"run": False})
    assert two.request_cancel_sync("run").outcome == "registered"


# ---- the file -------------------------------------------------------------------------------------------------------


def test_asking_makes_no_file(manager, path):
    """A question about a file that is not there, a wrong name perhaps, has an answer and leaves nothing behind."""
    assert (manager.get_active_runs(), manager.is_cancelled("run"), manager.runs_sync()) == ({}, False, [])
    assert not path.exists()


def test_a_database_in_memory_is_refused():
    for nowhere in (":memory:", ""):
        with pytest.raises(ValueError, match="use InMemoryCancellationManager"):
            SQLiteCancellationManager(nowhere)


@pytest.mark.parametrize("content", [b"this is no database but a text" * 200, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_a_clear_error_and_left_as_it_is(manager, path, content):
    """R28: not taken for an empty one, neither for reading nor for writing."""
    path.write_bytes(content)
    for call in (manager.get_active_runs, lambda: manager.register_run("run"), lambda: manager.cancel_run("run")):
        with pytest.raises(
            ManagerError, match=r"runs\.db: cannot .*no SQLite database, and was left as it is: repair it"
        ):
            call()
    assert path.read_bytes() == content
    path.unlink()
    manager.register_run("run")
    assert manager.get_active_runs() == {"run": False}


def test_a_file_that_is_damaged_while_it_is_used_is_a_clear_error_until_it_is_put_right(manager, path):
    """R28: pages in the middle, as a failing disk does it."""
    for number in range(500):
        manager.register_run(f"run-{number}")
    manager.close()  # all of it is in the file itself now
    whole = path.read_bytes()
    size = len(whole)
    path.write_bytes(whole[:4096] + os.urandom(size - 4096))
    with pytest.raises(ManagerError, match="It is damaged"):
        manager.cancel_run("run-250")
    path.write_bytes(whole)
    assert manager.cancel_run("run-250")


def test_a_database_of_a_later_version_is_not_touched(manager, path):
    manager.register_run("run")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE bargein_meta SET version = 99")
    with pytest.raises(ManagerError, match=r"runs\.db: .* of version 99, and this bargein knows version 1"):
        SQLiteCancellationManager(path).register_run("another")
    assert rows_in(path) == [("run",)]


def test_a_file_that_is_removed_is_begun_anew_and_renewing_brings_the_runs_back(manager, path):
    """R30, R31: never written on into a file that nobody else will find."""
    other = SQLiteCancellationManager(path)
    manager.enroll_sync("run", owner="me")
    for left in path.parent.iterdir():
        left.unlink()
    assert manager.get_active_runs() == {}
    assert other.request_cancel_sync("early").outcome == "stored"
    manager.renew_sync(["run"], owner="me")
    assert other.get_active_runs() == {"run": False}
    assert manager.is_cancelled("early")
    assert other.cancel_run("run")
    assert manager.is_cancelled("run")


async def test_a_watch_goes_on_with_the_new_file_when_the_old_one_is_removed(manager, path):
    """R26, R28: seen within a poll period, read again, and visible in the log and the health report until then."""
    told = []
    await manager.enroll("run", owner="me")
    async with anyio.create_task_group() as group:
        group.start_soon(manager.watch, lambda: ["run"], told.append)
        await until(lambda: manager.health().watching)
        for left in path.parent.iterdir():
            left.unlink()
        await manager.renew(["run"], owner="me")
        assert await SQLiteCancellationManager(path).acancel_run("run", reason="in the new one")
        await until(lambda: told and manager.health())
        group.cancel_scope.cancel()
    assert [intent.reason for intent in told] == ["in the new one"]
    manager.close()


# ---- the system says no ---------------------------------------------------------------------------------------------


def test_cancels_for_which_there_is_no_room_raise_and_all_others_are_kept(path, python):
    """R28: a real limit on the size of files (RLIMIT_FSIZE), in a process of its own; when there is room again it goes on."""
    program = """
import resource
from actors import ManagerError
manager = SQLiteCancellationManager(sys.argv[1])
manager.register_run("run")
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, limits[1]))
stored = []
try:
    for number in range(10_000):
        manager.cancel_run(f"run-{number}", reason="why " * 100)
        stored.append(f"run-{number}")
except ManagerError as error:
    print(error, flush=True)
assert 10 < len(stored) < 10_000, len(stored)
assert set(manager.intents_sync(stored)) == set(stored)
assert manager.get_active_runs() == {"run": False}
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
assert not manager.is_cancelled(f"run-{len(stored)}")
assert manager.cancel_run("run")
assert set(SQLiteCancellationManager(sys.argv[1]).intents_sync([*stored, "run"])) == {*stored, "run"}
"""
    out = finish(python(program, path))
    assert re.search(r"runs\.db: cannot change the database: .*Nothing was changed: make room on the disk", out), out


def test_when_one_of_many_that_are_written_at_once_finds_no_room_none_is_said_to_be_stored(path, monkeypatch):
    """R28: SQLite may undo the whole transaction; so all of it fails, also what had been answered within it."""
    manager = SQLiteCancellationManager(path)
    manager.register_run("before")
    with manager.batch() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def many():
        with manager.batch():
            for number in range(2000):
                try:
                    manager.request_cancel_sync(f"run-{number}", reason="why")
                except ManagerError as error:
                    errors.append(str(error))

    errors = []
    with pytest.raises(ManagerError, match="database or disk is full"):
        many()
    assert len(errors) > 100  # nothing was tried on the ruins
    assert manager.intents_sync([f"run-{number}" for number in range(2000)]) == {}
    assert manager.get_active_runs() == {"before": False}
    assert manager.cancel_run("before")


def test_a_file_and_a_folder_that_may_only_be_read_are_said_so(python):
    """R28: by somebody who may not write; what is there can still be read."""
    program = """
from actors import ManagerError
manager = SQLiteCancellationManager(sys.argv[1])
manager.get_active_runs()
if os.getuid() == 0:  # to root nothing is forbidden
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
reader = SQLiteCancellationManager(sys.argv[1])
print(reader.get_active_runs())
for call in (lambda: reader.register_run("another"), lambda: reader.cancel_run("run")):
    try:
        call()
    except ManagerError as error:
        print(error)
print(reader.get_active_runs(), flush=True)
os._exit(0)
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "runs.db")
        manager = SQLiteCancellationManager(path)
        manager.register_run("run")
        for file in Path(folder).iterdir():
            file.chmod(0o444)
        Path(folder).chmod(0o555)
        try:
            out, errors = python(program, path).communicate(timeout=50)
        finally:
            Path(folder).chmod(0o755)
        manager.close()
    lines = out.splitlines()
    assert len(lines) == 4, out + errors
    assert (lines[0], lines[3]) == ("{'run': False}", "{'run': False}")
    for line in lines[1:3]:
        assert re.search(r"runs\.db: cannot .*readonly database. This process must be able to write", line), out


def test_a_folder_that_is_not_there_is_said(tmp_path):
    """R28"""
    manager = SQLiteCancellationManager(tmp_path / "nowhere" / "runs.db")
    with pytest.raises(ManagerError, match="Its folder must exist"):
        manager.cancel_run("run")
    assert manager.get_active_runs() == {}  # a file that is not there is an empty one


# ---- the event loop -------------------------------------------------------------------------------------------------


async def test_whoever_keeps_the_file_locked_stops_neither_the_event_loop_nor_those_who_read(manager, path):
    """R28: a cancel waits its time for the lock, and a reply that looks at its flag does not wait at all."""
    manager.register_run("run")
    SQLiteCancellationManager(path).cancel_run("run")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        stored = []

        async def cancel():
            stored.append(await manager.acancel_run("another"))

        async with anyio.create_task_group() as group:
            group.start_soon(cancel)
            await until(lambda: any("worker" in thread.name for thread in threading.enumerate()))
            for _ in range(20):
                assert await manager.ais_cancelled("run")
                assert manager.is_cancelled("run")  # on the event loop itself
            assert stored == []
            other.execute("ROLLBACK")
        assert stored == [False]
    manager.close()


async def test_what_many_ask_for_at_once_is_one_transaction_or_a_few(manager, monkeypatch):
    """A hundred registrations do not wait for the disk a hundred times; a duplicate among them hurts only its own caller."""
    begun, transaction = [], Database.transaction

    def counted(self):
        if not self._inside:
            begun.append(1)
        return transaction(self)

    manager.register_run("run-7")
    monkeypatch.setattr(Database, "transaction", counted)
    refused = []

    async def register(number):
        try:
            await manager.enroll(f"run-{number}")
        except DuplicateRunError:
            refused.append(number)

    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(register, number)
    assert refused == [7]
    assert len(manager.get_active_runs()) == 100
    assert len(begun) < 20
    manager.close()


async def test_a_watch_is_woken_by_cancels_and_by_nothing_else(manager, path, monkeypatch):
    """Promise 20: whatever others register, ten thousand watched runs are not read again for it."""
    hints, looks, state = [], [], Database.replaced
    monkeypatch.setattr(Database, "replaced", lambda self: (looks.append(1), state(self))[1])
    other = SQLiteCancellationManager(path)
    async with anyio.create_task_group() as group:
        group.start_soon(manager.listen, hints.append)
        await until(lambda: hints)
        for number in range(10):
            other.register_run(f"run-{number}")
        seen = len(looks)
        await until(lambda: len(looks) > seen + 20)
        assert hints == [None]
        other.cancel_run("run-3")
        other.cancel_run("run-4")
        await until(lambda: len(hints) > 2)
        group.cancel_scope.cancel()
    assert hints == [None, "run-3", "run-4"]
    for each in (manager, other):
        each.close()


async def test_the_file_is_given_back_when_the_last_user_leaves(manager, path):
    """Nothing is left open, and what was in the journal is in the file."""
    async with manager:
        await manager.enroll("run")
        assert path.with_name("runs.db-wal").exists()
    assert not path.with_name("runs.db-wal").exists()
    assert manager.get_active_runs() == {"run": False}  # and it can be used again
    manager.close()


def test_a_manager_that_is_dropped_gives_the_file_back(path):
    """No method has to be called for that; Python would warn of a connection that was not closed."""
    manager = SQLiteCancellationManager(path)
    manager.register_run("run")
    assert path.with_name("runs.db-wal").exists()
    del manager
    gc.collect()
    assert not path.with_name("runs.db-wal").exists()


# ---- what is kept ---------------------------------------------------------------------------------------------------


def test_the_file_stays_small_under_bogus_run_ids(path):
    """R23: waiting cancels and tombstones are bounded, the oldest go first, registered runs stay."""
    manager = SQLiteCancellationManager(path, capacity=50)
    manager.register_run("real")
    sizes = []
    for _ in range(4):
        with manager.batch():
            for number in range(2500):
                manager.cancel_run(f"bogus-{len(sizes)}-{number}")
                manager.cleanup_run(f"over-{len(sizes)}-{number}")
        manager.close()
        sizes.append(path.stat().st_size)
    assert len(rows_in(path, "state = 'waiting'")) <= 60
    assert len(rows_in(path, "state = 'finished'")) <= 60
    assert sizes[3] < 1.2 * sizes[0] < 100_000
    assert manager.is_cancelled("bogus-3-2499")
    assert not manager.is_cancelled("bogus-0-0")
    assert manager.get_active_runs() == {"real": False}


def test_runs_are_listed_with_the_process_that_holds_them_and_since_when(path):
    """R30: what a person needs to find the owner; it stays while the lease is renewed, and begins anew with a new run."""
    now = 1000.0
    manager = SQLiteCancellationManager(path, clock=lambda: now)
    manager.enroll_sync("run", owner="me")
    manager.register_run("anonymous")
    now = 1005.0
    manager.renew_sync(["run"], owner="me")
    manager.cancel_run("run", reason="why")
    listed = {record.run_id: record for record in manager.runs_sync()}
    assert (listed["run"].owner, listed["run"].registered_at) == ("me", 1000.0)
    assert (listed["run"].cancelled, listed["run"].intent.reason) == (True, "why")
    assert (listed["anonymous"].owner.rpartition("/")[2], listed["anonymous"].intent) == (str(os.getpid()), None)
    manager.cleanup_run("run")
    manager.enroll_sync("run", owner="me")
    assert {record.run_id: record.registered_at for record in manager.runs_sync()}["run"] == 1005.0


RUNS, OWNERS = st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "me", "you"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enroll"), RUNS, OWNERS),
        st.tuples(st.just("cancel"), RUNS, st.just("")),
        st.tuples(st.just("cleanup"), RUNS, OWNERS),
        st.tuples(st.just("wait"), st.sampled_from([1, 4, 7]), st.just("")),
    ),
    max_size=30,
)


def outcome(manager, action, run, owner):
    if action == "cancel":
        return manager.request_cancel_sync(run).outcome
    if action == "cleanup":
        return manager.cleanup_run(run, owner=owner)
    try:
        intent = manager.enroll_sync(run, owner=owner)
    except DuplicateRunError:
        return "refused"
    return intent is not None


@pytest.fixture(scope="module")
def shared_file(tmp_path_factory):
    return tmp_path_factory.mktemp("sqlite") / "runs.db"


@given(STEPS)
def test_the_database_and_the_memory_give_the_same_answers_to_any_sequence_of_calls(shared_file, steps):
    """R22, R26: two implementations that share no code, and one contract."""
    now = [1000.0]
    options = {"intent_ttl": 5, "tombstone": 3, "clock": lambda: now[0]}
    memory = InMemoryCancellationManager(**options)
    database = SQLiteCancellationManager(shared_file, namespace=uuid4().hex, lease=1e9, **options)
    for action, what, owner in steps:
        if action == "wait":
            now[0] += what
        else:
            assert outcome(memory, action, what, owner) == outcome(database, action, what, owner), (action, what, owner)
        assert memory.get_active_runs() == database.get_active_runs()
        assert set(memory.intents_sync("abc")) == set(database.intents_sync("abc"))
