"""The keys and values that `NATSCancellationManager` keeps its runs in."""

from __future__ import annotations

import anyio
import nats
import nats.js.api
import pytest

from actors import ManagerError
from actors.abc import CancelIntent
from actors.backends import NATSCancellationManager
from backends._nats_record import Record, token
from tests.servers.fixtures import asyncio_loops as anyio_backend  # noqa: F401


@pytest.fixture
def kind():
    return "nats"


@pytest.fixture
async def client(store_url):
    client = await nats.connect(store_url)
    yield client
    await client.close()


def test_any_text_becomes_a_part_of_a_subject_and_no_two_texts_the_same():
    """Subjects know letters, digits and few signs, and have a limit."""
    texts = [
        "run",
        "RUN",
        "",
        " ",
        "a.b",
        "a*",
        ">",
        "=",
        "=cnVu",
        "ü",
        "\ud800",
        "x" * 200,
        "x" * 201,
        "ü" * 200,
        "x" * 5000,
    ]
    tokens = [token(text) for text in texts]
    assert len(set(tokens)) == len(texts)
    assert all(part.isascii() and 0 < len(part) < 300 and not set(part) & set(" .*>") for part in tokens)
    assert token("run-1_A") == "run-1_A"  # as it is, where that is possible: people look at keys


def test_a_record_survives_being_written():
    intent = CancelIntent("run", "why ☂", None, 12.5)
    for record in (Record("run", "run", 1.5, "me", intent), Record("", "over", 2.0), Record("x", "early", 3.0)):
        assert Record.decode(record.encode()) == record


async def test_a_key_that_somebody_else_has_written_is_an_error_and_no_other_runs_are_touched(
    client, store_url, namespace
):
    """R28: one bad value must not be taken for no value, which would lose a cancel."""
    async with NATSCancellationManager(store_url, namespace=namespace) as manager:
        await client.jetstream().publish(f"$KV.bargein.{namespace}.odd", b"nonsense")
        for call in (manager.acancel_run("odd"), manager.enroll("odd"), manager.intents(["odd"])):
            with pytest.raises(ManagerError, match="not written by this manager"):
                await call
        assert await manager.enroll("even") is None
        assert await manager.acancel_run("even")
        await manager.acleanup_run("even")


async def test_a_cancel_that_is_stored_is_stored_though_it_cannot_be_pushed(store_url, namespace):
    """R26: a push is a hint; whoever cancels is not told of an error that is none."""
    async with NATSCancellationManager(store_url, namespace=namespace) as manager:
        await manager.aregister_run("run")
        manager._pushes = "no subject at all"
        assert await manager.acancel_run("run")
        assert await manager.ais_cancelled("run")
        await manager.acleanup_run("run")


async def test_many_who_start_at_once_make_the_bucket_once(client, store_url, namespace):
    """Issue 4: also if they do not agree on its size."""
    managers = [NATSCancellationManager(store_url, bucket=namespace, capacity=100 + number) for number in range(10)]
    async with anyio.create_task_group() as group:
        for number, manager in enumerate(managers):
            group.start_soon(manager.aregister_run, f"run-{number}")
    assert len(await managers[0].aget_active_runs()) == len(managers)
    await client.jetstream().delete_stream(f"KV_{namespace}")


async def test_more_runs_than_one_answer_holds(client, store_url, namespace):
    """Each list is read to its end."""
    async with NATSCancellationManager(store_url, namespace=namespace, timeout=20) as manager:
        runs = [f"run-{number}" for number in range(1203)]
        async with anyio.create_task_group() as group:
            for run in runs:
                group.start_soon(manager.aregister_run, run)
                group.start_soon(manager.acancel_run, run)
        assert await manager.aget_active_runs() == dict.fromkeys(runs, True)
        assert sorted(await manager.intents(runs)) == sorted(runs)


async def test_keys_go_when_their_time_is_over(client, store_url, namespace):
    """R22: the server forgets what nobody cleans up; each key says for how long it is kept."""
    async with NATSCancellationManager(
        store_url, namespace=namespace, tombstone=30, intent_ttl=40, lease=10
    ) as manager:
        await manager.aregister_run("registered")
        await manager.acancel_run("early")
        await manager.acleanup_run("over")
        stream = client.jetstream()
        kept = {"registered": "50", "early": "40", "over": "30"}
        for run, seconds in kept.items():
            message = await stream.get_last_msg("KV_bargein", f"$KV.bargein.{namespace}.{run}")
            assert message.headers["Nats-TTL"] == seconds
