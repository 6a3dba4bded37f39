"""Systems whose cancellation manager talks to a real server, directly or on a way that can be disturbed."""

from __future__ import annotations

from functools import partial

import anyio
import attrs
import pytest

from actors import ManagerError
from tests._support import Doer, Hang
from tests.servers.managers import KINDS, MANAGERS
from tests.servers.proxy import proxy_to

PATIENCE = 20.0
"""Seconds that a busy machine may take for what is promised within two; those are measured on virtual time, with a double."""


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def anyio_backend():
    """One event loop will do: what is tried here is the client libraries and the servers."""
    return "asyncio", {}


@pytest.fixture
async def way(server):
    """Between the system's manager and the server."""
    async with proxy_to(server.port) as way:
        yield way


@pytest.fixture
def make(kind, server, namespace):
    """Makes managers that reach the server directly."""
    return partial(MANAGERS[kind], server.url, namespace=namespace)


@pytest.fixture
def manager(kind, server, way, namespace):
    """The one of the system under test."""
    return MANAGERS[kind](way.url(server.url), namespace=namespace)


@attrs.define
class Runs:
    """Runs of a system that hang until they are cut."""

    system: object
    manager: object

    async def begin(self, *run_ids):
        """Runs that have begun, registered or not."""
        return [await self._begin(run_id) for run_id in run_ids]

    async def _begin(self, run_id):
        ref, hang = await self.system.spawn(Doer(), cancellation=self.manager), Hang()
        run = await ref.request(hang, run_id=run_id)
        await hang.began.wait()
        return run

    async def ask(self):
        """A healthy reply."""
        ref = await self.system.spawn(Doer(), cancellation=self.manager)
        with anyio.fail_after(PATIENCE):
            assert await ref.ask("a reply") == "a reply"
        await ref.stop()


@pytest.fixture
def runs(system, manager):
    return Runs(system, manager)


async def until(condition):
    """Wait for what sets no event. The condition may be asynchronous; as long as it raises, it is not met."""
    with anyio.fail_after(PATIENCE):
        while True:
            try:
                met = condition()
                if met if not hasattr(met, "__await__") else await met:
                    return
            except ManagerError:
                pass
            await anyio.sleep(0.01)


async def interruption_of(run):
    with anyio.fail_after(PATIENCE):
        return await run
