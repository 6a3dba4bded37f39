"""The file manager: nothing lost between processes, nothing torn, nothing kept alive by the dead, no disk that stops the loop."""

import errno
import json
import os
import re
import signal
import stat
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import DuplicateRunError, InMemoryCancellationManager, ManagerError
from actors.backends import FileCancellationManager
from tests._programs import finish, programs, until
from tests.contracts.agno_like import CookbookFileManager

# Through the door, as these modules are seen under one of two names only.
_module = sys.modules[FileCancellationManager.__module__]
JsonFile, FileState = _module.JsonFile, _module.FileState
Process = sys.modules[FileState.__module__].Process
Rules, RESERVED = _module.Rules, _module.RESERVED


@pytest.fixture
def python():
    """Starts other processes; none is left after the test."""
    with programs("import os, sys, time\nfrom actors.backends import FileCancellationManager") as start:
        yield start


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.json"


@pytest.fixture
def manager(path):
    return FileCancellationManager(path, poll_period=0.005)


def entries(path):
    document = json.loads(path.read_text())
    document.pop(RESERVED)
    return document


# ---- several processes ----------------------------------------------------------------------------------------------


def test_two_processes_that_write_three_hundred_times_each_lose_nothing(path, python):
    """R31: the often copied example keeps 0 to 25 of 300 cancels here."""
    program = """
path, me, other = sys.argv[1:]
manager = FileCancellationManager(path, timeout=30, capacity=10_000)
for number in range(300):
    manager.register_run(f"{me}-{number}")
    manager.cancel_run(f"{other}-{number}", reason=f"{me} says so")
    if number % 3 == 0:
        manager.cleanup_run(f"{me}-{number}")
print("done", flush=True)
input()  # lives on, for a cancel of a dead process's run would be answered "owner_gone"
"""
    one, two = python(program, path, "one", "two"), python(program, path, "two", "one")
    for process in (one, two):
        assert process.stdout.readline() == "done\n", process.stderr.read()
    expected = {f"{name}-{number}": True for name in ("one", "two") for number in range(300) if number % 3}
    manager = FileCancellationManager(path)
    found = manager.intents_sync(list(expected))
    assert [run_id for run_id in expected if run_id not in found] == []
    # Of those cleaned up, the ones whose cancel came first are gone, and late cancels stored nothing.
    assert entries(path) == expected
    assert found["one-1"].reason == "two says so"
    assert not path.with_name("runs.json.tmp").exists()


def test_a_process_killed_while_it_holds_the_lock_blocks_nobody(path, python):
    """R31: the system gives the lock back, however the holder dies."""
    process = python(
        "with FileCancellationManager(sys.argv[1]).batch():\n    print('locked', flush=True)\n    time.sleep(60)", path
    )
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(ManagerError, match=r"runs\.json\.lock: another process has kept this lock for 0\.1 s"):
        FileCancellationManager(path, timeout=0.1).register_run("run")
    process.kill()
    process.communicate()
    FileCancellationManager(path, timeout=0.1).register_run("run")


def test_a_process_killed_in_the_middle_of_writing_leaves_the_file_whole(path):
    """R31: what it had begun is swept away by the next writer."""
    manager = FileCancellationManager(path)
    manager.register_run("run")
    path.with_name("runs.json.tmp").write_text('{"half')
    manager.cancel_run("run")
    assert entries(path) == {"run": True}
    assert not path.with_name("runs.json.tmp").exists()


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_the_runs_of_a_killed_process_are_known_to_be_nobodys_at_once(path, reaped, python):
    """R30: on the same machine nobody waits for the lease."""
    process = python(
        "FileCancellationManager(sys.argv[1]).register_run('run')\nprint(1, flush=True)\ntime.sleep(60)", path
    )
    assert process.stdout.readline() == "1\n"
    manager = FileCancellationManager(path)
    assert manager.get_active_runs() == {"run": False}
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
    manager.register_run("run")
    assert manager.get_active_runs() == {"run": False}
    process.communicate()


def test_what_a_dead_process_was_told_to_end_stays_cancelled_for_the_one_that_takes_the_run_over(path, python):
    """R22, R30: the user had pressed stop; that a process died since changes nothing."""
    process = python(
        "FileCancellationManager(sys.argv[1]).register_run('run')\nprint(1, flush=True)\ntime.sleep(60)", path
    )
    process.stdout.readline()
    manager = FileCancellationManager(path)
    assert manager.cancel_run("run", reason="stop")
    process.kill()
    process.communicate()
    assert manager.enroll_sync("run").reason == "stop"


async def test_a_cancel_in_another_process_arrives_with_reason_and_author(manager, path, python):
    """R26: the push side of a file."""
    told = []
    await manager.enroll("run")
    async with anyio.create_task_group() as group:
        group.start_soon(manager.watch, lambda: ["run"], told.append)
        process = python("FileCancellationManager(sys.argv[1]).cancel_run('run', reason='why ☂', by='anna')", path)
        await until(lambda: told)
        group.cancel_scope.cancel()
    finish(process)
    assert [(intent.run_id, intent.reason, intent.by) for intent in told] == [("run", "why ☂", "anna")]


# ---- others who write the file --------------------------------------------------------------------------------------


def test_the_file_is_what_others_read(manager, path):
    """Design, section 4: the flat layout of agno's cookbook example, in both directions."""
    other = CookbookFileManager(path)
    manager.register_run("ours")
    assert other.is_cancelled("ours") is False
    manager.cancel_run("ours")
    assert other.is_cancelled("ours") is True
    other.register_run("theirs")
    assert manager.get_active_runs() == {"ours": True, "theirs": False}
    with pytest.raises(DuplicateRunError):
        manager.register_run("theirs")
    result = manager.request_cancel_sync("theirs", reason="why")
    assert (result.outcome, other.is_cancelled("theirs")) == ("registered", True)
    assert manager.get_active_runs()["theirs"] is True
    assert manager.intents_sync(["theirs"])["theirs"].reason == "why"
    other.cleanup_run("theirs")
    assert manager.get_active_runs() == {"ours": True}
    manager.register_run("theirs")
    assert manager.get_active_runs() == {"ours": True, "theirs": False}


def test_a_cancel_that_others_wrote_counts_for_our_runs_before_and_after_they_are_registered(manager, path):
    """R26: without reason and author, which they do not write."""
    path.write_text('{"early": true}')
    intent = manager.enroll_sync("early")
    assert (intent.reason, intent.by) == ("", None)
    manager.register_run("late")
    CookbookFileManager(path).cancel_run("late")
    assert manager.is_cancelled("late")
    assert manager.get_active_runs() == {"early": True, "late": True}


def test_a_cancel_that_others_wrote_expires_too_counted_from_when_we_first_saw_it(path):
    """R22"""
    now = 1000.0
    manager = FileCancellationManager(path, intent_ttl=10, clock=lambda: now)
    path.write_text('{"stale": true}')
    manager.register_run("run")
    assert manager.is_cancelled("stale")
    now = 1011.0
    assert not manager.is_cancelled("stale")
    manager.cleanup_run("run")
    assert entries(path) == {}


def test_a_late_cancel_that_others_wrote_is_not_taken_for_the_next_run_with_that_id(manager, path):
    """R22: they know no tombstones; we do."""
    manager.register_run("run")
    manager.cleanup_run("run")
    CookbookFileManager(path).cancel_run("run")
    assert not manager.is_cancelled("run")
    assert manager.enroll_sync("run") is None


def test_what_others_keep_in_the_file_is_left_alone(manager, path):
    """R31: we know our entries and theirs apart."""
    strange = {"note": "theirs", "number": 3, "null": None, "nested": {"a": [1, 2]}, "run of theirs": False}
    path.write_text(json.dumps(strange))
    manager.register_run("run")
    manager.cancel_run("run")
    manager.cleanup_run("run")
    assert entries(path) == strange
    assert manager.get_active_runs() == {"run of theirs": False}


def test_what_a_writer_without_the_lock_has_lost_is_put_back_when_the_lease_is_renewed(manager, path):
    """R30, R31: writers that take no lock can lose our updates; the owner of a run is still there."""
    manager.enroll_sync("run", owner="me")
    path.write_text('{"theirs": false}')
    assert manager.get_active_runs() == {"theirs": False}
    manager.renew_sync(["run"], owner="me")
    assert manager.get_active_runs() == {"theirs": False, "run": False}


def test_a_file_that_others_write_in_place_is_never_taken_for_an_empty_one(path, python):
    """R31: each torn read is read again; here most of them are torn."""
    program = """
path, half = sys.argv[1], '{"run": true, "padding": "' + "x" * 5000
print("writing", flush=True)
while True:
    with open(path, "w") as file:
        file.flush()
        time.sleep(0.0005)
        file.write(half)
        file.flush()
        time.sleep(0.0005)
        file.write('"}')
    time.sleep(0.0005)
"""
    path.write_text('{"run": true}')
    process = python(program, path)
    process.stdout.readline()
    manager = FileCancellationManager(path)
    torn, answers = 0, []
    while torn < 20 and len(answers) < 50_000:
        try:
            json.loads(path.read_bytes())
        except ValueError:
            torn += 1
        answers.append(manager.is_cancelled("run"))
    assert all(answers)
    assert torn == 20


@pytest.mark.parametrize("content", ["", "{", '{"run": true', "[]", "null", "\x00\x01", '{"__bargein__": 1}'])
def test_a_damaged_file_is_a_clear_error_and_left_as_it_is(manager, path, content, monkeypatch):
    """R31: not taken for an empty one, neither for reading nor for writing."""
    monkeypatch.setattr(sys.modules[JsonFile.__module__], "TORN_TIME", 0.02)
    path.write_text(content)
    for call in (manager.get_active_runs, lambda: manager.register_run("run"), lambda: manager.cancel_run("run")):
        with pytest.raises(ManagerError, match=r"runs\.json: damaged.*It was left as it is: repair it, or remove it"):
            call()
    assert path.read_text() == content


def test_a_file_of_a_later_format_is_not_touched(manager, path):
    content = json.dumps({RESERVED: {"format": 99}})
    path.write_text(content)
    with pytest.raises(ManagerError, match="another format than 1"):
        manager.register_run("run")
    assert path.read_text() == content


def test_the_reserved_key_is_no_run_id(manager):
    for call in (manager.register_run, manager.cancel_run):
        with pytest.raises(ValueError, match="reserved"):
            call(RESERVED)


# ---- the system says no ---------------------------------------------------------------------------------------------


def test_a_cancel_for_which_there_is_no_room_raises_and_changes_nothing(path, python):
    """R28: a real limit on the size of files (RLIMIT_FSIZE), in a process of its own."""
    program = """
import resource
from actors import ManagerError
manager = FileCancellationManager(sys.argv[1])
manager.register_run("run")
before = open(sys.argv[1]).read()
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    manager.cancel_run("run", reason="why")
except ManagerError as error:
    print(error)
assert open(sys.argv[1]).read() == before
assert os.listdir(os.path.dirname(sys.argv[1])) in (["runs.json", "runs.json.lock"], ["runs.json.lock", "runs.json"])
assert manager.get_active_runs() == {"run": False}
"""
    out = finish(python(program, path))
    assert re.search(r"runs\.json: cannot change the file: File too large\. Nothing was changed: make room", out), out


@pytest.mark.parametrize(
    ("number", "advice"),
    [("EROFS", "create files in its folder"), ("EACCES", "create files in its folder"), ("ENOSPC", "make room")],
)
def test_what_the_system_refuses_is_said_with_the_path_and_what_to_do(manager, path, monkeypatch, number, advice):
    """R28: simulated at the last step, since nothing is forbidden to root."""
    manager.register_run("run")

    def refuse(self, target):
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ManagerError, match=f"runs\\.json: cannot change the file: .*{advice}"):
        manager.cancel_run("run")
    monkeypatch.undo()
    assert entries(path) == {"run": False}
    assert not path.with_name("runs.json.tmp").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path):
    """R28"""
    manager = FileCancellationManager(tmp_path / "nowhere" / "runs.json")
    with pytest.raises(ManagerError, match="Create its folder first"):
        manager.cancel_run("run")
    assert manager.get_active_runs() == {}  # a file that is not there is an empty one


def test_a_path_that_is_a_folder_is_said(tmp_path):
    with pytest.raises(ManagerError, match="Name a file, not a folder"):
        FileCancellationManager(tmp_path).get_active_runs()


def test_the_files_mode_and_a_link_to_it_survive_replacing(tmp_path):
    """R31: a file shared by a group stays so."""
    target = tmp_path / "target.json"
    target.write_text("{}")
    target.chmod(0o664)
    link = tmp_path / "link.json"
    link.symlink_to(target)
    FileCancellationManager(link, fsync=True).register_run("run")
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o664
    assert entries(target) == {"run": False}


def test_a_removed_lock_file_does_not_let_two_in(path, monkeypatch):
    """R31: whoever has waited for the removed one finds that it means nothing any more, and waits for the new one."""
    lock = sys.modules[_module.locked.__module__]
    refused, inside, taken = threading.Event(), threading.Event(), lock._taken

    def second():
        with FileCancellationManager(path, timeout=20).batch():
            inside.set()

    def seen(descriptor):
        answer = taken(descriptor)
        if not answer:
            refused.set()
        return answer

    monkeypatch.setattr(lock, "_taken", seen)
    thread = threading.Thread(target=second)
    with ExitStack() as third:
        with FileCancellationManager(path).batch():
            thread.start()
            assert refused.wait(10)  # the second waits for the file that is removed now
            path.with_name("runs.json.lock").unlink()
            third.enter_context(FileCancellationManager(path).batch())  # makes a new one, and has it
        refused.clear()
        assert refused.wait(10)  # the second has got the old one, and waits again
        assert not inside.is_set()
    thread.join(10)
    assert inside.is_set()


# ---- the event loop -------------------------------------------------------------------------------------------------


async def test_a_disk_that_hangs_stops_neither_the_event_loop_nor_more_than_one_thread(path, monkeypatch):
    """R28: the cancel that could not be stored says so, in bounded time."""
    manager = FileCancellationManager(path, timeout=0.1)
    hanging, wakes, before = threading.Event(), 0, set(threading.enumerate())

    def hang(*_):
        hanging.wait(10)
        return FileState()

    monkeypatch.setattr(JsonFile, "read", hang)
    failed = []

    async def cancel(number):
        try:
            await manager.acancel_run(f"run-{number}")
        except ManagerError as error:
            failed.append(str(error))

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(cancel, number)
        with anyio.fail_after(5):
            while len(failed) < 20:
                await anyio.sleep(0.001)
                wakes += 1
    assert all("no answer within 0.1 s (a hanging disk" in text for text in failed)
    assert wakes > 10
    assert len([thread for thread in set(threading.enumerate()) - before if thread.name.endswith("worker")]) == 1
    hanging.set()
    monkeypatch.undo()
    await manager.acancel_run("later")
    assert manager.is_cancelled("later")


async def test_a_caller_who_gives_up_leaves_at_once_and_what_had_not_begun_is_not_done(path, monkeypatch):
    """R28: cancelled calls do not pile up behind a disk that hangs."""
    manager = FileCancellationManager(path)
    began, hanging = threading.Event(), threading.Event()
    read = JsonFile.read

    def hang(self, *args):
        began.set()
        hanging.wait(10)
        return read(self, *args)

    monkeypatch.setattr(JsonFile, "read", hang)
    async with anyio.create_task_group() as group:
        group.start_soon(manager.acancel_run, "first")
        await until(began.is_set)
        with anyio.move_on_after(0.01) as scope:
            await manager.acancel_run("given up")
        assert scope.cancelled_caught
        hanging.set()
    assert manager.is_cancelled("first")
    assert not manager.is_cancelled("given up")


async def test_what_many_ask_for_at_once_is_written_at_once(manager, monkeypatch):
    """A hundred registrations do not rewrite the file a hundred times."""
    writes, replace = [], JsonFile.replace
    monkeypatch.setattr(JsonFile, "replace", lambda self, document: (writes.append(1), replace(self, document)))
    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(manager.enroll, f"run-{number}")
    assert len(manager.get_active_runs()) == 100
    assert len(writes) < 20


async def test_one_of_many_that_are_written_at_once_can_fail_alone(manager):
    """A duplicate among them hurts only its own caller."""
    results = {}

    async def register(number):
        try:
            await manager.enroll(f"run-{number}")
        except DuplicateRunError:
            results[number] = "refused"
        else:
            results[number] = "registered"

    manager.register_run("run-7")
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(register, number)
    assert [number for number, result in results.items() if result == "refused"] == [7]
    assert len(manager.get_active_runs()) == 20


async def test_a_look_at_a_file_that_has_not_changed_reads_nothing_and_wakes_nobody(manager, monkeypatch):
    """Promise 20: polling is one `stat`, in a thread."""
    looks, reads, hints = [], [], []
    read, signature = JsonFile.read, JsonFile.signature
    monkeypatch.setattr(JsonFile, "signature", lambda self: (looks.append(1), signature(self))[1])
    monkeypatch.setattr(JsonFile, "read", lambda self, *args: (reads.append(1), read(self, *args))[1])
    async with anyio.create_task_group() as group:
        group.start_soon(manager.listen, hints.append)
        await until(lambda: len(looks) > 20)
        assert (len(hints), len(reads)) == (1, 0)
        manager.register_run("run")
        await until(lambda: len(hints) > 1)
        group.cancel_scope.cancel()
    assert hints == [None] * len(hints)


async def test_a_watch_says_when_the_file_can_no_longer_be_looked_at(manager, monkeypatch):
    """R28: visible in the health report, and tried again."""

    def broken(self):
        raise ManagerError("the disk is gone")

    told = []
    manager.register_run("run")
    async with anyio.create_task_group() as group:
        group.start_soon(manager.watch, lambda: ["run"], told.append)
        await until(lambda: manager.health().watching)
        monkeypatch.setattr(JsonFile, "signature", broken)
        await until(lambda: not manager.health())
        assert "the disk is gone" in manager.health().error
        monkeypatch.undo()
        manager.cancel_run("run")
        await until(lambda: told and manager.health())
        group.cancel_scope.cancel()


def test_runs_are_listed_with_the_process_that_holds_them_and_since_when(path):
    """R30: what a person needs to find the owner; it stays while the lease is renewed, and begins anew with a new run."""
    now = 1000.0
    manager = FileCancellationManager(path, clock=lambda: now)
    manager.enroll_sync("run", owner="me")
    manager.register_run("anonymous")
    CookbookFileManager(path).register_run("theirs")
    now = 1005.0
    manager.renew_sync(["run"], owner="me")
    manager.cancel_run("run", reason="why")
    listed = {record.run_id: record for record in manager.runs_sync()}
    assert (listed["run"].owner, listed["run"].registered_at) == ("me", 1000.0)
    assert (listed["run"].cancelled, listed["run"].intent.reason) == (True, "why")
    assert (listed["anonymous"].owner.rpartition("/")[2], listed["anonymous"].cancelled) == (str(os.getpid()), False)
    assert (listed["theirs"].owner, listed["theirs"].registered_at, listed["theirs"].intent) == ("", None, None)
    manager.cleanup_run("run")
    manager.enroll_sync("run", owner="me")
    assert {record.run_id: record.registered_at for record in manager.runs_sync()}["run"] == 1005.0


# ---- what is kept ---------------------------------------------------------------------------------------------------


def test_the_file_stays_small_under_bogus_run_ids(path):
    """R23: waiting cancels and tombstones are bounded, the oldest go first, registered runs stay."""
    manager = FileCancellationManager(path, capacity=20)
    manager.register_run("real")
    for number in range(300):
        manager.cancel_run(f"bogus-{number}")
        manager.cleanup_run(f"over-{number}")
    state = FileState.from_document(json.loads(path.read_text()))
    assert len(state.entries) <= 22
    assert len(state.finished) <= 21
    assert manager.is_cancelled("bogus-299")
    assert not manager.is_cancelled("bogus-0")
    assert manager.get_active_runs() == {"real": False}


def test_a_process_with_the_id_of_a_dead_one_is_not_taken_for_it():
    """R30: process ids come again."""
    me = Process.current()
    assert not me.known_dead()
    if me.started is not None:
        assert attrs.evolve(me, started=me.started - 1).known_dead()
    assert not Process(2**22 + 1, 0, "another machine").known_dead()  # its lease has to say
    assert Process(2**22 + 1, 0, me.machine).known_dead()


RUNS, OWNERS = st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "me", "you"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enroll"), RUNS, OWNERS),
        st.tuples(st.just("cancel"), RUNS, st.just("")),
        st.tuples(st.just("cleanup"), RUNS, OWNERS),
        st.tuples(st.just("wait"), st.sampled_from([1, 4, 7]), st.just("")),
    ),
    max_size=40,
)


class InMemory:
    def __init__(self, clock):
        self.manager = InMemoryCancellationManager(intent_ttl=5, tombstone=3, clock=clock)

    def do(self, action, run, owner):
        if action == "enroll":
            return self.manager.enroll_sync(run, owner=owner)
        if action == "cancel":
            return self.manager.request_cancel_sync(run).outcome
        return self.manager.cleanup_run(run, owner=owner)

    def seen(self):
        return self.manager.get_active_runs(), set(self.manager.intents_sync("abc"))


class InFile:
    """What the file manager does with each call, without the disk."""

    def __init__(self, clock):
        self.clock = clock
        self.rules = Rules(lease=1e9, tombstone=3, intent_ttl=5, capacity=100)
        self.me = attrs.asdict(Process.current())
        self.text = "{}"

    def do(self, action, run, owner):
        now, state = self.clock(), self.state()
        state.tidy(now, self.rules)
        try:
            if action == "enroll":
                return state.enroll(run, {"owner": owner, **self.me}, now, self.rules)
            if action == "cancel":
                return state.cancel(run, "", None, now, self.rules).outcome
            return state.cleanup(run, owner, now, self.rules)
        finally:
            if state.changed:
                self.text = json.dumps(state.to_document())

    def state(self):
        return FileState.from_document(json.loads(self.text))

    def seen(self):
        state, now = self.state(), self.clock()
        return state.active(now), {run for run in "abc" if state.cancelled(run, now)}


def outcome(store, *step):
    try:
        answer = store.do(*step)
    except DuplicateRunError:
        return "refused"
    return answer if isinstance(answer, str | None) else answer.run_id


@given(STEPS)
def test_the_file_and_the_memory_give_the_same_answers_to_any_sequence_of_calls(steps):
    """R22, R26: two implementations that share no code, and one contract."""
    now = [1000.0]
    memory, file = InMemory(lambda: now[0]), InFile(lambda: now[0])
    for action, what, owner in steps:
        if action == "wait":
            now[0] += what
        else:
            assert outcome(memory, action, what, owner) == outcome(file, action, what, owner), (action, what, owner)
        assert memory.seen() == file.seen()
