"""Redis with ``layout="agno"``: processes that use agno's own manager and processes that use ours cancel each other's runs."""

from __future__ import annotations

import anyio
import pytest
import redis.asyncio

from actors import DuplicateRunError
from actors.backends import RedisCancellationManager
from actors.testing import check_cancellation_manager
from tests._support import Doer, Hang
from tests.servers.fixtures import asyncio_loops as anyio_backend  # noqa: F401

PREFIX = "agno:run:cancellation:"


class Agno:
    """What agno's RedisRunCancellationManager sends to the server."""

    def __init__(self, client, prefix):
        self.client, self.prefix = client, prefix

    async def register(self, run_id):
        await self.client.set(self.prefix + run_id, "0", ex=86400, nx=True)

    async def cancel(self, run_id):
        pipe = self.client.pipeline()
        pipe.exists(self.prefix + run_id)
        pipe.set(self.prefix + run_id, "1", ex=86400)
        return bool((await pipe.execute())[0])

    async def is_cancelled(self, run_id):
        return await self.client.get(self.prefix + run_id) == b"1"

    async def cleanup(self, run_id):
        await self.client.delete(self.prefix + run_id)

    async def active(self):
        keys = [key async for key in self.client.scan_iter(match=f"{self.prefix}*", count=100)]
        return {key.decode()[len(self.prefix) :]: await self.client.get(key) == b"1" for key in keys}


@pytest.fixture
def kind():
    return "redis"


@pytest.fixture
def prefix(namespace):
    """agno's default is one place for all; a test has its own."""
    return f"{namespace}:{PREFIX}"


@pytest.fixture
def make(store_url, namespace, prefix):
    def make(**options):
        options = {"poll_period": 0.01, **options}
        return RedisCancellationManager(store_url, namespace=namespace, layout="agno", flag_prefix=prefix, **options)

    return make


@pytest.fixture
async def agno(store_url, prefix):
    async with redis.asyncio.Redis.from_url(store_url) as client:
        yield Agno(client, prefix)


async def test_the_default_keys_are_agnos():
    """Ecosystem: `agno:run:cancellation:{run_id}`, kept for a day."""
    manager = RedisCancellationManager("redis://127.0.0.1", layout="agno")
    assert (manager._layout.flag_prefix, manager._layout.flag_time) == (PREFIX, 86_400)


async def test_it_keeps_the_whole_contract(make):
    """R22, R26, R30: also in this layout."""

    class Clock:
        now = 1e9

        def __call__(self):
            return self.now

        async def advance(self, seconds):
            self.now += seconds

    clock = Clock()
    await check_cancellation_manager(lambda: make(clock=clock), advance=clock.advance)


async def test_a_run_of_ours_is_a_run_for_agno(make, agno):
    """What agno would have written, for as long as agno would have kept it."""
    async with make() as manager:
        await manager.aregister_run("run")
        assert await agno.active() == {"run": False}
        assert 86_000 < await agno.client.ttl(agno.prefix + "run") <= 86_400
        assert await manager.acancel_run("run", reason="known to us alone")
        assert await agno.active() == {"run": True}
        assert await agno.is_cancelled("run")
        await manager.acleanup_run("run")
        assert await agno.active() == {}


async def test_agno_cancels_a_reply_of_ours(system, make, agno):
    """Issue 4: agno publishes nothing, so its flag is found by looking."""
    manager = make()
    ref, hang = await system.spawn(Doer(), cancellation=manager), Hang()
    run = await ref.request(hang, run_id="run")
    await hang.began.wait()
    while not await agno.active():  # noqa: ASYNC110 - on a busy machine it may be registered later than it began
        await anyio.sleep(0.001)
    assert await agno.cancel("run")
    interruption = await run
    assert (interruption.source, interruption.reason, interruption.by) == ("manager", "", None)
    assert await agno.active() == {}


async def test_we_cancel_a_run_of_agnos(make, agno):
    """Issue 4: the flag that agno's run looks at is set; and it is its run, which we cannot register."""
    async with make() as manager:
        await agno.register("theirs")
        assert await manager.aget_active_runs() == {"theirs": False}
        with pytest.raises(DuplicateRunError):
            await manager.aregister_run("theirs")
        result = await manager.request_cancel("theirs", reason="enough")
        assert (result.outcome, result.intent.reason) == ("registered", "enough")
        assert await agno.is_cancelled("theirs")
        assert await manager.aget_active_runs() == {"theirs": True}
        await agno.cleanup("theirs")
        assert await manager.aget_active_runs() == {}
        assert not await manager.ais_cancelled("theirs")
        assert await manager.enroll("theirs") is None
        await manager.acleanup_run("theirs")


async def test_a_cancel_that_agno_stored_early_meets_our_run_and_one_of_ours_meets_agnos(make, agno):
    """R22: `SET NX` keeps what came first."""
    async with make() as manager:
        assert not await agno.cancel("ours")
        assert (await manager.enroll("ours")).run_id == "ours"
        assert await manager.request_cancel("theirs") is not None
        await agno.register("theirs")
        assert await agno.is_cancelled("theirs")
        for run in ("ours", "theirs"):
            await manager.acleanup_run(run)
        assert await agno.active() == {}


async def test_a_late_cancel_of_agnos_does_not_kill_the_next_run_with_that_id(make, agno):
    """R22: agno leaves no tombstones, and stores a cancel of whatever it is told; ours are looked at."""
    async with make() as manager:
        await manager.aregister_run("run")
        await manager.acleanup_run("run")
        assert not await agno.cancel("run")
        assert not await manager.ais_cancelled("run")
        assert await manager.enroll("run") is None
        assert await agno.active() == {"run": False}
        await manager.acleanup_run("run")
