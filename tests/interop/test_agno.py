"""agno itself, both ways: its runs are cancelled through our managers, and its managers interrupt our actors.

agno is among the dependencies of the tests. It catches only its own exception, and looks at its flag between chunks.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import pytest
from agno.agent import Agent
from agno.exceptions import RunCancelledException
from agno.models.base import Model
from agno.models.response import ModelResponse
from agno.run import cancel as agno_cancel
from agno.run.agent import RunCancelledEvent
from agno.run.base import RunStatus
from agno.run.cancellation_management.base import BaseRunCancellationManager
from agno.run.cancellation_management.in_memory_cancellation_manager import InMemoryRunCancellationManager

from actors import InMemoryCancellationManager, ManagerError
from actors.__main__ import main
from actors.abc import adapt
from actors.backends import SQLiteCancellationManager, as_agno
from actors.testing import check_between_processes, check_cancellation_manager
from tests._programs import programs, says, until
from tests._support import Doer, Hang
from tests.conftest import LOOPS
from tests.contracts.remote_like import RemoteManager, Server

LACKS_OF_AGNO = {"reasons", "intents_apart"}


@pytest.fixture(params=LOOPS[:2])
def anyio_backend(request):
    """agno is for asyncio."""
    return request.param


@dataclass
class Story(Model):
    """A model that tells a word every few milliseconds, for ever; no network, no key."""

    id: str = "story"

    def invoke(self, *_args, **_options):
        return ModelResponse(role="assistant", content="The end.")

    async def ainvoke(self, *_args, **_options):
        return ModelResponse(role="assistant", content="The end.")

    def invoke_stream(self, *_args, **_options):
        while True:
            time.sleep(0.002)
            yield ModelResponse(content="word ")

    async def ainvoke_stream(self, *_args, **_options):
        while True:
            await anyio.sleep(0.002)
            yield ModelResponse(content="word ")

    def _parse_provider_response(self, response, **_options):
        return response

    def _parse_provider_response_delta(self, response):
        return response


class CookbookManager(BaseRunCancellationManager):
    """After `custom_cancellation_manager.py` of agno's cookbook: a JSON file, and a lock of threads."""

    def __init__(self, file_path):
        self._path = Path(file_path)
        self._lock = threading.Lock()
        if not self._path.exists():
            self._write_state({})

    def _read_state(self):
        try:
            return json.loads(self._path.read_text())
        except (json.JSONDecodeError, FileNotFoundError):
            return {}

    def _write_state(self, state):
        self._path.write_text(json.dumps(state, indent=2))

    def register_run(self, run_id):
        with self._lock:
            state = self._read_state()
            state.setdefault(run_id, False)
            self._write_state(state)

    async def aregister_run(self, run_id):
        self.register_run(run_id)

    def cancel_run(self, run_id):
        with self._lock:
            state = self._read_state()
            was_registered = run_id in state
            state[run_id] = True
            self._write_state(state)
            return was_registered

    async def acancel_run(self, run_id):
        return self.cancel_run(run_id)

    def is_cancelled(self, run_id):
        return self._read_state().get(run_id, False)

    async def ais_cancelled(self, run_id):
        return self.is_cancelled(run_id)

    def cleanup_run(self, run_id):
        with self._lock:
            state = self._read_state()
            state.pop(run_id, None)
            self._write_state(state)

    async def acleanup_run(self, run_id):
        self.cleanup_run(run_id)

    def raise_if_cancelled(self, run_id):
        if self.is_cancelled(run_id):
            raise RunCancelledException(f"Run {run_id} was cancelled")

    async def araise_if_cancelled(self, run_id):
        self.raise_if_cancelled(run_id)

    def get_active_runs(self):
        return self._read_state()

    async def aget_active_runs(self):
        return self.get_active_runs()


def cookbook(path):
    return adapt(CookbookManager(path), poll_period=0.005)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


@pytest.fixture
def elsewhere(path):
    """The store as another process sees it; after the test nothing is left in it."""
    manager = SQLiteCancellationManager(path)
    yield manager
    assert manager.get_active_runs() == {}
    manager.close()


@pytest.fixture
def ours(path, monkeypatch):
    """Ours is agno's manager, for the time of a test."""
    manager = SQLiteCancellationManager(path)
    monkeypatch.setattr(agno_cancel, "_cancellation_manager", agno_cancel.get_cancellation_manager())
    monkeypatch.setattr(agno_cancel, "_cancellation_manager_explicitly_set", False)
    agno_cancel.set_cancellation_manager(as_agno(manager))
    yield manager
    manager.close()


def teller():
    return Agent(name="teller", model=Story(), telemetry=False)


# ---- agno's runs through our managers -------------------------------------------------------------------------------


@pytest.mark.may_leave("tasks", "agno leaves the model's generator to the event loop when it stops reading it")
async def test_a_real_agno_run_is_cancelled_from_the_command_line(ours, path, elsewhere, capsys):
    """Issue 4: agno ends the run in order, says why, and nothing of it is left in the store."""
    events = []
    async for event in teller().arun("A story, please", stream=True, run_id="run-1"):
        events.append(event)
        if len(events) == 5:
            assert elsewhere.get_active_runs() == {"run-1": False}
            command = ["cancel", "run-1", "--reason", "enough", "--by", "ops", "--backend", f"sqlite:{path}"]
            assert await anyio.to_thread.run_sync(main, command) == 0
    (cancelled,) = [event for event in events if isinstance(event, RunCancelledEvent)]
    assert cancelled.reason == "Run run-1 was cancelled by ops: enough"
    assert elsewhere.request_cancel_sync("run-1").outcome == "finished"


async def test_a_real_agno_run_that_was_cancelled_before_it_began_does_not_begin(ours, elsewhere):
    """Promise 4, as far as it reaches here."""
    elsewhere.cancel_run("run-1", reason="never mind")
    answer = await teller().arun("A story, please", run_id="run-1")
    assert (answer.status, "never mind" in str(answer.content)) == (RunStatus.cancelled, True)


async def test_a_real_agno_run_that_nobody_cancels_completes(ours, elsewhere):
    answer = await teller().arun("A story, please", run_id="run-1")
    assert (answer.status, answer.content) == (RunStatus.completed, "The end.")


def test_a_real_synchronous_agno_run_is_cancelled_too(ours, elsewhere):
    """Issue 4: the synchronous twins, from a plain thread."""
    events = []
    for event in teller().run("A story, please", stream=True, run_id="run-1"):
        events.append(event)
        if len(events) == 5:
            assert agno_cancel.cancel_run("run-1")
        assert len(events) < 1000
    assert [event.reason for event in events if isinstance(event, RunCancelledEvent)] == ["Run run-1 was cancelled"]


async def test_a_store_that_fails_does_not_fail_an_agno_run_and_a_cancel_says_so(monkeypatch):
    """R28."""
    server = Server()
    async with RemoteManager(server) as manager:
        monkeypatch.setattr(agno_cancel, "_cancellation_manager", as_agno(manager))
        server.error = ManagerError("down")
        answer = await teller().arun("A story, please", run_id="run-1")
        assert answer.status == RunStatus.completed
        with pytest.raises(ManagerError, match="down"):
            await agno_cancel.acancel_run("run-1")
        server.error = None


def test_it_is_of_agnos_class_and_raises_agnos_exception_in_both_kinds_of_methods():
    """Design, section 4: agno catches only its own."""
    manager = InMemoryCancellationManager()
    theirs = as_agno(manager)
    assert isinstance(theirs, BaseRunCancellationManager)
    theirs.register_run("run")
    theirs.register_run("run")  # agno does, when it goes on after a pause
    assert (theirs.is_cancelled("run"), theirs.get_active_runs()) == (False, {"run": False})
    theirs.raise_if_cancelled("run")
    assert theirs.cancel_run("run", reason="why", by="who") is True
    with pytest.raises(RunCancelledException, match=r"^Run run was cancelled by who: why$"):
        theirs.raise_if_cancelled("run")

    async def the_same():
        with pytest.raises(RunCancelledException, match="why"):
            await theirs.araise_if_cancelled("run")
        assert await theirs.ais_cancelled("run") is True
        assert await theirs.aget_active_runs() == {"run": True}
        await theirs.acleanup_run("run")
        await theirs.aregister_run("run")
        assert await theirs.acancel_run("run") is True
        await theirs.acleanup_run("run")

    anyio.run(the_same)
    assert manager.get_active_runs() == {}


async def test_the_members_of_a_team_end_with_it_whoever_has_cancelled_the_team():
    """R10: and `*_member_run*` are covered; teams within teams too."""
    manager = InMemoryCancellationManager()
    theirs = as_agno(manager)
    for run_id in ("team", "member", "inner", "innermost", "stranger"):
        theirs.register_run(run_id)
    theirs.register_member_run("team", "member")
    await theirs.aregister_member_run("team", "inner")
    theirs.register_member_run("inner", "innermost")
    assert theirs.get_member_run_ids("team") == await theirs.aget_member_run_ids("team") == {"member", "inner"}
    manager.cancel_run("team", reason="all of you")  # by somebody who knows nothing of agno
    for run_id in ("team", "member", "inner", "innermost"):
        with pytest.raises(RunCancelledException, match="all of you"):
            theirs.raise_if_cancelled(run_id)
        assert await theirs.ais_cancelled(run_id)
    assert not theirs.is_cancelled("stranger")
    theirs.cleanup_member_runs("team")
    await theirs.acleanup_member_runs("inner")
    assert not theirs.is_cancelled("innermost")
    assert theirs.get_member_run_ids("team") == set()


def test_the_lease_of_a_long_agno_run_is_renewed_and_that_of_a_killed_process_is_not(path):
    """R30: agno has no owner that could do it; without, a cancel of a run longer than the lease would be refused."""
    manager = SQLiteCancellationManager(path, lease=0.4)
    theirs = as_agno(manager)
    theirs.register_run("run")
    registered = time.monotonic()
    while time.monotonic() < registered + 1.2:
        time.sleep(0.05)
    assert manager.get_active_runs() == {"run": False}
    theirs.cleanup_run("run")
    deadline = time.monotonic() + 20
    while any(thread.name.endswith("renewal") for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(thread.name.endswith("renewal") for thread in threading.enumerate())
    with programs("import os, sys, time\nfrom actors.backends import SQLiteCancellationManager, as_agno") as start:
        process = start(
            "as_agno(SQLiteCancellationManager(sys.argv[1])).register_run('theirs')\nprint(1, flush=True)\ntime.sleep(60)",
            path,
        )
        says(process)
        assert manager.get_active_runs() == {"theirs": False}
    assert manager.request_cancel_sync("theirs").outcome == "owner_gone"
    manager.close()


# ---- our actors through agno's managers -----------------------------------------------------------------------------


@pytest.fixture(params=["in memory", "cookbook"])
def theirs(request, tmp_path):
    return (
        InMemoryRunCancellationManager() if request.param == "in memory" else CookbookManager(tmp_path / "state.json")
    )


@pytest.mark.usefixtures("system")
async def test_a_manager_of_agnos_own_that_is_injected_interrupts_our_actor(system, theirs, monkeypatch):
    """Issue 4: as it is; and it is cleaned up."""
    monkeypatch.setitem(adapt.__kwdefaults__, "poll_period", 0.005)
    hang = Hang()
    ref = await system.spawn(Doer(), cancellation=theirs)
    run = await ref.request(hang, run_id="run-1")
    await hang.began.wait()
    await until(lambda: theirs.get_active_runs() == {"run-1": False})
    assert await theirs.acancel_run("run-1") is True
    assert (await run).source == "manager"
    await until(lambda: theirs.get_active_runs() == {})


async def test_agnos_manager_in_memory_keeps_what_it_can_of_the_contract():
    """Issue 4: the suite, through the adapter. No reasons, no tombstones, no leases; intents are listed as runs."""
    one = InMemoryRunCancellationManager()
    done = await check_cancellation_manager(lambda: adapt(one, poll_period=0.005), lacks={*LACKS_OF_AGNO, "shared"})
    assert "what many do at once is not lost" in done
    assert "a cancel that comes before its run is kept for it" in done


async def test_the_suite_finds_what_is_wrong_with_the_cookbooks_json_manager(tmp_path):
    """Issue 4: whose known faults the suite must find: two of them register one run, there is no room for a reason, and more."""
    with pytest.raises(
        AssertionError, match=r"^(a second registration is refused|one of many who register at once wins): "
    ):
        await check_cancellation_manager(partial(cookbook, tmp_path / "state.json"), lacks=LACKS_OF_AGNO)
    with pytest.raises(AssertionError, match=r"^reason and author come with a cancel: "):
        await check_cancellation_manager(partial(cookbook, tmp_path / "another.json"), lacks={"intents_apart"})
    with pytest.raises(AssertionError, match=r"^a cancel without a run is no run: "):
        await check_cancellation_manager(partial(cookbook, tmp_path / "third.json"), lacks={"reasons"})


@pytest.mark.parametrize("anyio_backend", [LOOPS[0]])
async def test_the_suite_finds_that_it_loses_what_two_processes_write_at_once(tmp_path):
    """R31."""
    with pytest.raises(
        AssertionError, match=r"^two processes that write at once lose nothing: \d+ of 300 \w+ were lost"
    ):
        await check_between_processes(partial(cookbook, tmp_path / "state.json"), lacks=LACKS_OF_AGNO)


def test_importing_the_backends_does_not_import_agno():
    with programs() as start:
        process = start("import sys\nfrom actors.backends import as_agno\nprint('agno' in sys.modules, flush=True)")
        assert says(process) == "False"


def test_without_agno_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "agno.exceptions", None)
    with pytest.raises(ImportError, match="pip install agno"):
        as_agno(InMemoryCancellationManager())
