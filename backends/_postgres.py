"""Cancellation through PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import anyio

from actors._cancellation._intent import CancelIntent, CancelOutcome, CancelResult
from actors._compat import override
from actors._errors import DuplicateRunError, ManagerError

from ._command_lane import CommandLane
from ._network import NetworkCancellationManager, client_library
from ._postgres_sql import Statements
from ._steps import Step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence
    from types import ModuleType

STEPS_AT_ONCE = 1000
SILENCE = 5.0
"""Seconds without a notification after which the server is asked whether the connection still stands."""
CLOSING_TIME = 1.0
TIDY_PERIOD = 60.0
TRIES = 5
"""How often a statement is carried out that the server has given up in favour of another one."""


class PostgresCancellationManager(NetworkCancellationManager):
    """Registers and cancels runs in a table of PostgreSQL, with asyncpg. Needs the extra ``postgres``; asyncio only.

    Each operation is one statement. The row is what counts; ``NOTIFY``, in the same transaction, is a hint. Two connections,
    however many runs: one for statements, and while runs are registered one that listens. (Behind a pooler that gives a
    connection to somebody else after each transaction, ``LISTEN`` does not work: cancels are then found within
    ``safety_period``.)

    The table is created when it is missing, safely when many processes start at once.

    Args:
        url: ``postgres://`` or ``postgresql://``; may hold user and password, which appear in no text.
        client: an ``asyncpg.Pool`` of the application, of which up to two connections are used; it is not closed.
        namespace: a column of the table: keeps apart what shares it.
        table: its name, with its schema (``ops.runs``) if that is not on the search path.
        lease: seconds after which a registration that was not renewed counts as its owner's death.
        tombstone: seconds after a run's end in which a late cancel of it is answered ``finished``.
        intent_ttl: seconds that the cancel of a run nobody has registered waits for it.
        capacity: about how many such cancels, and how many tombstones, are kept at most; the oldest go first.
        timeout: seconds that one call to the server may take.
        safety_period: seconds after which the rows are read again while runs are registered, though nothing was heard.
        clock: seconds since the epoch; None for the server's own, so that the clocks of machines need not agree.

    Raises:
        ImportError: asyncpg is missing.
        ManagerError: from any method: the server cannot be reached, or does not do it. Also for a run id that it cannot store:
            with a NUL, or with half of a surrogate pair.
    """

    schemes = ("postgres", "postgresql")

    def __init__(
        self,
        url: str | None = None,
        *,
        client: Any = None,
        namespace: str = "bargein",
        table: str = "bargein_runs",
        lease: float = 30.0,
        tombstone: float = 60.0,
        intent_ttl: float = 3600.0,
        capacity: int = 100_000,
        timeout: float = 2.0,
        safety_period: float = 1.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(
            url,
            client,
            namespace=namespace,
            lease=lease,
            tombstone=tombstone,
            intent_ttl=intent_ttl,
            capacity=capacity,
            timeout=timeout,
            safety_period=safety_period,
        )
        self._asyncpg: ModuleType = client_library(
            "asyncpg", needed_by=type(self).__name__, package="asyncpg", extra="postgres"
        )
        if client is not None and not isinstance(client, self._asyncpg.Pool):
            raise TypeError(f"client= is a {type(client).__module__}.{type(client).__name__}, not an asyncpg.Pool")
        self.table = table
        self._sql = Statements(table)
        self._clock = clock
        self._connection: Any = None
        self._lane: CommandLane[Sequence[Step], list[Any]] | None = None
        self._untidy = 0
        self._tidied = 0.0

    @override
    def fresh(self) -> Self:
        twin = super().fresh()
        twin._connection = twin._lane = None
        return twin

    @override
    async def connect(self) -> None:
        try:
            with self._explained():
                async with self._for_commands() as connection:
                    await self._create(connection)
        except BaseException:
            await self.disconnect()
            raise
        self._tidied = asyncio.get_running_loop().time()
        self._lane = CommandLane(self._send, self._explain, self.timeout)

    async def _create(self, connection: Any) -> None:
        if await connection.fetchval("SELECT to_regclass($1)", self.table) is not None:
            return  # who may only use it need not be allowed to create it
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", self._sql.lock)
            for statement in self._sql.create:
                await connection.execute(statement)

    @override
    async def disconnect(self) -> None:
        lane, self._lane = self._lane, None
        if lane is not None:
            await lane.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._close(connection)

    # ---- the primitives -------------------------------------------------------------------------------------------------

    @override
    async def enroll(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        row = await self._do(Step("enroll", run_id, owner))
        if row is None:
            raise DuplicateRunError(run_id, f"{type(self).__name__} at {self.address.shown}")
        return _intent(row)

    @override
    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        row = await self._do(Step("cancel", run_id, _storable(reason), None if by is None else _storable(by)))
        outcome: CancelOutcome = "stored"
        if row["state"] == "over":
            return CancelResult(run_id, "finished")
        if row["state"] == "run":
            outcome = "owner_gone" if row["gone"] else "registered"
        return CancelResult(run_id, outcome, None if outcome == "owner_gone" else _intent(row))

    @override
    async def intents(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        rows = await self._do_all([Step("look", run_id) for run_id in run_ids])
        found = ((run_id, None if row is None else _intent(row)) for run_id, row in zip(run_ids, rows, strict=True))
        return {run_id: intent for run_id, intent in found if intent is not None}

    @override
    async def acleanup_run(self, run_id: str, *, owner: str = "") -> None:
        await self._do(Step("cleanup", run_id, owner))

    @override
    async def aget_active_runs(self) -> dict[str, bool]:
        return {row["run_id"]: row["cancelled"] for row in await self._do(Step("list"))}

    @override
    async def renew(self, run_ids: Collection[str], *, owner: str = "") -> None:
        await self._do_all([Step("renew", run_id, owner) for run_id in run_ids])

    @override
    async def listen(self, hint: Callable[[str | None], None]) -> None:
        heard, lost = asyncio.Event(), asyncio.Event()

        def hear(_connection: object, _pid: int, _channel: str, payload: str) -> None:
            heard.set()
            hint(payload[1:] if payload.startswith("=") else None)

        def lose(_connection: object) -> None:
            lost.set()
            heard.set()

        channel = self._sql.channel(self.namespace)
        with self._explained():
            async with self._connected() as connection:
                connection.add_termination_listener(lose)
                try:
                    await connection.add_listener(channel, hear)
                    hint(None)
                    while not lost.is_set():
                        heard.clear()
                        with anyio.move_on_after(SILENCE):
                            await heard.wait()
                        if not heard.is_set():
                            await connection.execute("SELECT 1", timeout=self.timeout)
                    raise ManagerError(f"{self!r}: the connection that listens was lost")
                finally:
                    connection.remove_termination_listener(lose)
                    with anyio.move_on_after(CLOSING_TIME, shield=True), suppress(Exception):  # it is given up anyway
                        await connection.remove_listener(channel, hear)

    # ---- the way to the server ------------------------------------------------------------------------------------------

    async def _do(self, step: Step) -> Any:
        return (await self._do_all([step]))[0]

    async def _do_all(self, steps: Sequence[Step]) -> list[Any]:
        for step in steps:
            if _storable(step.run_id) != step.run_id:  # it would fail the steps of others too
                raise ManagerError(f"run id {step.run_id!r} cannot be stored in PostgreSQL", run_id=step.run_id)
        return await self._opened(lambda: self._ask(steps))

    async def _ask(self, steps: Sequence[Step]) -> list[Any]:
        answers: list[Any] = []
        for first in range(0, len(steps), STEPS_AT_ONCE):
            if self._lane is None:
                raise ManagerError(f"{self!r} was closed meanwhile")
            answers += await self._lane.ask(steps[first : first + STEPS_AT_ONCE])
        return answers

    async def _send(self, jobs: Sequence[Sequence[Step]]) -> list[list[Any]]:
        """The lane's: one statement for each kind of step, and one more where a run comes up again."""
        steps = [step for job in jobs for step in job]
        answers: list[Any] = [None] * len(steps)
        async with self._for_commands() as connection:
            for group in _groups(steps):
                rows = await self._carry_out(connection, [steps[number] for number in group])
                if steps[group[0]].name == "list":
                    answers[group[0]] = rows
                else:
                    by_run = {row["run_id"]: row for row in rows}
                    for number in group:
                        answers[number] = by_run.get(steps[number].run_id)
            await self._tidy(connection, steps)
        rest = iter(answers)
        return [[next(rest) for _ in job] for job in jobs]

    async def _carry_out(self, connection: Any, steps: Sequence[Step]) -> list[Any]:
        name = steps[0].name
        arguments: list[Any] = []
        if name != "list":
            arguments.append([step.run_id for step in steps])
        if name not in ("list", "look"):
            arguments.append([step.text for step in steps])
        if name == "cancel":
            arguments += [[step.by for step in steps], self._sql.channel(self.namespace)]
        return await self._fetch(connection, getattr(self._sql, name), *arguments)

    async def _fetch(self, connection: Any, statement: str, *arguments: Any) -> list[Any]:
        settings = (self.namespace, None if self._clock is None else self._clock())
        times = (self.lease, self.tombstone, self.intent_ttl)
        for left in reversed(range(TRIES)):
            try:
                rows: list[Any] = await connection.fetch(statement, *settings, *times, *arguments)
            except (self._asyncpg.SerializationError, self._asyncpg.DeadlockDetectedError):
                if not left:
                    raise
            else:
                return rows
        raise AssertionError("the last try returns or raises")

    async def _tidy(self, connection: Any, steps: Sequence[Step]) -> None:
        """From time to time drop what is over, and what there is too much of."""
        self._untidy += sum(step.name in ("cancel", "cleanup") for step in steps)
        now = asyncio.get_running_loop().time()
        enough = self._untidy >= max(1, (self.capacity or 0) // 10)
        if enough or (self._untidy and now - self._tidied > TIDY_PERIOD):
            self._untidy, self._tidied = 0, now
            await self._fetch(connection, self._sql.tidy, self.capacity)

    @asynccontextmanager
    async def _for_commands(self) -> AsyncGenerator[Any]:
        """The connection for statements; it is opened anew if it was lost, and given up if a statement was cut off on it."""
        if self._given is not None:
            async with self._given.acquire(timeout=self.timeout) as connection:
                yield connection
            return
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._new_connection()
        try:
            yield self._connection
        except self._asyncpg.PostgresError:
            raise  # the server has refused a statement, and is ready for the next one
        except BaseException:
            connection, self._connection = self._connection, None
            connection.terminate()
            raise

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Any]:
        """A connection to listen on."""
        if self._given is not None:
            async with self._given.acquire(timeout=self.timeout) as connection:
                yield connection
            return
        connection = await self._new_connection()
        try:
            yield connection
        finally:
            await self._close(connection)

    async def _new_connection(self) -> Any:
        assert self._url is not None
        return await self._asyncpg.connect(self._url.url, timeout=self.timeout)

    async def _close(self, connection: Any) -> None:
        try:
            with anyio.fail_after(CLOSING_TIME, shield=True):
                await connection.close()
        except Exception:  # noqa: BLE001 - it did not end in order, and is cut off
            connection.terminate()


def _groups(steps: Sequence[Step]) -> list[list[int]]:
    """Which steps go into one statement: of one kind, each run once, and no step before an earlier one of the same run."""
    groups: list[list[int]] = []
    last: dict[str, int] = {}  # run id to its last group
    for number, step in enumerate(steps):
        fitting = range(last.get(step.run_id, -1) + 1, len(groups))
        found = next((index for index in fitting if steps[groups[index][0]].name == step.name != "list"), None)
        if found is None:
            groups.append([])
            found = len(groups) - 1
        groups[found].append(number)
        last[step.run_id] = found
    return groups


def _storable(text: str) -> str:
    """A text without what PostgreSQL refuses to store."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _intent(row: Any) -> CancelIntent | None:
    if row["requested_at"] is None:
        return None
    return CancelIntent(row["run_id"], row["reason"], row["author"], row["requested_at"])
