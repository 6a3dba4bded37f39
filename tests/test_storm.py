"""A storm: a thousand runs, interrupted, withdrawn, cancelled, stopped and killed at random, in which everything still adds up.

Each request settles exactly once (promise 8), each sender's order holds and one run runs at a time (promise 1), and
`handle_interrupt` runs at most once for each run (promise 3). The storm is the same for the same seed, apart from what the
event loop shuffles. STORM_SEEDS chooses how many seeds are tried.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter

import anyio
import anyio.lowlevel
import attrs
import pytest
import trio

from actors import (
    Actor,
    ActorStopped,
    AskCycleError,
    AskTimeout,
    Interrupted,
    Mailbox,
    MailboxFull,
    MessageDropped,
    MessageExpired,
    MessageWithdrawn,
    ReplyCancelled,
)

SEEDS = int(os.environ.get("STORM_SEEDS", "20"))
RUNS = 1000
SENDERS = 10
ACTORS = 8


class Unlucky(Exception):  # noqa: N818 - it is no fault
    """What a reply of the storm raises now and then."""


EXPECTED = (
    *(ActorStopped, AskTimeout, Interrupted, MailboxFull, MessageDropped, MessageExpired, MessageWithdrawn),
    *(AskCycleError, ReplyCancelled, Unlucky),
)


@attrs.frozen
class Job:
    """What one reply does: so many turns of the event loop, asking others, failing, cleaning up."""

    sender: int
    number: int
    turns: int
    asks: tuple[tuple[int, Job], ...] = ()
    fails: bool = False
    cleans_up: int = 0
    protects: bool = False
    commits: bool = False
    cancels_its_task: bool = False


@attrs.define(eq=False, repr=False)
class Books:
    """What has happened, to be checked afterwards."""

    began: list[tuple[int, int, int]] = attrs.field(factory=list)  # actor, sender, number
    handled: Counter[str] = attrs.field(factory=Counter)
    commits: Counter[str] = attrs.field(factory=Counter)
    outcomes: Counter[str] = attrs.field(factory=Counter)
    overlaps: int = 0


class Sailor(Actor[Job, str, int]):
    """One actor of the storm."""

    def __init__(self, number: int, refs: list, books: Books) -> None:
        self.number, self.refs, self.books = number, refs, books
        self.inside = 0

    async def reply(self, job: Job, /) -> str:
        self.books.overlaps += self.inside
        self.inside += 1
        try:
            try:
                return await self.work(job)
            finally:
                if job.cleans_up:
                    with anyio.CancelScope(shield=True):
                        await turns(job.cleans_up)
        finally:
            self.inside -= 1

    async def work(self, job: Job) -> str:
        self.books.began.append((self.number, job.sender, job.number))
        if job.protects:
            async with self.context.protect():
                await turns(job.turns)
        if job.commits:
            self.books.commits["begun"] += 1
            await self.context.commit(self.write, job)
        for number in range(job.turns):
            self.context.emit(number)
            await anyio.lowlevel.checkpoint()
        if job.cancels_its_task and not trio.lowlevel.in_trio_run():
            asyncio.current_task().cancel()
        for target, below in job.asks:
            await self.refs[target].ask(below)
        if job.fails:
            raise Unlucky
        return "done"

    async def write(self, job: Job) -> None:
        await turns(job.turns)
        self.books.commits["ended"] += 1

    async def handle_interrupt(self, job: Job, interruption, /) -> str:
        self.books.overlaps += self.inside
        self.inside += 1
        self.books.handled[interruption.run_id] += 1
        try:
            await turns(job.cleans_up)
            if job.fails:
                return await Actor.handle_interrupt(self, job, interruption)
            return "interrupted"
        finally:
            self.inside -= 1


async def turns(count: int) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


class Storm:
    """Ten senders, eight actors, and somebody who interrupts them."""

    def __init__(self, seed: int, system) -> None:
        self.random = random.Random(seed)  # noqa: S311 - it has to be the same each time
        self.system = system
        self.books = Books()
        self.refs: list = []
        self.scopes: list[anyio.CancelScope] = []
        self.tasks: set[asyncio.Task] = set()
        self.ids: list[str] = []
        self.sending = SENDERS

    async def blow(self) -> None:
        for number in range(ACTORS):
            mailbox = Mailbox(
                self.random.choice([None, None, 2, 5]),
                when_full=self.random.choice(["block", "block", "reject", "drop_oldest", "drop_newest"]),
                priority=self.random.choice([None, None, lambda job: -job.sender]),
                expiry=self.random.choice([None, None, 0.05]),
            )
            sailor = Sailor(number, self.refs, self.books)
            self.refs.append(await self.system.spawn(sailor, mailbox=mailbox, interrupt_timeout=20))
        async with anyio.create_task_group() as group:
            for sender in range(SENDERS):
                group.start_soon(self.send, sender)
            group.start_soon(self.interrupt)
            group.start_soon(self.sink)

    def job(self, sender: int, number: int, depth: int = 0) -> Job:
        chance = self.random.random
        asks = ()
        if depth < 2 and chance() < 0.25:
            asks = tuple((self.random.randrange(ACTORS), self.job(-1, -1, depth + 1)) for _ in range(2))
        return Job(
            sender,
            number,
            turns=self.random.choice([0, 0, 1, 2, 5]),
            asks=asks,
            fails=chance() < 0.1,
            cleans_up=self.random.choice([0, 0, 0, 3]),
            protects=chance() < 0.1,
            commits=chance() < 0.1,
            cancels_its_task=chance() < 0.03,
        )

    async def send(self, sender: int) -> None:
        for number in range(RUNS // SENDERS):
            ref = self.random.choice(self.refs)
            with anyio.CancelScope() as scope:
                self.scopes.append(scope)
                try:
                    outcome = await self.send_somehow(ref, self.job(sender, number), f"{sender}-{number}")
                except EXPECTED as error:
                    outcome = type(error).__name__
                self.books.outcomes[outcome] += 1
            if scope.cancelled_caught:
                self.books.outcomes["cancelled"] += 1
            self.scopes.remove(scope)
        self.sending -= 1

    async def send_somehow(self, *args) -> str:
        """On asyncio some send in a task of their own, which is cancelled natively now and then."""
        if trio.lowlevel.in_trio_run() or self.random.random() < 0.5:
            return await self.send_one(*args)
        task = asyncio.create_task(self.send_one(*args))
        self.tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            return "cancelled"
        finally:
            self.tasks.discard(task)

    async def send_one(self, ref, job: Job, run_id: str) -> str:
        form = self.random.randrange(8)
        if form <= 2:
            self.ids.append(run_id)
            return await ref.ask(job, run_id=run_id)
        if form == 3:
            return await ref.ask(job, timeout=self.random.choice([0, 0.001]), detach=self.random.random() < 0.3)
        if form == 4:
            run = await ref.request(job, run_id=run_id)
            self.ids.append(run_id)
            return await run
        if form == 5:
            async with ref.stream(job) as run:
                async for _ in run:
                    if self.random.random() < 0.2:
                        break
            return "streamed"
        if form == 6:
            ref.tell_nowait(job)
            return "told"
        await ref.tell(job)
        return "told"

    async def interrupt(self) -> None:  # noqa: C901 - a list of things to do
        while self.sending:
            ref = self.random.choice(self.refs)
            run_id = self.random.choice(self.ids[-20:]) if self.ids else "none"
            match self.random.randrange(10):
                case 0:
                    await ref.interrupt("current")
                case 1:
                    ref.interrupt_nowait("nowait")
                case 2:
                    await ref.interrupt("named", run_id=run_id)
                case 3:
                    await self.system.interrupt(run_id, "by its id")
                case 4:
                    ref.interrupt_nowait("twice")
                    await ref.interrupt("twice")
                case 5:
                    ref.interrupt_nowait(run_id=run_id)
                case 6 if self.scopes:
                    self.random.choice(self.scopes).cancel()
                case 7:
                    ref.withdraw(None if self.random.random() < 0.2 else run_id)
                case 8 if self.tasks:
                    self.random.choice(list(self.tasks)).cancel()
                case _:
                    await turns(self.random.randrange(5))
            await anyio.lowlevel.checkpoint()

    async def sink(self) -> None:
        """Some actors end in the middle of it."""
        await turns(300)
        await self.refs[0].stop(drain=self.random.random() < 0.5, timeout=0.001)
        await turns(100)
        await self.refs[1].kill()
        await turns(100)
        self.refs[2].interrupt_nowait()
        await self.refs[2].stop()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_in_a_storm_everything_adds_up(new_system, settlements, seed):
    async with new_system() as system:
        storm = Storm(seed, system)
        with anyio.fail_after(25):
            await storm.blow()
    books = storm.books
    assert set(settlements.values()) == {1}
    assert sum(books.outcomes.values()) == RUNS
    assert set(books.handled.values()) <= {1}
    assert books.overlaps == 0
    for actor in range(ACTORS):
        for sender in range(SENDERS):
            numbers = [number for at, who, number in books.began if (at, who) == (actor, sender)]
            assert numbers == sorted(set(numbers))
    assert len(books.handled) > 20  # it was a storm
    assert {"done", "interrupted", "cancelled", "ActorStopped"} <= set(books.outcomes)
