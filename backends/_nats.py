"""Cancellation through NATS with JetStream."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio

from actors._cancellation._intent import CancelIntent, CancelResult
from actors._compat import override
from actors._errors import DuplicateRunError, ManagerError

from ._nats_link import NatsLink
from ._nats_record import Record, Rules, cancelled, cleaned_up, enrolled, known, renewed, token
from ._network import NetworkCancellationManager, client_library

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import ModuleType

T = TypeVar("T")

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
OUTDATED = 10071
"""What the server answers if somebody else has changed the key meanwhile."""
TRIES = 50
READ_AT_ONCE = 500
"""Keys in one request; the server allows 1024."""
AT_ONCE = 50
"""Renewals on their way at the same time."""
END_OF_BATCH, NOTHING_FOUND = "204", "404"


class NATSCancellationManager(NetworkCancellationManager):
    """Registers and cancels runs in a key-value bucket of NATS JetStream, with nats-py. Needs the extra ``nats``; asyncio only.

    One key for each run id. A change names the revision that it is made from, and is made again from the new one if somebody was
    quicker: so each operation is done as a whole. The key is what counts; a message on a plain subject is a hint. One connection,
    however many runs. The server is to be 2.11 or newer.

    Times are compared by the clocks of the machines, which have to agree within a fraction of the lease.

    Args:
        url: ``nats://`` or ``tls://``; may hold user and password, which appear in no text.
        client: a connected ``nats.NATS`` of the application, which is used and not closed.
        namespace: part of every key and of the subject.
        bucket: name of the key-value bucket, which is made if it is missing: kept in a file, one value for each key, at most
            ``capacity`` keys.
        lease: seconds after which a registration that was not renewed counts as its owner's death.
        tombstone: seconds after a run's end in which a late cancel of it is answered ``finished``.
        intent_ttl: seconds that the cancel of a run nobody has registered waits for it.
        capacity: how many runs, cancels and tombstones are kept at most; the one that was written first goes first. So a run
            whose lease is renewed is pushed out only by so many others within a third of the lease, and is then registered
            again by its next renewal.
        timeout: seconds that one call to the server may take.
        safety_period: seconds after which the keys are read again while runs are registered, though nothing was heard.
        clock: seconds since the epoch.

    Raises:
        ImportError: nats-py is missing.
        ManagerError: from any method: the server cannot be reached, or does not do it.
    """

    schemes = ("nats", "tls")

    def __init__(
        self,
        url: str | None = None,
        *,
        client: Any = None,
        namespace: str = "bargein",
        bucket: str = "bargein",
        lease: float = 30.0,
        tombstone: float = 60.0,
        intent_ttl: float = 3600.0,
        capacity: int = 100_000,
        timeout: float = 2.0,
        safety_period: float = 1.0,
        clock: Callable[[], float] = time.time,
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
        self._nats: ModuleType = client_library("nats", needed_by=type(self).__name__, package="nats-py", extra="nats")
        self._api: Any = client_library("nats.js.api", needed_by=type(self).__name__, package="nats-py", extra="nats")
        if client is not None and not isinstance(client, self._nats.NATS):
            raise TypeError(f"client= is a {type(client).__module__}.{type(client).__name__}, not a nats.NATS")
        if token(bucket) != bucket:
            raise ValueError(f"bucket is {bucket!r}, and must be made of letters, digits, - and _")
        self.bucket = bucket
        self._stream = f"KV_{bucket}"
        self._prefix = f"$KV.{bucket}.{token(namespace)}."
        self._pushes = f"{bucket}.cancelled.{token(namespace)}"
        self._rules = Rules(lease, tombstone, intent_ttl)
        self._clock = clock
        self._link: NatsLink | None = None
        self._revisions: dict[str, tuple[Record, int]] = {}  # of our own registered runs: saves a read

    @override
    def fresh(self) -> Self:
        twin = super().fresh()
        twin._link = None
        twin._revisions = {}
        return twin

    @override
    async def connect(self) -> None:
        url = None if self._url is None else self._url.url
        link = NatsLink(self._nats, url, self._given, self.timeout)
        try:
            with self._explained():
                async with link.call() as client:
                    await self._create(client.jetstream(timeout=self.timeout))
        except BaseException:
            await link.drop()
            raise
        self._link = link

    async def _create(self, stream: Any) -> None:
        try:
            await stream.stream_info(self._stream)
        except self._nats.js.errors.NotFoundError:
            config = self._api.StreamConfig(
                name=self._stream,
                subjects=[f"$KV.{self.bucket}.>"],
                max_msgs_per_subject=1,
                max_msgs=self.capacity,
                discard=self._api.DiscardPolicy.OLD,
                storage=self._api.StorageType.FILE,
                allow_rollup_hdrs=True,
                allow_direct=True,
                allow_msg_ttl=True,
            )
            try:
                await stream.add_stream(config)
            except self._nats.js.errors.BadRequestError:
                await stream.stream_info(self._stream)  # another process was quicker, with other settings

    @override
    async def disconnect(self) -> None:
        link, self._link = self._link, None
        self._revisions.clear()
        if link is not None:
            await link.drop()

    # ---- the primitives -------------------------------------------------------------------------------------------------

    @override
    async def enroll(self, run_id: str, *, owner: str = "") -> CancelIntent | None:
        def decide(record: Record | None, now: float) -> tuple[Record | None, CancelIntent | None]:
            new = enrolled(record, run_id, owner, now, self._rules)
            if new is None:
                raise DuplicateRunError(run_id, f"{type(self).__name__} at {self.address.shown}")
            return new, new.intent

        return await self._change(run_id, decide, from_nothing=True, owner=owner)

    @override
    async def request_cancel(self, run_id: str, *, reason: str = "", by: str | None = None) -> CancelResult:
        def decide(record: Record | None, now: float) -> tuple[Record | None, CancelResult]:
            outcome, new = cancelled(record, CancelIntent(run_id, reason, by, now), now, self._rules)
            return new, CancelResult(run_id, outcome, None if new is None else new.intent)

        result = await self._change(run_id, decide)
        if result.intent is not None:
            with suppress(ManagerError), self._explained():  # only a hint: the flag is stored
                async with self._connected().call() as client:
                    await client.publish(self._pushes, run_id.encode("utf-8", "surrogatepass"))
        return result

    @override
    async def intents(self, run_ids: Collection[str]) -> dict[str, CancelIntent]:
        records = await self._opened(lambda: self._read_many(list(run_ids)))
        now = self._clock()
        found = ((record.run_id, record.intent) for record in records if known(record, now, self._rules) is not None)
        return {run_id: intent for run_id, intent in found if intent is not None}

    @override
    async def acleanup_run(self, run_id: str, *, owner: str = "") -> None:
        def decide(record: Record | None, now: float) -> tuple[Record | None, None]:
            return cleaned_up(record, run_id, owner, now, self._rules), None

        await self._change(run_id, decide)

    @override
    async def aget_active_runs(self) -> dict[str, bool]:
        """All registered runs with a living owner, and whether each is cancelled. Reads the whole namespace."""
        records = await self._opened(self._read_all)
        now = self._clock()
        return {record.run_id: record.intent is not None for record in records if record.active(now)}

    @override
    async def renew(self, run_ids: Collection[str], *, owner: str = "") -> None:
        failures: list[ManagerError] = []

        async def one(run_id: str) -> None:
            def decide(record: Record | None, now: float) -> tuple[Record | None, None]:
                return renewed(record, run_id, owner, now, self._rules), None

            try:
                await self._change(run_id, decide, owner=owner)
            except ManagerError as error:
                failures.append(error)

        every = list(run_ids)
        for first in range(0, len(every), AT_ONCE):
            async with anyio.create_task_group() as group:
                for run_id in every[first : first + AT_ONCE]:
                    group.start_soon(one, run_id)
            if failures:  # the others are asked for again with it
                raise failures[0]

    @override
    async def listen(self, hint: Callable[[str | None], None]) -> None:
        link = self._connected()

        async def hear(message: Any) -> None:
            hint(message.data.decode("utf-8", "surrogatepass"))

        with self._explained():
            async with link.call() as client:
                lost = link.loss()
                subscription = await client.subscribe(self._pushes, cb=hear)
            try:
                # The server has it when it answers what was asked after it. (Not flush(): if that is cut short, nats-py trips
                # over the late answer, and the client, be it the application's, hears nothing any more.)
                with anyio.fail_after(self.timeout):
                    await client.jetstream(timeout=self.timeout).stream_info(self._stream)
                hint(None)
                await lost()
            finally:
                with anyio.move_on_after(self.timeout, shield=True), suppress(Exception):  # it may be gone
                    await subscription.unsubscribe()
        raise ManagerError(f"{self!r}: the connection that listens was lost")

    # ---- the way to the server ------------------------------------------------------------------------------------------

    def _connected(self) -> NatsLink:
        if self._link is None:
            raise ManagerError(f"{self!r} was closed meanwhile")
        return self._link

    async def _change(
        self,
        run_id: str,
        decide: Callable[[Record | None, float], tuple[Record | None, T]],
        *,
        from_nothing: bool = False,
        owner: str = "",
    ) -> T:
        """Change a key in one atomic step.

        Args:
            run_id: the run.
            decide: makes the new record (None: leave it) and the answer, from the old one; may be called several times.
            from_nothing: try first as if there were none.
            owner: if given, remember the revision of the new record: the run is ours.
        """
        return await self._opened(lambda: self._changed(run_id, decide, from_nothing, owner))

    async def _changed(
        self,
        run_id: str,
        decide: Callable[[Record | None, float], tuple[Record | None, T]],
        from_nothing: bool,  # noqa: FBT001 - a plain part of _change
        owner: str,
    ) -> T:
        remembered = self._revisions.pop(run_id, None)
        with self._explained():
            async with self._connected().call() as client:
                stream = client.jetstream(timeout=self.timeout)
                subject = self._prefix + token(run_id)
                old: tuple[Record | None, int] | None = remembered or ((None, 0) if from_nothing else None)
                for _ in range(TRIES):
                    record, revision = await self._read(stream, subject) if old is None else old
                    now = self._clock()
                    new, answer = decide(known(record, now, self._rules), now)
                    if new is None:
                        return answer
                    headers = {EXPECTED: str(revision)}
                    left = new.seconds_left(now, self._rules)
                    try:
                        done = await stream.publish(subject, new.encode(), headers=headers, msg_ttl=left)
                    except self._nats.js.errors.APIError as error:
                        if error.err_code != OUTDATED:
                            raise
                        old = None
                        continue
                    if owner and len(self._revisions) < (self.capacity or 0):
                        self._revisions[run_id] = (new, done.seq)
                    return answer
        raise ManagerError(
            f"{self!r}: others have changed run {run_id!r} {TRIES} times in a row; try again", run_id=run_id
        )

    async def _read(self, stream: Any, subject: str) -> tuple[Record | None, int]:
        try:
            message = await stream.get_last_msg(self._stream, subject, direct=True)
        except self._nats.js.errors.NotFoundError:
            return None, 0
        return Record.decode(message.data), message.seq

    async def _read_many(self, run_ids: list[str]) -> list[Record]:
        found: list[Record] = []
        if len(run_ids) == 1:  # as after each push: quicker than a batch
            with self._explained():
                async with self._connected().call() as client:
                    stream = client.jetstream(timeout=self.timeout)
                    record, _ = await self._read(stream, self._prefix + token(run_ids[0]))
            return [] if record is None else [record]
        for first in range(0, len(run_ids), READ_AT_ONCE):
            subjects = [self._prefix + token(run_id) for run_id in run_ids[first : first + READ_AT_ONCE]]
            records, _ = await self._get({"multi_last": subjects})
            found += records
        return found

    async def _read_all(self) -> list[Record]:
        """Walk through the namespace: each key has one message, so these are the newest."""
        found: list[Record] = []
        after = 0
        while True:
            records, last = await self._get(
                {"seq": after + 1, "next_by_subj": f"{self._prefix}>", "batch": READ_AT_ONCE}
            )
            found += records
            if not last:
                return found
            after = last

    async def _get(self, request: dict[str, Any]) -> tuple[list[Record], int]:
        """Several keys in one request: the answers come one by one, and then one that says that it was the last.

        Returns:
            What was found, and the highest revision in it.
        """
        found: list[Record] = []
        last = 0
        with self._explained():
            async with self._connected().call() as client:
                inbox = client.new_inbox()
                subscription = await client.subscribe(inbox)
                try:
                    subject = f"$JS.API.DIRECT.GET.{self._stream}"
                    await client.publish(subject, json.dumps(request).encode(), reply=inbox)
                    while True:
                        message = await subscription.next_msg(timeout=self.timeout)
                        headers: dict[str, str] = message.headers or {}
                        status = headers.get("Status")
                        if status is None:
                            last = max(last, int(headers["Nats-Sequence"]))
                            try:
                                found.append(Record.decode(message.data))
                            except ValueError as error:
                                self._log_damaged(headers["Nats-Subject"], str(error))
                        elif status in (END_OF_BATCH, NOTHING_FOUND):
                            return found, last
                        else:
                            raise ManagerError(f"{self!r}: the server answered {status} when it was asked for keys")
                finally:
                    with anyio.move_on_after(self.timeout, shield=True), suppress(Exception):  # it may be gone
                        await subscription.unsubscribe()
