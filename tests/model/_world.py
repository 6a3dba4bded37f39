"""A system, a model of what may be true of it, and the steps that change both. Each step is a record, so that a program of
steps that has failed can be kept, and run again on any event loop.

The model knows little and is sure of it: what was sent and to whom; which messages have begun, and in which instance; who was
ended, by whom; who watches whom. ``check`` compares it with the system after each step, ``check_end`` when the system is gone.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import anyio
import attrs

from actors import (
    Actor,
    ActorStopped,
    ActorSystem,
    AskTimeout,
    Backoff,
    Interrupted,
    MessageWithdrawn,
    ReplyStuckError,
    Run,
    Supervision,
    Terminated,
    one_for_all,
    one_for_one,
)
from tests._support import Call, quiet

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from actors import ActorRef, Interruption

Kind = Literal["quick", "slow", "hang", "crash", "stubborn"]
How = Literal["tell", "ask", "request"]
Policy = Literal["none", "restart", "pause", "stop", "team", "asks too"]
TIMES, WITHIN = 1, 40.0

EXPECTED = (ActorStopped, AskTimeout, Interrupted, MessageWithdrawn, ReplyStuckError)


class CrashError(Exception):
    """What a message of the kind ``crash`` raises."""


# -- the steps


@attrs.frozen
class Spawn:
    """A new actor, below the one of that number if it lives, else at the top."""

    policy: Policy
    parent: int | None = None


@attrs.frozen
class Send:
    """A message; asks and requests are waited for in a task of their own."""

    to: int
    kind: Kind
    how: How = "tell"
    timeout: float | None = None


@attrs.frozen
class Interrupt:
    """Of what the actor does, or of one of its runs by its place among all that were sent, from the last."""

    to: int
    sent: int | None = None


@attrs.frozen
class Leave:
    """Whoever waits for an answer does not any more."""

    sent: int


@attrs.frozen
class End:
    """Order an actor to end; nobody waits for it."""

    to: int
    how: Literal["stop", "stop now", "kill"]


@attrs.frozen
class Watch:
    """Begin or cease to watch."""

    watcher: int
    target: int
    ceases: bool = False


@attrs.frozen
class Advance:
    """Let so many seconds pass."""

    seconds: float


Command = Spawn | Send | Interrupt | Leave | End | Watch | Advance


# -- what is known


@attrs.define(eq=False)
class Sent:
    """One message."""

    number: int
    kind: Kind
    how: How
    to: Being
    begun: int = 0
    handled: int = 0
    failed: bool = False
    withdrawn: bool = False  # its asker has left while it was queued
    left: bool = False  # its asker has left while it ran
    interruptible: bool = False  # somebody has interrupted it, or its asker has left
    run: Run[Any, Any] | None = None
    call: Call | None = None


@attrs.define(eq=False)
class Being:
    """One actor."""

    number: int
    policy: Policy
    parent: Being | None
    world: World
    ref: ActorRef[Any, Any, Any] = attrs.field(init=False)
    instances: list[Specimen] = attrs.field(factory=list)
    begun: list[Sent] = attrs.field(factory=list)
    failures: list[float] = attrs.field(factory=list)
    restarts: list[float] = attrs.field(factory=list)
    ended: bool = False  # somebody has ordered its end
    watches: dict[int, bool] = attrs.field(factory=dict)  # by target: whether it still does
    heard: Counter[int] = attrs.field(factory=Counter)

    def __call__(self) -> Specimen:
        return Specimen(self)

    @property
    def state(self) -> str:
        return self.ref.statistics().state

    @property
    def dead(self) -> bool:
        return self.state == "dead"

    def asked(self) -> bool:
        """Whether an error of it was an answer."""
        return any(sent.failed and sent.how != "tell" for sent in self.begun)

    def family(self) -> list[Being]:
        """It and all below it."""
        return [being for being in self.world.beings if being is self or self in being.ancestors()]

    def children(self) -> list[Being]:
        return [being for being in self.world.beings if being.parent is self]

    def has_reason_to_end(self, *, alone: bool = False) -> bool:
        """Whether it, one above it, or one that shares the fate of these has been ended, has failed, or may be stuck."""
        line = [self] if alone else [self, *self.ancestors()]
        team = [
            being
            for being in self.world.beings
            for member in line
            if being.policy == member.policy == "team" and being.parent is member.parent
        ]
        return any(
            being.ended or any(sent.failed or sent.kind == "stubborn" for sent in being.begun)
            for being in [*line, *team]
        )

    def ancestors(self) -> list[Being]:
        return [] if self.parent is None else [self.parent, *self.parent.ancestors()]


class Specimen(Actor[Sent, int, Any]):
    """One instance; what happens to it is written down and looked at on the spot."""

    def __init__(self, being: Being) -> None:
        self.being = being
        self.busy = False
        being.instances.append(self)

    def claim(self, true: object, otherwise: str) -> None:
        """What is found wrong in here reaches nobody by itself."""
        if not true:
            self.being.world.wrong.append(f"{self.being.ref.path}: {otherwise}")

    async def reply(self, sent: Sent, /) -> int:
        self.claim(self.being.instances[-1] is self, "a message reached an instance that was replaced")
        self.claim(not self.busy, "two runs at a time")
        self.claim(not sent.begun, "a message was delivered twice")
        self.claim(not sent.withdrawn, "a message was answered that was withdrawn")
        sent.begun += 1
        self.being.begun.append(sent)
        self.busy = True
        try:
            return await self._do(sent)
        finally:
            self.busy = False

    async def _do(self, sent: Sent) -> int:
        if sent.kind == "slow":
            await anyio.sleep(5)
        elif sent.kind == "hang":
            await anyio.sleep_forever()
        elif sent.kind == "stubborn":
            with anyio.CancelScope(shield=True):
                await anyio.sleep(20)
        elif sent.kind == "crash":
            sent.failed = True
            self.being.failures.append(anyio.current_time())
            raise CrashError(sent.number)
        return sent.number

    async def handle_interrupt(self, sent: Sent, interruption: Interruption[Any], /) -> int:
        if interruption.reason.startswith("the actor is being"):
            self.claim(self.being.has_reason_to_end(), "an actor was stopped or restarted for nothing")
        elif interruption.reason != "the system is closing":
            self.claim(sent.interruptible, "a run was interrupted that nobody had meant")
        self.claim(interruption.started == bool(sent.begun), "started is not true")
        sent.handled += 1
        return -1 - sent.number

    async def on_restart(self, error: BaseException, /) -> None:
        self.claim(isinstance(error, (CrashError, ReplyStuckError)), f"restarted for {error!r}")
        self.being.restarts.append(anyio.current_time())

    async def on_stop(self) -> None:
        for child in self.being.children():
            self.claim(child.dead, "a child outlived its parent")
        parent = self.being.parent
        if parent is not None and not self.being.has_reason_to_end(alone=True):
            for sibling in parent.children():
                self.claim(sibling.number <= self.being.number or sibling.dead, "children end in reverse start order")

    async def on_terminated(self, terminated: Terminated, /) -> None:
        target = self.being.world.by_ref[terminated.ref]
        self.claim(target.dead, "a death was told of one that lives")
        self.claim(self.being.watches[target.number], "it heard of one that it did not watch")
        self.being.heard[target.number] += 1


class World:
    """The system and the model."""

    def __init__(self, system: ActorSystem, group: TaskGroup) -> None:
        self.system = system
        self.group = group
        self.beings: list[Being] = []
        self.sent: list[Sent] = []
        self.by_ref: dict[Any, Being] = {}
        self.wrong: list[str] = []  # what replies and hooks have found
        self.policies: dict[Policy, Supervision | None] = {
            "none": None,
            "restart": one_for_one(times=TIMES, within=WITHIN, backoff=Backoff(first=0)),
            "pause": one_for_one(times=TIMES, within=WITHIN, backoff=Backoff(first=7, jitter=0)),
            "stop": one_for_one("stop"),
            "team": one_for_all(times=TIMES, within=WITHIN, backoff=Backoff(first=0)),
            "asks too": one_for_one(
                on_ask_error="restart", times=TIMES, within=WITHIN, backoff=Backoff(first=1, jitter=0)
            ),
        }

    # -- the steps

    async def do(self, command: Command) -> None:
        """Take one step, wait until all is quiet, and look."""
        match command:
            case Spawn():
                await self._spawn(command)
            case Send():
                await self._send(command)
            case Interrupt():
                await self._interrupt(command)
            case Leave():
                self._leave(command)
            case End():
                self._end(command)
            case Watch():
                self._watch(command)
            case Advance():
                await anyio.sleep(command.seconds)
        await quiet()
        self.check()

    def _being(self, number: int) -> Being | None:
        """The newest first: the old ones are mostly dead."""
        return self.beings[-1 - number % len(self.beings)] if self.beings else None

    async def _spawn(self, command: Spawn) -> None:
        parent = self._being(command.parent) if command.parent is not None else None
        if parent is not None and (parent.state not in ("idle", "busy")):
            parent = None
        being = Being(len(self.beings), command.policy, parent, self)
        where: Any = self.system if parent is None else parent.instances[-1].context
        being.ref = await where.spawn(being, name=str(being.number), supervision=self.policies[command.policy])
        self.beings.append(being)
        self.by_ref[being.ref] = being

    async def _send(self, command: Send) -> None:
        being = self._being(command.to)
        if being is None:
            return
        sent = Sent(len(self.sent), command.kind, command.how, being)
        self.sent.append(sent)
        sent.interruptible = command.timeout is not None and command.how == "ask"
        if command.how == "tell":
            await being.ref.tell(sent)
        elif command.how == "ask":
            sent.call = Call(self.group, being.ref.ask, sent, timeout=command.timeout)
        else:
            sent.call = Call(self.group, self._request, sent)

    async def _request(self, sent: Sent) -> Any:
        sent.run = await sent.to.ref.request(sent)
        return await sent.run

    async def _interrupt(self, command: Interrupt) -> None:
        being = self._being(command.to)
        if being is None:
            return
        if command.sent is not None and self.sent:
            sent = self.sent[-1 - command.sent % len(self.sent)]
            if sent.run is None:
                return
            over = sent.run.status in ("completed", "interrupted", "failed", "stopped")
            sent.interruptible = sent.interruptible or not over
            receipt = await sent.run.interrupt("the model", grace=2.0)
            assert (receipt.outcome == "finished") == over
            assert bool(receipt) <= (sent.run.status == "interrupted")
            return
        current = self._runs_now(being)
        if current is not None:
            current.interruptible = True
        receipt = await being.ref.interrupt("the model", grace=2.0)
        if being.state != "restarting":
            assert (receipt.outcome == "idle") == (current is None)

    def _runs_now(self, being: Being) -> Sent | None:
        cell = being.ref._cell
        message = cell.current.message if cell.current is not None else None
        return message if isinstance(message, Sent) else None

    def _leave(self, command: Leave) -> None:
        if not self.sent:
            return
        sent = self.sent[-1 - command.sent % len(self.sent)]
        if sent.call is not None and not sent.call.over:
            if sent.how == "ask":
                sent.interruptible = True
                sent.withdrawn, sent.left = not sent.begun and not sent.handled, bool(sent.begun)
            sent.call.scope.cancel()

    def _end(self, command: End) -> None:
        being = self._being(command.to)
        if being is None:
            return
        being.ended = True
        end = being.ref.kill if command.how == "kill" else lambda: being.ref.stop(drain=command.how == "stop")
        self.group.start_soon(end)

    def _watch(self, command: Watch) -> None:
        watcher, target = self._being(command.watcher), self._being(command.target)
        if watcher is None or target is None or watcher is target or watcher.state not in ("idle", "busy"):
            return
        context = watcher.instances[-1].context
        if command.ceases:
            context.unwatch(target.ref)
            watcher.watches[target.number] = False
        elif not (target.dead and watcher.heard[target.number]):  # a second watch of the dead is told a second time
            context.watch(target.ref)
            watcher.watches[target.number] = True

    # -- what must be true

    def check(self) -> None:
        """After each step."""
        assert not self.wrong
        for being in self.beings:
            statistics = being.ref.statistics()
            found = self.system.find(being.ref.path)
            assert (found is None) == (statistics.state == "dead"), "a name is free exactly when its actor is dead"
            self._check_family(being)
            self._check_restarts(being)
            self._check_order(being)
            self._check_deaths(being)
        for sent in self.sent:
            self._check_message(sent)

    def _check_family(self, being: Being) -> None:
        if being.dead:
            assert all(other.dead for other in being.family()), "a child outlived its parent"

    def _check_restarts(self, being: Being) -> None:
        late = 31.0 if being.policy in ("pause", "asks too") else 1.0  # by so much a restart comes after its failure
        spans = [last - first for first, last in zip(being.restarts, being.restarts[TIMES:], strict=False)]
        assert all(span > WITHIN - late for span in spans), "more restarts than the budget allows"
        soon = [after - failure for failure, after in zip(being.failures, being.failures[TIMES:], strict=False)]
        if being.policy == "restart" and any(span < WITHIN - 1 for span in soon) and not being.asked():
            assert being.dead or being.state == "ending", "a budget was not exhausted"
        if being.policy in ("none", "stop"):
            assert len(being.instances) == 1
        if being.policy in ("restart", "pause"):
            stuck = sum(sent.kind == "stubborn" for sent in being.begun)
            told = sum(sent.failed and (sent.how == "tell" or not self._was_told(sent)) for sent in being.begun)
            below = any(sent.failed or sent.kind == "stubborn" for other in being.family()[1:] for sent in other.begun)
            assert len(being.instances) <= 1 + told + stuck or below, "a restart that nothing asked for"
        if being.policy == "stop" and any(sent.failed and sent.how == "tell" for sent in being.begun):
            assert being.dead or being.state == "ending"

    def _was_told(self, sent: Sent) -> bool:
        return sent.call is not None and sent.call.over and sent.call.how == "raised"

    def _check_order(self, being: Being) -> None:
        numbers = [sent.number for sent in being.begun]
        assert numbers == sorted(numbers), "first in, first out"
        for instance in being.instances[:-1]:
            if instance.busy:
                assert being.begun, "an instance that was replaced is busy with nothing"

    def _check_deaths(self, being: Being) -> None:
        for target, watches in being.watches.items():
            heard = being.heard[target]
            assert heard <= 1, "a death was told twice"
            if watches and self.beings[target].dead and being.state == "idle":
                its_own = being in self.beings[target].ancestors()
                assert heard == 1 or its_own, "a death was not told"

    def _check_message(self, sent: Sent) -> None:
        if sent.left and sent.kind != "stubborn":
            assert self._runs_now(sent.to) is not sent, "a reply runs on though its asker has left"
        assert sent.begun <= 1
        assert sent.handled <= 1
        if sent.call is None or not sent.call.over:
            return
        match sent.call.how:
            case "returned":
                assert sent.call.value == (-1 - sent.number if sent.handled else sent.number)
            case "raised" if isinstance(sent.call.value, CrashError):
                assert sent.failed
            case "raised":
                assert isinstance(sent.call.value, EXPECTED), repr(sent.call.value)

    def check_end(self, settled: dict[Any, int]) -> None:
        """When the system has ended: nothing is left, and each message has had exactly one fate."""
        self.check()
        assert self.system.roots == {}
        assert self.system.rounds == set()
        assert set(settled.values()) <= {1}, "a request was settled twice"
        letters = Counter(letter.message.number for letter in self.system.dead_letters)
        for sent in self.sent:
            if sent.how == "tell":
                fates = (bool(sent.begun), letters[sent.number], bool(sent.handled and not sent.begun))
                cut = sent.begun and letters[sent.number] == 1  # it had begun when its actor was killed
                assert sum(map(int, fates)) == 1 or cut, f"the fates of message {sent.number}: {fates}"
            else:
                assert sent.call is not None
                assert sent.call.over, f"nobody has told whoever asked for message {sent.number}"
