"""R26, R30, R31: two processes, each with a system on one JSON file, cancel each other's runs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio
import pytest
import uvloop
from anyio.streams.buffered import BufferedByteReceiveStream

from actors import DuplicateRunError
from actors.backends import FileCancellationManager
from tests._support import Call, Doer, Gate, Hang

pytestmark = pytest.mark.usefixtures("patient")

ROOT = Path(__file__).parent.parent.parent


class OtherProcess:
    """tests/managers/_process.py, running."""

    def __init__(self, process):
        self.process = process
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._heard = []

    async def do(self, what, **how):
        await self.process.stdin.send((json.dumps({"do": what, **how}) + "\n").encode())

    async def hears(self, said, run=None):
        """The next line that says this, of this run if one is named; others are kept for later."""
        while True:
            for line in self._heard:
                if line["said"] == said and run in (None, line.get("run")):
                    self._heard.remove(line)
                    return line
            self._heard.append(json.loads(await self._lines.receive_until(b"\n", 10_000)))

    async def hangs(self, *runs):
        """Runs of that process that have begun and are registered."""
        for run in runs:
            await self.do("hang", run=run)
        for run in runs:
            await self.hears("began", run)

    async def leave(self):
        """Let it come to its end, in order."""
        await self.process.stdin.aclose()
        assert await self.process.wait() == 0


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "runs.json"
    yield path
    assert FileCancellationManager(path).get_active_runs() == {}


@pytest.fixture
async def other(path, anyio_backend):
    """Another process, on the same kind of event loop; it does not outlive the test."""
    name, options = anyio_backend
    kind = "uvloop" if options.get("loop_factory") is uvloop.new_event_loop else name
    command = [sys.executable, str(Path(__file__).parent / "_process.py"), str(path), kind]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    async with await anyio.open_process(command, stderr=None, env=environment) as process:
        try:
            other = OtherProcess(process)
            await other.hears("ready")
            yield other
        finally:
            if process.returncode is None:
                process.kill()


async def hanging(system, run_id, **options):
    actor, hang = Doer(), Hang()
    ref = await system.spawn(actor, **options)
    run = await ref.request(hang, run_id=run_id)
    await hang.began.wait()
    return actor, run


async def test_a_cancel_in_another_process_interrupts_the_reply_here(system, path, other):
    """R26: within a poll period or so, with the words of whoever cancelled; it need not have a system."""
    actor, run = await hanging(system, "ours", cancellation=FileCancellationManager(path))
    began = anyio.current_time()
    await other.do("cancel", run_id="ours", reason="from elsewhere", by="anna")
    assert (await other.hears("cancelled"))["known"] is True
    interruption = await run
    assert anyio.current_time() - began < 5
    assert (interruption.source, interruption.started) == ("manager", True)
    assert (interruption.reason, interruption.by) == ("from elsewhere", "anna")
    assert len(actor.handled) == 1
    await other.do("cancel", run_id="ours")
    assert (await other.hears("cancelled"))["known"] is False
    await other.do("cancel", run_id="next", reason="early")
    assert (await other.hears("cancelled"))["known"] is False
    assert ((await run.cell.ref.ask("next", run_id="next")).started) is False
    assert await run.cell.ref.ask("again", run_id="ours") == "again"
    await other.leave()


async def test_two_processes_cancel_each_others_runs(new_system, path, other):
    """R26, R31: all at once; each is interrupted once, with its own reason, and nothing is left in the file."""
    ours, theirs = [f"ours-{n}" for n in range(5)], [f"theirs-{n}" for n in range(5)]
    async with new_system(cancellation=FileCancellationManager(path)) as system:
        await other.hangs(*theirs)
        here = [await hanging(system, run_id) for run_id in ours]
        assert dict.fromkeys(ours + theirs, False) == FileCancellationManager(path).get_active_runs()
        async with anyio.create_task_group() as group:
            for run_id in ours:
                await other.do("interrupt", run=run_id, reason=f"stop {run_id}")
            receipts = [Call(group, system.interrupt, run_id, f"stop {run_id}", by="this one") for run_id in theirs]
            assert {(await call.result()).outcome for call in receipts} == {"stored"}
            for run_id in theirs:
                line = await other.hears("interrupted", run_id)
                assert (line["source"], line["started"]) == ("manager", True)
                assert (line["reason"], line["by"]) == (f"stop {run_id}", "this one")
                await other.hears("over", run_id)
            for run_id, (actor, run) in zip(ours, here, strict=True):
                assert (await run).reason == f"stop {run_id}"
                assert (await run).by == "the other process"
                assert len(actor.handled) == 1
                assert (await other.hears("receipt", run_id))["outcome"] == "stored"
        assert FileCancellationManager(path).get_active_runs() == {}
        assert (await system.interrupt("theirs-0")).outcome == "finished"
    await other.leave()
    assert other._heard == []


async def test_a_run_id_of_another_process_is_refused_as_long_as_it_lives_there(new_system, path, other):
    """Design, section 4: a second active registration raises, in whichever process it comes second; the first goes on."""
    async with new_system(cancellation=FileCancellationManager(path)) as system:
        await other.hangs("theirs")
        ref, gate = await system.spawn(Doer()), Gate()
        with pytest.raises(DuplicateRunError, match="theirs"):
            await ref.ask("never", run_id="theirs")
        async with anyio.create_task_group() as group:
            call = Call(group, ref.ask, gate, run_id="ours")
            await gate.began.wait()
            await other.do("hang", run="ours")
            assert (await other.hears("duplicate"))["run"] == "ours"
            assert FileCancellationManager(path).get_active_runs() == {"theirs": False, "ours": False}
            gate.open()
            assert await call.result() == "opened"
        assert (await system.interrupt("theirs", "enough")).outcome == "stored"
        assert (await other.hears("interrupted"))["reason"] == "enough"
        await other.hears("over")
        assert await ref.ask("now it is free", run_id="theirs") == "now it is free"
    await other.leave()
    assert other._heard == []


async def test_the_runs_of_a_process_that_was_killed_are_nobodys(new_system, path, other):
    """R30: nobody will end them: the receipt says so, they are not active, and their ids are free."""
    async with new_system(cancellation=FileCancellationManager(path)) as system:
        await other.hangs("theirs", "orphan")
        other.process.kill()
        await other.process.wait()
        receipt = await system.interrupt("theirs", "no use", by="anna")
        assert (receipt.outcome, receipt.run_id, bool(receipt)) == ("owner_gone", "theirs", False)
        assert FileCancellationManager(path).get_active_runs() == {}
        ref = await system.spawn(Doer())
        assert await ref.ask("taken over", run_id="orphan") == "taken over"
        assert (await system.interrupt("orphan")).outcome == "finished"


async def test_a_process_that_leaves_its_system_undoes_what_is_left(path, other):
    """R25: in order, by leaving the block; whoever asked there is gone, and so are the runs."""
    await other.hangs("one", "another")
    assert FileCancellationManager(path).get_active_runs() == {"one": False, "another": False}
    await other.leave()
    for run_id in ("one", "another"):
        line = await other.hears("interrupted", run_id)
        assert (line["source"], line["started"]) == ("asker_gone", True)
        assert FileCancellationManager(path).request_cancel_sync(run_id).outcome == "finished"
    assert FileCancellationManager(path).get_active_runs() == {}
