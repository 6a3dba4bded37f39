"""R26, R53: the JSON file is watched in a thread while runs are registered, and left alone while there are none."""

from __future__ import annotations

import json
import threading

import anyio
import pytest

from actors._registrar import Registrar
from actors.backends import FileCancellationManager
from tests._leaks import tasks
from tests._support import Doer, Hang, quiet

pytestmark = pytest.mark.usefixtures("patient")


class Noted(FileCancellationManager):
    """Tells when its watch begins and ends."""

    def __init__(self, path, **options):
        super().__init__(path, poll_period=0.005, **options)
        self.watches = 0
        self.unwatched = anyio.Event()

    async def listen(self, hint):
        self.watches += 1
        try:
            await super().listen(hint)
        finally:
            self.unwatched.set()


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.setitem(Registrar.__init__.__kwdefaults__, "linger", 0.01)
    return Noted(tmp_path / "runs.json")


def watching(manager):
    """The threads that look at its file."""
    return [thread for thread in threading.enumerate() if thread.name == f"watching {manager.path}"]


async def hanging(ref, run_id="run"):
    hang = Hang()
    run = await ref.request(hang, run_id=run_id)
    await hang.began.wait()
    return run


async def until(condition):
    while not condition():  # noqa: ASYNC110 - a thread sets no event
        await anyio.sleep(0.001)


async def test_it_is_watched_while_a_run_is_registered_and_not_before_or_after(system, manager):
    """R53: no thread, no task, no file; and again with the next run."""
    ref = await system.spawn(Doer(), cancellation=manager)
    await quiet()
    assert (manager.watches, watching(manager), manager.path.exists()) == (0, [], False)
    idle = None
    for number in (1, 2, 3):
        manager.unwatched = anyio.Event()
        run = await hanging(ref)
        await until(lambda: watching(manager))
        assert len(watching(manager)) == 1
        await run.interrupt()
        await manager.unwatched.wait()
        await until(lambda: not watching(manager))
        await quiet()
        idle = idle or len(tasks())
        assert (manager.watches, len(tasks())) == (number, idle)


async def test_one_thread_watches_for_all_runs_of_all_actors(system, manager):
    """R27."""
    runs = [await hanging(await system.spawn(Doer(), cancellation=manager), f"run-{number}") for number in range(5)]
    await until(lambda: watching(manager))
    assert len(watching(manager)) == 1
    for run in runs:
        assert FileCancellationManager(manager.path).cancel_run(run.id)
        assert (await run).source == "manager"
    await manager.unwatched.wait()
    assert manager.watches == 1


async def test_no_thread_is_left_when_the_system_has_been_left_in_the_middle(new_system, manager):
    """Promise 19: by an exception, with a run that was being watched."""

    async def use():
        async with new_system() as system:
            await hanging(await system.spawn(Doer(), cancellation=manager))
            await until(lambda: watching(manager))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()
    await until(lambda: not watching(manager))
    assert FileCancellationManager(manager.path).get_active_runs() == {}


async def test_a_program_that_knows_nothing_but_flags_cancels_a_run(system, manager):
    """Design, section 4: the flat layout that others write; without a reason, since it has no place for one."""
    ref = await system.spawn(Doer(), cancellation=manager)
    run = await hanging(ref)
    document = json.loads(manager.path.read_text())
    assert document["run"] is False
    manager.path.write_text(json.dumps({**document, "run": True}))
    interruption = await run
    assert (interruption.source, interruption.reason, interruption.by) == ("manager", "", None)
    assert "run" not in json.loads(manager.path.read_text())


async def test_a_file_that_is_deleted_under_a_run_costs_it_nothing(system, manager):
    """R28, R31: a missing file is an empty one; the run goes on, can be interrupted, and leaves nothing behind."""
    ref = await system.spawn(Doer(), cancellation=manager)
    run = await hanging(ref)
    manager.path.unlink()
    assert (await run.interrupt("by hand")).outcome == "interrupted"
    assert await ref.ask("next", run_id="run") == "next"
    assert FileCancellationManager(manager.path).get_active_runs() == {}


async def test_a_damaged_file_fails_no_reply_and_is_left_as_it_is(system, manager, monkeypatch):
    """R28, R31: it is not taken for an empty one; runs do without until somebody has repaired it."""
    monkeypatch.setitem(Registrar.__init__.__kwdefaults__, "register_timeout", 0.1)
    ref = await system.spawn(Doer(), cancellation=manager)
    manager.path.write_text("{ this is no JSON")
    assert await ref.ask("first") == "first"
    run = await hanging(ref)
    assert (await run.interrupt("by hand")).outcome == "interrupted"
    assert not manager.health()
    assert manager.path.read_text() == "{ this is no JSON"
    manager.path.write_text("{}")
