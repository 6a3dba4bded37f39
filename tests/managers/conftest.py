"""The stores over which the tests of this folder run."""

from __future__ import annotations

import pytest

from actors import InMemoryCancellationManager
from actors._registrar import Registrar
from actors.backends import FileCancellationManager, SQLiteCancellationManager
from tests.managers._doubles import Store


@pytest.fixture
def memory():
    """The memory of this process: what is injected and what is used elsewhere are one."""
    manager = InMemoryCancellationManager()
    yield Store(manager, manager)
    assert manager.get_active_runs() == {}


@pytest.fixture
def patient(monkeypatch):
    """A reply waits for its registration as long as it takes: on a busy machine a disk can need more than 0.1 seconds."""
    monkeypatch.setitem(Registrar.__init__.__kwdefaults__, "register_timeout", 10.0)


@pytest.fixture
def file(tmp_path, patient):
    """A JSON file, and two managers on it, as two processes would have."""
    path = tmp_path / "runs.json"
    yield Store(FileCancellationManager(path, poll_period=0.005), FileCancellationManager(path))
    assert FileCancellationManager(path).get_active_runs() == {}


@pytest.fixture
def sqlite(tmp_path, patient):
    """A database, and two managers on it, as two processes would have."""
    path = tmp_path / "runs.db"
    managers = SQLiteCancellationManager(path, poll_period=0.005), SQLiteCancellationManager(path)
    yield Store(*managers)
    assert managers[1].get_active_runs() == {}
    for manager in managers:
        manager.close()


@pytest.fixture(params=["memory", "file", "sqlite"])
def store(request):
    """Any of them; after the test no run may be left in it (R25)."""
    return request.getfixturevalue(request.param)
