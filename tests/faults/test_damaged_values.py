"""R28: what somebody else has written over a value of ours costs no other run its cancel."""

from __future__ import annotations

import asyncpg
import pytest

from actors import ManagerError
from tests.faults.conftest import interruption_of, until
from tests.managers._doubles import said
from tests.servers.managers import own_client


async def damage(kind, url, namespace, run_id):
    async with own_client(kind, url) as client:
        match kind:
            case "redis":
                await client.set(f"{{{namespace}}}:run:{run_id}", "nonsense")
            case "nats":
                await client.jetstream().publish(f"$KV.bargein.{namespace}.{run_id}", b"nonsense")


@pytest.mark.parametrize("kind", ["redis", "nats"])
async def test_a_damaged_value_is_an_error_for_its_run_alone(kind, make, server, runs, namespace, caplog):  # noqa: PLR0917
    """Issue 4: the run goes on, those beside it are cancelled as ever, and the log says which value it is."""
    damaged, well = await runs.begin("damaged", "well")
    async with make() as elsewhere:

        async def registered():
            return len(await elsewhere.aget_active_runs()) == 2

        await until(registered)
        await damage(kind, server.url, namespace, "damaged")
        for call in (elsewhere.acancel_run("damaged"), elsewhere.ais_cancelled("damaged"), elsewhere.enroll("damaged")):
            with pytest.raises(ManagerError, match=r"Delete the key|not written by this manager"):
                await call
        assert await elsewhere.aget_active_runs() == {"well": False}
        assert await elsewhere.intents(["damaged", "well"]) == {}
        assert said(caplog, "manager_value_damaged")
        assert await elsewhere.acancel_run("well", reason="as ever")
        assert (await interruption_of(well)).reason == "as ever"
        assert damaged.status == "running"
        assert (await damaged.interrupt("by hand")).outcome == "interrupted"


@pytest.mark.parametrize("kind", ["postgres"])
async def test_the_database_lets_nobody_damage_a_row(kind, make, server):
    """Issue 4: the table says itself what may stand in it."""
    async with make() as manager, own_client(kind, server.url) as pool:
        await manager.aregister_run("run")
        for damage in ("state = 'nonsense'", "until = NULL", "owner = NULL"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await pool.execute(f"UPDATE bargein_runs SET {damage} WHERE run_id = 'run'")
        assert await manager.acancel_run("run")
        await manager.acleanup_run("run")
