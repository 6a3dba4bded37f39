"""The table that `PostgresCancellationManager` keeps its runs in."""

from __future__ import annotations

from functools import partial

import anyio
import asyncpg
import pytest

from actors import ManagerError
from actors.backends import PostgresCancellationManager
from backends._postgres import _groups
from backends._steps import Step
from tests.servers.fixtures import asyncio_loops as anyio_backend  # noqa: F401


@pytest.fixture
def kind():
    return "postgres"


@pytest.fixture
async def database(store_url):
    connection = await asyncpg.connect(store_url)
    yield connection
    await connection.close()


@pytest.fixture
async def table(namespace, database):
    name = namespace.replace("-", "_")
    yield name
    await database.execute(f"DROP TABLE IF EXISTS {name}")


async def test_many_who_start_at_once_create_it_once(store_url, table):
    """Issue 4: `CREATE TABLE IF NOT EXISTS` alone fails for some of them."""
    managers = [PostgresCancellationManager(store_url, table=table) for _ in range(12)]
    async with anyio.create_task_group() as group:
        for number, manager in enumerate(managers):
            group.start_soon(manager.aregister_run, f"run-{number}")
    assert len(await managers[0].aget_active_runs()) == len(managers)


async def test_who_may_use_it_need_not_be_allowed_to_create_it(store_url, table, database):
    """An administrator makes the table; the program has no more rights than it needs."""
    await PostgresCancellationManager(store_url, table=table).aregister_run("run")
    role = f"user_{table}"
    await database.execute(f"CREATE ROLE {role} LOGIN")
    await database.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}")
    try:
        url = store_url.replace("//postgres@", f"//{role}@")
        limited = PostgresCancellationManager(url, table=table)
        assert await limited.acancel_run("run", reason="by somebody with few rights")
        other = PostgresCancellationManager(url, table=f"{table}_other")
        with pytest.raises(ManagerError, match="permission denied"):
            await other.acancel_run("run")
    finally:
        await database.execute(f"DROP OWNED BY {role}")
        await database.execute(f"DROP ROLE {role}")


async def test_a_table_in_a_schema_of_its_own(store_url, table, database):
    """Key names are arguments, the schema too."""
    await database.execute(f"CREATE SCHEMA s_{table}")
    try:
        manager = PostgresCancellationManager(store_url, table=f"s_{table}.runs")
        await manager.aregister_run("run")
        assert await database.fetchval(f"SELECT count(*) FROM s_{table}.runs") == 1
    finally:
        await database.execute(f"DROP SCHEMA s_{table} CASCADE")


@pytest.mark.parametrize("name", ["", "runs; DROP TABLE users", "a.b.c", 'runs"', "with space"])
def test_what_is_no_name_of_a_table_is_refused(name):
    """It becomes part of statements."""
    with pytest.raises(ValueError, match="table"):
        PostgresCancellationManager("postgres://localhost", table=name)


async def test_a_run_id_that_cannot_be_stored_is_refused_alone(store_url, table):
    """R28: what goes to the server in one statement with others does not fail them."""
    async with PostgresCancellationManager(store_url, table=table) as manager:
        refused = []

        async def odd(run_id):
            with pytest.raises(ManagerError, match="cannot be stored"):
                await manager.aregister_run(run_id)
            refused.append(run_id)

        async with anyio.create_task_group() as group:
            for number, run_id in enumerate(("nul\0", "half \ud800")):
                group.start_soon(odd, run_id)
                group.start_soon(manager.aregister_run, f"even-{number}")
                group.start_soon(partial(manager.request_cancel, f"early-{number}", reason="why \0 \ud800"))
        assert len(refused) == 2
        assert await manager.aget_active_runs() == {"even-0": False, "even-1": False}
        assert (await manager.intents(["early-0"]))["early-0"].reason == "why \\0 \\ud800"


async def test_what_is_over_does_not_stay(store_url, table, database):
    """R22, R23: tombstones and intents past their time, and the runs of owners who are long gone, are dropped."""
    now = 1e9
    manager = PostgresCancellationManager(store_url, table=table, capacity=10, clock=lambda: now)
    async with manager:
        await manager.aregister_run("left behind")
        for number in range(5):
            await manager.request_cancel(f"early-{number}")
            await manager.acleanup_run(f"over-{number}")
        assert await database.fetchval(f"SELECT count(*) FROM {table}") == 11
        now += 10_000
        await manager.acleanup_run("one more")
        assert await database.fetchval(f"SELECT count(*) FROM {table}") == 1


def test_steps_of_one_kind_go_together_but_never_past_an_earlier_one_of_their_run():
    """What came first for a run is done first; each statement names a run once."""

    def grouped(*names):
        steps = [Step(name, run) for name, run in names]
        return [[names[number] for number in group] for group in _groups(steps)]

    a, b = ("enroll", "a"), ("enroll", "b")
    assert grouped(a, b) == [[a, b]]
    assert grouped(a, a, b) == [[a, b], [a]]
    assert grouped(a, ("cancel", "a"), b, ("cancel", "b")) == [[a, b], [("cancel", "a"), ("cancel", "b")]]
    assert grouped(("cancel", "a"), a, b, ("cancel", "b")) == [[("cancel", "a")], [a, b], [("cancel", "b")]]
    assert grouped(("list", ""), ("list", "")) == [[("list", "")], [("list", "")]]
