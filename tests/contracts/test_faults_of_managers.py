"""The checker finds what managers get wrong in practice; each fault here was seen in one that many use."""

from __future__ import annotations

import time
from functools import partial

import anyio
import pytest

from actors import InMemoryCancellationManager
from actors.abc import adapt
from actors.testing import check_between_processes, check_cancellation_manager
from tests.conftest import LOOPS
from tests.contracts.agno_like import CookbookFileManager
from tests.contracts.remote_like import RemoteManager, Server

LACKS_OF_AGNO = {"reasons", "intents_apart"}


class Clock:
    def __init__(self):
        self.now = 1_000_000_000.0

    def __call__(self):
        return self.now

    async def advance(self, seconds):
        self.now += seconds


def cookbook(path):
    """What agno's cookbook shows, over one file, in one of several processes."""
    return adapt(CookbookFileManager(path), poll_period=0.005)


class Blocking(RemoteManager):
    async def intents(self, run_ids):
        time.sleep(0.03)  # noqa: ASYNC251 - that is its fault: as a client without an asynchronous form does
        return await super().intents(run_ids)


class Unbounded(RemoteManager):
    capacity = 125  # it says, and keeps ten thousand


class Locking(RemoteManager):
    """Takes a lock, and does not give it back when it is cut."""

    def __init__(self, server):
        super().__init__(server)
        self.taken = False

    async def request_cancel(self, run_id, *, reason="", by=None):
        while self.taken:  # noqa: ASYNC110
            await anyio.sleep(0.001)
        self.taken = True
        result = await super().request_cancel(run_id, reason=reason, by=by)
        self.taken = False
        return result


class PushOnly(RemoteManager):
    """Believes in pushes: what was pushed while nobody was listening is lost."""

    async def watch(self, watched, cancelled):
        def hint(run_id):
            if run_id in watched():
                cancelled(self.server.runs.intents_sync([run_id])[run_id])

        while True:
            self.health_log.subscription_stands()
            await self.listen(hint)
            await anyio.sleep(0.05)


@pytest.mark.parametrize(
    ("kind", "clause"),
    [
        (Blocking, "no call stops the event loop"),
        (Unbounded, "run ids that somebody makes up take bounded room"),
        (Locking, "a cancellation in the middle of an operation leaves the manager usable"),
        (PushOnly, "watching tells of each cancelled run once|a cancel is found even if no push arrives"),
    ],
)
@pytest.mark.parametrize("anyio_backend", [LOOPS[0]])
async def test_the_checker_names_the_clause_that_a_manager_over_a_network_breaks(kind, clause, monkeypatch):
    """Issue 4: a loop that stands still, ids without end, calls that are cut, connections that are lost."""
    monkeypatch.setattr("actors.testing._manager_loop.PATIENCE", 0.3)
    monkeypatch.setattr("actors.testing._bench.PATIENCE", 0.3)
    clock, server = Clock(), Server()
    server.runs = InMemoryCancellationManager(clock=clock)

    async def cut(_manager):
        server.cut_off()

    with pytest.raises(AssertionError, match=f"^({clause}): "):
        await check_cancellation_manager(partial(kind, server), advance=clock.advance, break_connection=cut)


async def test_the_cookbooks_json_manager_is_found_to_lose_what_two_write_at_once(tmp_path):
    """Issue 4: its lock is one of threads, so two of them overwrite each other; that is its first fault here."""
    with pytest.raises(AssertionError) as caught:
        await check_cancellation_manager(partial(cookbook, tmp_path / "state.json"), lacks=LACKS_OF_AGNO)
    assert str(caught.value).startswith(
        ("one of many who register at once wins: ", "a second registration is refused: ")
    )
    with pytest.raises(
        AssertionError, match=r"^what many do at once is not lost: \d+ of 120 (registrations|cancels) were lost"
    ):
        await check_cancellation_manager(
            partial(cookbook, tmp_path / "another.json"), lacks={*LACKS_OF_AGNO, "duplicates"}
        )


@pytest.mark.parametrize("anyio_backend", [LOOPS[0]])
async def test_the_cookbooks_json_manager_is_found_to_lose_what_two_processes_write_at_once(tmp_path):
    """R31: 0 to 25 of 300 cancels are left; a torn file is taken for an empty one."""
    with pytest.raises(
        AssertionError, match=r"^two processes that write at once lose nothing: \d+ of 300 \w+ were lost"
    ):
        await check_between_processes(partial(cookbook, tmp_path / "state.json"), lacks=LACKS_OF_AGNO)
