"""Managers with agno's method names and nothing of ours, in the shapes that are found in the wild."""

import json
import threading
from pathlib import Path


class SyncOnlyManager:
    """Only the synchronous methods."""

    def __init__(self, _path=None):
        self.runs = {}

    def register_run(self, run_id):
        self.runs.setdefault(run_id, False)

    def cancel_run(self, run_id):
        known = run_id in self.runs
        self.runs[run_id] = True
        return known

    def is_cancelled(self, run_id):
        return self.runs.get(run_id, False)

    def cleanup_run(self, run_id):
        self.runs.pop(run_id, None)

    def get_active_runs(self):
        return dict(self.runs)


class AsyncOnlyManager:
    """Only the asynchronous methods."""

    def __init__(self, _path=None):
        self.inner = SyncOnlyManager()

    async def aregister_run(self, run_id):
        self.inner.register_run(run_id)

    async def acancel_run(self, run_id):
        return self.inner.cancel_run(run_id)

    async def ais_cancelled(self, run_id):
        return self.inner.is_cancelled(run_id)

    async def acleanup_run(self, run_id):
        self.inner.cleanup_run(run_id)

    async def aget_active_runs(self):
        return self.inner.get_active_runs()


class InMemoryRunManager(SyncOnlyManager):
    """As agno's first one was: registering resets the flag, the cancel of an unknown run is dropped. Both kinds of methods."""

    def register_run(self, run_id):
        self.runs[run_id] = False

    def cancel_run(self, run_id):
        if run_id not in self.runs:
            return False
        self.runs[run_id] = True
        return True

    async def aregister_run(self, run_id):
        self.register_run(run_id)

    async def acancel_run(self, run_id):
        return self.cancel_run(run_id)

    async def ais_cancelled(self, run_id):
        return self.is_cancelled(run_id)

    async def acleanup_run(self, run_id):
        self.cleanup_run(run_id)

    async def aget_active_runs(self):
        return self.get_active_runs()


class CookbookFileManager:
    """After agno's cookbook: no lock between processes, writes in place, takes a torn file for an empty one."""

    def __init__(self, path):
        self.path = Path(path)
        self.lock = threading.Lock()
        if not self.path.exists():
            self.write({})

    def read(self):
        try:
            return json.loads(self.path.read_text())
        except (json.JSONDecodeError, FileNotFoundError):
            return {}

    def write(self, state):
        self.path.write_text(json.dumps(state, indent=2))

    def register_run(self, run_id):
        with self.lock:
            state = self.read()
            state.setdefault(run_id, False)
            self.write(state)

    def cancel_run(self, run_id):
        with self.lock:
            state = self.read()
            known = run_id in state
            state[run_id] = True
            self.write(state)
            return known

    def is_cancelled(self, run_id):
        return self.read().get(run_id, False)

    def cleanup_run(self, run_id):
        with self.lock:
            state = self.read()
            state.pop(run_id, None)
            self.write(state)

    def get_active_runs(self):
        return self.read()
