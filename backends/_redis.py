"""Cancellation through Redis or Valkey."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Self

import anyio

from actors._cancellation._intent import CancelIntent, CancelOutcome, CancelResult
from actors._compat import override
from actors._errors import DuplicateRunError, ManagerError

from ._command_lane import CommandLane
from ._network import NetworkCancellationManager, client_library
from ._redis_script import SCRIPT, Layout, arguments, intent_in, text
from ._steps import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from types import ModuleType

DIGEST = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
STEPS_AT_ONCE = 200
"""Steps of one job in one call of the script: the server does nothing else meanwhile."""
SILENCE = 5.0
"""Seconds without a message after which the server is asked whether the subscription still stands."""
CLOSING_TIME = 1.0


class RedisCancellationManager(NetworkCancellationManager):
    """Registers and cancels runs in Redis or Valkey, with redis-py. Needs the extra ``redis``; asyncio only.

    Each operation is one script, so it is done as a whole or not at all. The flag is what counts; a message on a channel is a
    hint, and whatever was published while nobody listened is found by reading. Two connections, however many runs.

    How safe a flag is from a crash of the server is decided there (``appendonly``). A run that the server has forgotten is
    registered again when its lease is renewed.

    Args:
        url: ``redis://``, ``rediss://``, ``unix://`` or ``valkey://``; may hold user and password, which appear in no text.
        client: a ``redis.asyncio.Redis`` of the application, which is used and not closed.
        namespace: part of every key and of the channel.
        layout: ``agno``: keep the flags under agno's keys, so that processes with agno's ``RedisRunCancellationManager`` cancel
            our runs and we theirs. Since agno publishes nothing, flags are then read every ``poll_period``.
        flag_prefix: of agno's keys.
        flag_ttl: seconds that agno keeps a key.
        poll_period: seconds between two looks for agno's flags, while runs are registered.
        lease: seconds after which a registration that was not renewed counts as its owner's death.
        tombstone: seconds after a run's end in which a late cancel of it is answered ``finished``.
        intent_ttl: seconds that the cancel of a run nobody has registered waits for it.
        capacity: how many such cancels, and how many tombstones, are kept at most; the oldest go first.
        timeout: seconds that one call to the server may take.
        safety_period: seconds after which the flags are read again while runs are registered, though nothing was heard.
        clock: seconds since the epoch; None for the server's own, so that the clocks of machines need not agree.

    Raises:
        ImportError: redis-py is missing.
        ManagerError: from any method: the server cannot be reached, or does not do it.
    """

    schemes = ("redis", "rediss", "unix", "valkey")

    def __init__(
        self,
        url: str | None = None,
        *,
        client: Any = None,
        namespace: str = "bargein",
        layout: Literal["bargein", "agno"] = "bargein",
        flag_prefix: str = "agno:run:cancellation:",
        flag_ttl: int = 86_400,
        poll_period: float = 0.2,
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
        if layout not in ("bargein", "agno"):
            raise ValueError(f"layout is {layout!r}, and must be 'bargein' or 'agno'")
        self._redis = self._module("redis.asyncio")
        self._no_script = self._module("redis.exceptions").NoScriptError
        if client is not None and not isinstance(client, (self._redis.Redis, self._redis.RedisCluster)):
            raise TypeError(
                f"client= is a {type(client).__module__}.{type(client).__name__}, not a redis.asyncio.Redis"
            )
        self._layout = Layout(namespace, flag_prefix if layout == "agno" else None, flag_ttl)
        self.poll_period = poll_period
        self._clock = clock
        self._client: Any = None
        self._lane: CommandLane[Sequence[Step], list[Any]] | None = None

    @override
    def fresh(self) -> Self:
        twin = super().fresh()
        twin._client = twin._lane = None
        return twin

    @override
    async def connect(self) -> None:
        client = self._given
        if client is None:
            client = self._new_client()
        try:
            with self._explained():
                await client.ping()
        except BaseException:
            if self._given is None:
                await self._close(client)
            raise
        self._client = client
        self._lane = CommandLane(self._send, self._explain, self.timeout)

    def _module(self, name: str) -> ModuleType:
        return client_library(name, needed_by=type(self).__name__, package="redis-py", extra="redis")

    def _new_client(self) -> Any:
        assert self._url is not None
        assert self._url.url is not None
        retry, backoff = self._module("redis.asyncio.retry"), self._module("redis.backoff")
        url = self._url.url
        return self._redis.Redis.from_url(
            "redis" + url.removeprefix("valkey") if url.startswith("valkey:") else url,
            socket_timeout=self.timeout,
            socket_connect_timeout=self.timeout,
            socket_keepalive=True,
            retry=retry.Retry(
                backoff.NoBackoff(), 0
            ),  # what is tried again, and when, is decided where the outcome is known
        )

    @override
    async def disconnect(self) -> None:
        client, self._client = self._client, None
        lane, self._lane = self._lane, None
        if lane is not None:
            await lane.close()
        if self._given is None and client is not None:
            await self._close(client)

    async def _close(self, client: Any) -> None:
        with anyio.move_on_after(CLOSING_TIME, shield=True), suppress(Exception):  # it is gone in any case
            await client.aclose()

    # ---- the primitives -------------------------------------------------------------------------------------------------

    @override
    async def enroll(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        answer = await self._do(Step("enroll", run_id, owner))
        if text(answer[0]) == "duplicate":
            raise DuplicateRunError(run_id, f"{type(self).__name__} at {self.address.shown}")
        return intent_in(run_id, answer)

    @override
    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        answer = await self._do(Step("cancel", run_id, reason, by))
        outcome: CancelOutcome = text(answer[0])  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
        return CancelResult(run_id, outcome, intent_in(run_id, answer))

    @override
    async def intents(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        looked = await self._look(run_ids)
        return {run_id: intent for run_id, (_, intent) in looked.items() if intent is not None}

    @override
    async def acleanup_run(self, run_id: str, *, owner: str = "") -> None:
        await self._do(Step("cleanup", run_id, owner))

    @override
    async def aget_active_runs(self) -> dict[str, bool]:
        """All registered runs with a living owner, and whether each is cancelled.

        From an index; in agno's layout, which has none, by walking through all flags.
        """
        if self._layout.flag_prefix is None:
            run_ids = [text(run_id) for run_id in await self._do(Step("list"))]
        else:
            run_ids = await self._opened(self._scan)
        looked = await self._look(run_ids)
        return {run_id: intent is not None for run_id, (active, intent) in looked.items() if active}

    @override
    async def renew(self, run_ids: Collection[str], *, owner: str = "") -> None:
        await self._opened(lambda: self._ask([Step("renew", run_id, owner) for run_id in run_ids]))

    @override
    async def listen(self, hint: Callable[[str | None], None]) -> None:
        if self._client is None:
            raise ManagerError(f"{self!r} is not open")
        pubsub = self._client.pubsub()
        try:
            with self._explained():
                await pubsub.subscribe(self._layout.channel)
                asked = False
                while True:
                    message = await pubsub.get_message(timeout=self._listening_time())
                    if message is None:
                        asked = await self._nothing_heard(pubsub, hint, asked=asked)
                        continue
                    asked = False
                    # The server confirms a subscription, also one that the client has renewed in silence after it was cut
                    # off: what was published in between was lost.
                    if message["type"] == "subscribe":
                        hint(None)
                    elif message["type"] == "message":
                        hint(text(message["data"]))
        finally:
            await self._close(pubsub)

    # ---- the way to the server ------------------------------------------------------------------------------------------

    def _listening_time(self) -> float:
        return SILENCE if self._layout.flag_prefix is None else self.poll_period

    async def _nothing_heard(self, pubsub: Any, hint: Callable[[str | None], None], *, asked: bool) -> bool:
        """Look at agno's flags, or find out whether the server is still there. Returns whether it has been asked."""
        if self._layout.flag_prefix is not None:
            hint(None)
            return False
        if asked:
            raise ManagerError(f"{self!r}: no sign of life on the subscription for {2 * SILENCE:g} s")
        await pubsub.ping()
        return True

    async def _do(self, step: Step) -> Any:
        answer = (await self._opened(lambda: self._ask([step])))[0]
        if answer and text(answer[0]) == "error" and step.name != "list":
            raise self._damaged(step.run_id, answer)
        return answer

    def _damaged(self, run_id: str, answer: Sequence[Any]) -> ManagerError:
        key = self._layout.prefix + run_id
        return ManagerError(f"{self!r}: {key} cannot be used: {text(answer[1])}. Delete the key", run_id=run_id)

    async def _look(self, run_ids: Collection[str]) -> dict[str, tuple[bool, CancelIntent | None]]:
        """For each run whether it is active, and its intent. A damaged one among several is logged and left out."""
        answers = await self._opened(lambda: self._ask([Step("look", run_id) for run_id in run_ids]))
        found: dict[str, tuple[bool, CancelIntent | None]] = {}
        for run_id, answer in zip(run_ids, answers, strict=True):
            if text(answer[0]) != "error":
                found[run_id] = (text(answer[0]) == "active", intent_in(run_id, answer))
            elif len(answers) == 1:
                raise self._damaged(run_id, answer)
            else:
                self._log_damaged(run_id, text(answer[1]))
        return found

    async def _ask(self, steps: Sequence[Step]) -> list[Any]:
        if self._lane is None:
            raise ManagerError(f"{self!r} was closed meanwhile")
        answers: list[Any] = []
        for first in range(0, len(steps), STEPS_AT_ONCE):
            answers += await self._lane.ask(steps[first : first + STEPS_AT_ONCE])
        return answers

    async def _send(self, jobs: Sequence[Sequence[Step]]) -> list[list[Any]]:
        """The lane's: all steps of these jobs in one call of the script."""
        steps = [step for job in jobs for step in job]
        keys = self._layout.keys(steps)
        times = (self.lease, self.tombstone, self.intent_ttl)
        settings = ("" if self._clock is None else self._clock(), *times, self.capacity)
        names = (self._layout.channel, self._layout.prefix, self._layout.flag_time)
        values = [*keys, *settings, *names, *(part for step in steps for part in arguments(step))]
        try:
            answers = await self._client.evalsha(DIGEST, len(keys), *values)
        except self._no_script:  # the first time, and after a restart of the server
            answers = await self._client.eval(SCRIPT, len(keys), *values)
        rest = iter(answers)
        return [[next(rest) for _ in job] for job in jobs]

    async def _scan(self) -> list[str]:
        prefix = self._layout.flag_prefix or ""
        special = "*?[]\\^-"
        pattern = "".join(f"\\{sign}" if sign in special else sign for sign in prefix) + "*"
        with self._explained():
            found = {text(key).removeprefix(prefix) async for key in self._client.scan_iter(match=pattern, count=500)}
        return [run_id for run_id in found if not run_id.startswith("members:")]  # agno's sets of the members of a team
