"""A manager as one over a network is written, over a store that can be taken down, hung up and cut off at will."""

import anyio
import anyio.lowlevel

from actors import InMemoryCancellationManager, ManagerError
from actors._event_loop import current_event_loop
from actors.abc import CancellationManager


class Server:
    """The other end: one store for any number of managers."""

    def __init__(self, **options):
        self.runs = InMemoryCancellationManager(**options)
        self.error = None  # raised by every call while it is set
        self.broken = set()  # names of calls that fail
        self.hangs = False
        self.mute = False  # pushes get lost
        self.calls = []
        self.renewed = []
        self.listeners = []
        self.connections = 0

    def push(self, run_id):
        if not self.mute:
            for loop, hint, _ in self.listeners:
                loop.call_soon(hint, run_id)

    def cut_off(self):
        """Break every subscription."""
        for _, _, cut in self.listeners:
            cut.set()

    def count(self, name):
        return self.calls.count(name)


class RemoteManager(CancellationManager):
    """Five primitives, a push side, a connection: everything else comes from the base class."""

    def __init__(self, server, *, lease=None, timeout=5.0, safety_period=60.0):
        self.server = server
        self.lease = lease
        self.timeout = timeout
        self.safety_period = safety_period
        self.intent_ttl = server.runs.intent_ttl
        self.tombstone = server.runs.tombstone

    async def reach(self, name):
        self.lifetime.check()
        self.server.calls.append(name)
        await anyio.lowlevel.checkpoint()
        if self.server.hangs:
            await anyio.sleep_forever()
        if self.server.error is not None:
            raise self.server.error
        if name in self.server.broken:
            raise ManagerError(f"{name} does not work")
        if not self.lifetime.connected and name not in {"connect", "disconnect"}:
            raise ManagerError("not connected: use it inside `async with`")

    async def connect(self):
        await self.reach("connect")
        self.server.connections += 1

    async def disconnect(self):
        self.server.connections -= 1
        await self.reach("disconnect")

    def fresh(self):
        return RemoteManager(self.server, timeout=self.timeout)

    async def enroll(self, run_id, *, owner=""):
        await self.reach("enroll")
        return self.server.runs.enroll_sync(run_id, owner=owner)

    async def request_cancel(self, run_id, *, reason="", by=None):
        await self.reach("cancel")
        result = self.server.runs.request_cancel_sync(run_id, reason=reason, by=by)
        self.server.push(run_id)
        return result

    async def intents(self, run_ids):
        await self.reach("intents")
        return self.server.runs.intents_sync(run_ids)

    async def acleanup_run(self, run_id, *, owner=""):
        await self.reach("cleanup")
        self.server.runs.cleanup_run(run_id, owner=owner)

    async def aget_active_runs(self):
        await self.reach("active")
        return self.server.runs.get_active_runs()

    async def renew(self, run_ids, *, owner=""):
        await self.reach("renew")
        self.server.renewed.append(sorted(run_ids))

    async def listen(self, hint):
        await self.reach("listen")
        entry = (current_event_loop(), hint, anyio.Event())
        self.server.listeners.append(entry)
        try:
            hint(None)
            await entry[2].wait()
        finally:
            self.server.listeners.remove(entry)
