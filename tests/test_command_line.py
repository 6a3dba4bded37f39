"""`python -m actors`: what it says, in words and in JSON, its exit codes, and that it never says more than is known."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from actors import ManagerError
from actors.__main__ import main
from actors._command_line._exit import Exit
from actors.backends import FileCancellationManager, SQLiteCancellationManager
from tests._programs import ROOT, programs, says

OWNER = """
import sys, anyio
from actors import Actor, ActorSystem
from actors.backends import manager_from_url

class Worker(Actor):
    async def reply(self, message, /):
        print("began", flush=True)
        await anyio.sleep_forever()

    async def handle_interrupt(self, message, interruption, /):
        print(f"interrupted: {interruption.reason} by {interruption.by}", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)  # takes its time to end in order
        return "stopped"

async def main():
    async with ActorSystem(cancellation=manager_from_url(sys.argv[1])) as system:
        worker = await system.spawn(Worker())
        print(await worker.ask("work", run_id="run-1"), flush=True)
        sys.stdin.readline()

anyio.run(main)
"""


@pytest.fixture(params=["sqlite:{}/runs.db", "file:{}/runs.json"], ids=["sqlite", "file"])
def url(request, tmp_path, monkeypatch):
    monkeypatch.delenv("BARGEIN_BACKEND", raising=False)
    return request.param.format(tmp_path)


@pytest.fixture
def store(url):
    kind = SQLiteCancellationManager if url.startswith("sqlite") else FileCancellationManager
    manager = kind(url.partition(":")[2])
    yield manager
    getattr(manager, "close", lambda: None)()


@pytest.fixture
def call(url, capsys):
    """Calls the command line in this process; gives exit code, output and complaints."""

    def call(*arguments, backend=url):
        try:
            code = main([*arguments, *(["--backend", backend] if backend else [])])
        except SystemExit as error:  # argparse
            code = error.code
        out, complaints = capsys.readouterr()
        return int(code), out, complaints

    return call


@pytest.fixture
def owner(url):
    """Another process with a run; it has begun and is registered."""
    with programs() as start:
        process = start(OWNER, url)
        assert says(process) == "began"
        yield process


# ---- runs and health ------------------------------------------------------------------------------------------------


def test_active_runs_are_listed_with_owner_age_and_whether_they_shall_end(call, store):
    """Issue 4: `runs`; names that would break a table or a terminal are quoted."""
    store.enroll_sync("run-1", owner="host/1/me")
    store.register_run("bad\x1b[31m\nname")
    store.cancel_run("run-1", reason="too dear", by="anna")
    code, out, _ = call("runs")
    head, *rows = out.splitlines()
    assert (code, head.split()) == (0, ["RUN", "OWNER", "AGE", "CANCELLED"])
    assert sum(bool(re.match(r"run-1 +host/1/me +\d+ s +asked for: too dear \(by anna\)$", row)) for row in rows) == 1
    assert sum(bool(re.match(rf"'bad\\x1b\[31m\\nname' +\S+/{os.getpid()} +\d+ s +no$", row)) for row in rows) == 1
    store.cleanup_run("run-1")
    store.cleanup_run("bad\x1b[31m\nname")
    assert call("runs") == (0, "no active runs\n", "")


def test_active_runs_are_listed_for_programs(call, store):
    """Issue 4: `--json`, one document a line."""
    before = time.time()
    store.enroll_sync("run-1", owner="me")
    store.enroll_sync("run-2", owner="me")
    store.cancel_run("run-2", reason="why", by="who")
    code, out, _ = call("runs", "--json")
    found = {run["run_id"]: run for run in map(json.loads, out.splitlines())}
    assert (code, set(found)) == (0, {"run-1", "run-2"})
    assert (found["run-1"]["cancelled"], found["run-1"]["reason"], found["run-1"]["by"]) == (False, "", None)
    assert (found["run-2"]["cancelled"], found["run-2"]["reason"], found["run-2"]["by"]) == (True, "why", "who")
    assert before - 1 < found["run-1"]["registered_at"] <= time.time()
    assert 0 <= found["run-1"]["age"] < 60


def test_health_says_whether_the_store_answers_and_its_exit_code_too(call, store, url, tmp_path):
    """Issue 4: `health`."""
    store.register_run("run")
    store.cancel_run("run")
    code, out, _ = call("health")
    assert code == 0
    assert re.fullmatch(
        r"\w+CancellationManager: healthy, answered in [\d.]+ ms; active runs: 1, of which shall end: 1\n", out
    )
    code, out, _ = call("health", "--json")
    said = json.loads(out)
    assert (code, said["healthy"], said["error"], said["active"], said["cancelled"]) == (0, True, "", 1, 1)
    (tmp_path / "broken").write_bytes(b"neither JSON nor a database" * 100)
    code, out, complaints = call("health", backend=f"{url.partition(':')[0]}:{tmp_path / 'broken'}")
    assert (code, out) == (3, "")
    assert "broken" in complaints
    assert "left as it" in complaints


# ---- cancel ---------------------------------------------------------------------------------------------------------


def test_a_cancel_says_what_it_has_met_and_so_does_its_exit_code(call, store):
    """Issue 4: exit codes that scripts can use."""
    store.register_run("run-1")
    code, out, _ = call("cancel", "run-1", "--reason", "too dear", "--by", "anna")
    assert (code, out) == (0, "run-1: the cancel is stored, and its owner will be told\n")
    (intent,) = store.intents_sync(["run-1"]).values()
    assert (intent.reason, intent.by) == ("too dear", "anna")
    store.cleanup_run("run-1")
    code, out, _ = call("cancel", "run-1")
    assert (code, out) == (5, "run-1: had ended before; nothing was stored\n")
    code, out, _ = call("cancel", "run-2", "--wait", "--json")
    assert (code, json.loads(out)) == (4, {"run_id": "run-2", "outcome": "stored", "ended": False, "waited": 0.0})
    assert store.is_cancelled("run-2")


def test_waiting_ends_when_the_run_has_ended_and_says_nothing_before(owner, url):
    """R29, issue 4: `--wait`; the handler takes its time, and until it is over the run has not ended."""
    command = [
        sys.executable,
        "-m",
        "actors",
        "cancel",
        "run-1",
        "--reason",
        "enough",
        "--by",
        "ops",
        "--wait",
        "--backend",
        url,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as waiting:
        assert says(owner) == "interrupted: enough by ops"
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        lines = []
        reader = threading.Thread(target=lambda: lines.append(waiting.stdout.readline()))
        reader.start()
        assert lines == []
        owner.stdin.write("end\n")
        owner.stdin.flush()
        assert says(owner) == "stopped"
        assert waiting.wait(20) == 0
        reader.join(20)
    assert re.fullmatch(r"run-1: has ended, [\d.]+ s after the cancel\n", lines[0])


def test_waiting_is_over_when_its_time_is_up_and_does_not_say_that_the_run_has_ended(call, store):
    """R29."""
    store.register_run("run-1")
    code, out, _ = call("cancel", "run-1", "--wait", "--timeout", "0.1")
    assert code == 7
    assert re.fullmatch(r"run-1: the cancel is stored, but the run has not ended within [\d.]+ s\n", out)
    code, out, _ = call("cancel", "run-1", "--wait", "--timeout", "0", "--json")
    said = json.loads(out)
    assert (code, said["outcome"], said["ended"]) == (7, "registered", False)


def test_waiting_is_not_taken_in_by_a_later_run_with_that_id(call, store, monkeypatch):
    """R22: the run that was cancelled has ended, although one with its id is active, and even if that one is cancelled too."""
    store.enroll_sync("run-1")
    kind, looked = type(store), []
    intents = kind.intents_sync

    def later(self, run_ids):
        looked.append(run_ids)
        if len(looked) == 2:  # the second look of the command line
            store.cleanup_run("run-1")
            store.enroll_sync("run-1")
            store.cancel_run("run-1", reason="another")
        return intents(self, run_ids)

    monkeypatch.setattr(kind, "intents_sync", later)
    code, out, _ = call("cancel", "run-1", "--wait", "--timeout", "20")
    assert (code, "has ended" in out) == (0, True)
    assert list(intents(store, ["run-1"])) == ["run-1"]


def test_a_run_whose_owner_was_killed_is_said_to_be_nobodys(call, owner):
    """R30: before the cancel, so that there is nothing to wait for."""
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    code, out, _ = call("cancel", "run-1", "--wait")
    assert (code, "its owner is gone" in out) == (6, True)


def test_waiting_ends_when_the_owner_is_killed_meanwhile_and_does_not_say_that_the_run_has_ended(owner, url):
    """R29, R30."""
    command = [sys.executable, "-m", "actors", "cancel", "run-1", "--wait", "--backend", url, "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as waiting:
        assert says(owner).startswith("interrupted")
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert waiting.wait(30) == 6
        said = json.loads(waiting.stdout.read())
    assert (said["outcome"], said["ended"]) == ("owner_gone", False)


def test_a_store_that_fails_while_waiting_leaves_no_doubt_that_the_cancel_is_stored(call, store, monkeypatch):
    """R28."""

    def broken(self, run_ids):
        raise ManagerError("the disk is gone")

    store.register_run("run-1")
    monkeypatch.setattr(type(store), "intents_sync", broken)
    code, out, complaints = call("cancel", "run-1", "--wait")
    assert (code, out) == (3, "")
    assert (
        "the cancel is stored, but whether the run has ended cannot be seen: ManagerError: the disk is gone"
        in complaints
    )


# ---- watch ----------------------------------------------------------------------------------------------------------


def test_watching_says_what_happens(owner, url):
    """Issue 4: `watch`: a run that is there, its cancel, its end; and Ctrl-C ends it with the code that shells expect."""
    command = [sys.executable, "-m", "actors", "watch", "--json", "--backend", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
        first = json.loads(watching.stdout.readline())
        assert (first["event"], first["run_id"], first["cancelled"]) == ("registered", "run-1", False)
        assert f"/{owner.pid}/" in first["owner"]
        assert main(["cancel", "run-1", "--reason", "enough", "--backend", url]) == 0
        second = json.loads(watching.stdout.readline())
        assert (second["event"], second["run_id"], second["reason"]) == ("cancel_requested", "run-1", "enough")
        owner.stdin.write("end\n")
        owner.stdin.flush()
        assert json.loads(watching.stdout.readline())["event"] == "gone"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130


def test_watching_ends_by_itself_when_asked_to(call, store):
    store.register_run("run-1")
    code, out, _ = call("watch", "--seconds", "0.3")
    assert code == 0
    assert re.fullmatch(rf"run-1: is registered by \S+/{os.getpid()}\n", out)


# ---- wrong use ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "backend", "says_"),
    [
        (["runs"], None, "which store? Say --backend URL, or set BARGEIN_BACKEND"),
        (["runs"], "runs.db", "this is no URL of a cancellation manager"),
        (["runs"], "memory:", "the memory of this process is empty"),
        (["runs"], "mysql://anna:hunter2@host/x", "mysql:// is none of the schemes"),
        (["runs"], "sqlite:runs.db?ttl=1", "has no option ttl"),
        (["cancel", "run", "--timeout", "1"], "sqlite:runs.db", "--timeout is for --wait"),
        (["cancel", "run", "--wait", "--timeout", "-1"], "sqlite:runs.db", "is no time to wait"),
        (["cancel"], "sqlite:runs.db", "RUN_ID"),
        (["stop"], "sqlite:runs.db", "invalid choice"),
    ],
)
def test_wrong_use_is_said_and_has_a_code_of_its_own(call, arguments, backend, says_):
    """Issue 4: a clear error for a bad URL; without the password."""
    code, out, complaints = call(*arguments, backend=backend)
    assert (code, out) == (2, "")
    assert says_ in complaints
    assert "hunter2" not in complaints


def test_the_url_can_come_from_the_environment(call, store, url, monkeypatch):
    """A password on a command line can be read by everybody on the machine."""
    monkeypatch.setenv("BARGEIN_BACKEND", url)
    store.register_run("run-1")
    code, out, _ = call("runs", backend=None)
    assert (code, "run-1" in out) == (0, True)


def test_a_store_that_cannot_be_reached_is_said(call, url):
    code, out, complaints = call("cancel", "run", backend=f"{url.partition(':')[0]}:/nowhere/at/all")
    assert (code, out) == (3, "")
    assert "older" in complaints  # Its folder must exist; create its folder first


def test_every_exit_code_is_explained(capsys):
    """Issue 4: exit codes that scripts can use."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert [code for code in Exit if not re.search(rf"^  {code.value} +\S", text, re.MULTILINE)] == []
