"""The contract of cancellation managers, over real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import anyio
import pytest

from actors import BlockingCallError
from actors.testing import check_cancellation_manager
from actors.testing._manager_check import CLAUSES
from tests.servers.fixtures import asyncio_loops as anyio_backend  # noqa: F401
from tests.servers.managers import ASYNCIO, KINDS, MANAGERS, own_client
from tests.servers.proxy import proxy_to

ROOT = Path(__file__).parent.parent.parent
# All but the two for which a manager has to be made for it: with little room, and with a connection that the test can break.
EVERYTHING = len([clause for clause, needs in CLAUSES if not {"capacity", "breakable"} & {*needs}])

pytestmark = pytest.mark.parametrize("kind", KINDS)
cuts_connections = pytest.mark.may_leave(
    "errors", "a call that is cut costs its connection; asyncpg logs what waited for it"
)
on_one_loop = pytest.mark.parametrize("anyio_backend", ASYNCIO[:1])


class Clock:
    """Time that passes only when told to."""

    def __init__(self):
        self.now = 1_000_000_000.0

    def __call__(self):
        return self.now

    async def advance(self, seconds):
        self.now += seconds


@pytest.fixture
def make(kind, store_url, namespace):
    """Makes managers over this test's part of the server."""
    return partial(MANAGERS[kind], store_url, namespace=namespace)


@cuts_connections
async def test_it_keeps_the_contract(make):
    """R22, R26, R30: all of it, on a clock that is set by hand."""
    clock = Clock()
    done = await check_cancellation_manager(partial(make, clock=clock), advance=clock.advance)
    assert len(done) == EVERYTHING  # it lacks nothing


@cuts_connections
async def test_it_keeps_the_contract_with_the_client_of_an_application(kind, store_url, namespace):
    """Design, section 4: the client is used, and not closed; the URL is for the synchronous methods alone."""
    clock = Clock()
    async with own_client(kind, store_url) as client:
        make = partial(MANAGERS[kind], store_url, client=client, namespace=namespace, clock=clock)
        done = await check_cancellation_manager(make, advance=clock.advance)
        assert len(done) == EVERYTHING
        manager = MANAGERS[kind](client=client, namespace=namespace)
        async with manager:
            await manager.aregister_run("run")
        await manager.acleanup_run("run")  # the client is as usable as before
        with pytest.raises(BlockingCallError, match="url="):
            await anyio.to_thread.run_sync(manager.is_cancelled, "run")


@on_one_loop
@cuts_connections
async def test_it_keeps_the_contract_in_real_time(make):
    """R22, R30: with short times that really pass, by the server's own clock."""
    done = await check_cancellation_manager(partial(make, lease=1.0, tombstone=0.5, intent_ttl=0.5))
    assert len(done) == EVERYTHING


async def test_it_may_be_used_without_being_opened(make):
    """A script that cancels one run need not know about lifetimes: a connection is made for the call."""
    manager = make()
    await manager.aregister_run("run")
    assert await make().acancel_run("run", reason="enough")
    assert await manager.aget_active_runs() == {"run": True}
    await manager.acleanup_run("run")
    assert not manager.lifetime.connected
    assert manager.lifetime.users == 0


async def test_namespaces_keep_apart_what_shares_a_server(kind, store_url, namespace):
    """Issue 4: the same run id in two namespaces is two runs, and a push of the one is none of the other."""
    one, other = (MANAGERS[kind](store_url, namespace=f"{namespace}{suffix}") for suffix in ("", "-other"))
    async with one, other:
        await one.aregister_run("run")
        await other.aregister_run("run")
        assert await one.acancel_run("run")
        assert await one.aget_active_runs() == {"run": True}
        assert await other.aget_active_runs() == {"run": False}
        await one.acleanup_run("run")
        assert (await other.request_cancel("run")).outcome == "registered"
        await other.acleanup_run("run")


async def test_the_cancels_of_runs_that_never_come_are_bounded_in_number(kind, make, namespace):
    """R23: bogus ids crowd each other out, the oldest first, and no run whose lease is renewed."""
    async with make(capacity=50, **({"bucket": namespace} if kind == "nats" else {})) as manager:
        await manager.enroll("real", owner="me")
        for first in range(0, 1000, 100):
            async with anyio.create_task_group() as group:
                for number in range(first, first + 100):
                    group.start_soon(manager.request_cancel, f"bogus-{number}")
                    group.start_soon(manager.acleanup_run, f"over-{number}")
        kept = await manager.intents([f"bogus-{number}" for number in range(1000)])
        assert 1 <= len(kept) <= 100
        assert set(kept) <= {f"bogus-{number}" for number in range(800, 1000)}
        await manager.renew(["real"], owner="me")
        assert await manager.aget_active_runs() == {"real": False}
        await manager.acleanup_run("real")


async def test_many_runs_at_once_take_no_more_connections(kind, servers, namespace):
    """Issue 4: O(1) connections, however many runs; and each gets the answer to its own question."""
    server = servers.get(kind)
    async with (
        proxy_to(server.port) as way,
        MANAGERS[kind](way.url(server.url), namespace=namespace, timeout=20) as manager,
    ):
        runs = [f"run-{number}" for number in range(1000)]
        async with anyio.create_task_group() as watching:
            watching.start_soon(manager.watch, lambda: runs, lambda _: None)
            async with anyio.create_task_group() as group:
                for run in runs:
                    group.start_soon(manager.aregister_run, run)
            async with anyio.create_task_group() as group:
                for run in runs[::2]:
                    group.start_soon(manager.request_cancel, run)
            assert 1 <= way.connections <= 2
            watching.cancel_scope.cancel()
        active = await manager.aget_active_runs()
        assert active == {run: number % 2 == 0 for number, run in enumerate(runs)}
        async with anyio.create_task_group() as group:
            for run in runs:
                group.start_soon(manager.acleanup_run, run)
        assert await manager.aget_active_runs() == {}


# ---- several processes ----------------------------------------------------------------------------------------------------


def script(name, *arguments):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests/servers" / name), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines_of(process):
    """What it still has to say; it has to end well."""
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said.splitlines()


@on_one_loop
async def test_two_processes_with_300_operations_each_lose_nothing(kind, make, store_url, namespace):
    """R26, R31: a third cancelled while registered, a third before, a third cleaned up; nothing is missing or too much."""
    marks = ("one", "other")
    processes = [script("operations.py", MANAGERS[kind].__name__, store_url, namespace, mark, "300") for mark in marks]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert await anyio.to_thread.run_sync(lines_of, process) == ["done"]
    expected = {f"{mark}-{number}": mark for mark in marks for number in range(300) if number % 3 != 2}
    async with make() as manager:
        assert await manager.aget_active_runs() == dict.fromkeys(expected, True)
        found = await manager.intents(list(expected))
        assert {run: intent.reason for run, intent in found.items()} == expected


@on_one_loop
async def test_watchers_in_several_processes_are_all_told(kind, make, store_url, namespace):
    """R26, R27: each has a subscription of its own."""
    runs = ["first", "second", "third"]
    async with make() as manager:
        for run in runs:
            await manager.aregister_run(run)
        watchers = [script("watcher.py", MANAGERS[kind].__name__, store_url, namespace, *runs) for _ in range(2)]
        for watcher in watchers:
            assert await anyio.to_thread.run_sync(watcher.stdout.readline) == "ready\n"
        for run in runs:
            assert await manager.acancel_run(run, reason="stop")
        for watcher in watchers:
            told = await anyio.to_thread.run_sync(lines_of, watcher)
            assert sorted(told) == sorted(f"{run} stop" for run in runs)
        for run in runs:
            await manager.acleanup_run(run)


@on_one_loop
async def test_a_cancel_interrupts_a_reply_in_another_process_at_once(kind, make, store_url, namespace):
    """R26: by push, since the other process does not look by itself for ten minutes. In milliseconds, if nothing else runs."""
    runs = [f"run-{number}" for number in range(10)]
    owner = script("owner.py", MANAGERS[kind].__name__, store_url, namespace, *runs)
    assert await anyio.to_thread.run_sync(owner.stdout.readline) == "ready\n"
    async with make() as manager:
        while len(await manager.aget_active_runs()) < len(runs):  # noqa: ASYNC110 - it is another process
            await anyio.sleep(0.01)
        asked = {}
        for run in runs:
            asked[run] = time.time()
            assert await manager.acancel_run(run, reason="now", by=namespace)
        told = [json.loads(line) for line in await anyio.to_thread.run_sync(lines_of, owner)]
        assert [(line["run"], line["reason"], line["by"]) for line in told] == [(run, "now", namespace) for run in runs]
        took = sorted(line["at"] - asked[line["run"]] for line in told)
        assert took[len(took) // 2] < 1.0
        assert await manager.aget_active_runs() == {}
