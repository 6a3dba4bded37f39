"""See what is going on: the tree of actors, to read and as records. In virtual time."""

from __future__ import annotations

import io
import re

import anyio
import pytest

from actors import Actor, ActorStopped, Agent, Mailbox, Pool, debug
from tests._support import Call, Doer, Gate, Hang, quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401


class Parent(Doer):
    async def on_start(self):
        for name in ("first", "second"):
            await self.context.spawn(Doer(), name=name)


class Refusing:
    """A message whose reply absorbs each cancellation until it is let go."""

    def __init__(self):
        self.began, self.let_go = anyio.Event(), anyio.Event()

    async def __call__(self, _actor):
        self.began.set()
        while not self.let_go.is_set():
            with anyio.CancelScope(shield=True):
                await self.let_go.wait()


async def test_the_snapshot_has_every_actor_with_its_state_and_its_mailbox(system):
    parent = await system.spawn(Parent(), name="parent")
    await system.spawn(Doer(), name="other", mailbox=Mailbox(2))
    hang, gate = Hang(), Gate()
    child, other = system.find("parent/second"), system.find("other")
    await child.tell(hang)
    await other.request(gate, run_id="mine")
    await hang.began.wait()
    await gate.began.wait()
    async with anyio.create_task_group() as group:
        for number in range(3):
            Call(group, other.tell, number)
        await quiet()
        await anyio.sleep(5)
        first, second = debug.snapshot(system)
        gate.open()
    assert [each.path for each in first.walk()] == [
        "system/parent",
        "system/parent/first",
        "system/parent/second",
    ]
    assert [(each.name, each.state) for each in first.walk()] == [
        ("parent", "idle"),
        ("first", "idle"),
        ("second", "busy"),
    ]
    assert first.kind == "Parent"
    assert first.step is None
    assert (second.name, second.kind, second.state, second.queued, second.waiting) == ("other", "Doer", "busy", 2, 1)
    step = second.step
    assert step is not None
    assert (step.name, step.run_id, step.message, step.status) == ("reply", "mine", "Gate", "running")
    assert step.age == pytest.approx(5, abs=0.2)
    assert "in Gate.__call__" in step.where
    assert (step.stuck, step.protected) == (False, False)
    assert await parent.ask("alive") == "alive"


async def test_the_age_is_that_of_the_step_and_not_of_an_earlier_one(system):
    ref = await system.spawn(Doer())
    for seconds in (50, 3):
        gate = Gate()
        run = await ref.request(gate)
        await anyio.sleep(seconds)
        (seen,) = debug.snapshot(system)
        assert seen.step is not None
        assert seen.step.age == pytest.approx(seconds, abs=0.2)
        gate.open()
        await run


async def test_a_reply_that_looks_at_itself_has_no_age_until_it_waits(system):
    async def look(_actor):
        (seen,) = debug.snapshot(system)
        await anyio.sleep(2)
        (again,) = debug.snapshot(system)
        return seen.step, again.step

    ref = await system.spawn(Doer())
    gate = Gate()
    earlier = await ref.request(gate)
    await anyio.sleep(10)
    gate.open()
    await earlier
    before, after = await ref.ask(look)
    assert before.age == 0
    assert after.age == pytest.approx(2, abs=0.2)


async def test_it_shows_what_is_stuck_protected_stashed_and_what_has_timers(system):
    class Odd(Doer):
        async def reply(self, message, /):
            if message == "stash":
                self.context.every(1000, "tick")
                self.context.stash()
            if message == "protect":
                async with self.context.protect():
                    await gate(self)
            return await super().reply(message)

    ref = await system.spawn(Odd(), name="odd")
    gate, refusing = Gate(), Refusing()
    await ref.tell("stash")
    protected = await ref.request("protect")
    await gate.began.wait()
    (seen,) = debug.snapshot(system)
    assert (seen.stashed, seen.timers) == (1, 1)
    assert seen.step is not None
    assert seen.step.protected
    gate.open()
    await protected
    run = await ref.request(refusing)
    await refusing.began.wait()
    await run.interrupt(grace=2)
    await anyio.sleep(0.1)
    (seen,) = debug.snapshot(system)
    text = debug.tree(system, slow=100, file=io.StringIO())
    refusing.let_go.set()
    await run
    assert seen.step is not None
    assert (seen.step.stuck, seen.step.status) == (True, "interrupting")
    assert "Refusing.__call__" in seen.step.where
    line = text.splitlines()[1]
    assert "Odd): busy, 1 stashed, 1 timer; reply to a Refusing for 2." in line
    assert line.endswith(f"s, run {run.id}, interrupting, stuck")
    assert "in Refusing.__call__" in text


async def test_it_shows_hooks_and_handlers(system):
    class Slow(Doer):
        async def on_start(self):
            await starting(self)

        async def handle_interrupt(self, message, interruption, /):
            await handling(self)

        async def on_stop(self):
            await stopping(self)

    starting, handling, stopping, hang = Gate(), Gate(), Gate(), Hang()

    def now():
        (seen,) = debug.snapshot(system)
        assert seen.step is not None
        return seen.state, seen.step.name, seen.step.status

    async with anyio.create_task_group() as group:
        spawning = Call(group, system.spawn, Slow(), name="slow")
        await starting.began.wait()
        assert now() == ("starting", "on_start", None)
        starting.open()
        ref = await spawning.result()
        await ref.tell(hang)
        await hang.began.wait()
        interrupting = Call(group, ref.interrupt)
        await handling.began.wait()
        assert now() == ("busy", "handle_interrupt", "interrupting")
        handling.open()
        await interrupting.ended()
        ending = Call(group, ref.stop)
        await stopping.began.wait()
        assert now() == ("ending", "on_stop", None)
        stopping.open()
        await ending.ended()
    assert debug.snapshot(system) == ()


async def test_the_tree_is_printed_and_returned(system, capsys):
    """What is slow is shown with the place where it is suspended."""
    await system.spawn(Parent(), name="parent")
    pool = await system.spawn(Pool(Doer, 2), name="pool")
    hang, gate = Hang(), Gate()
    await pool.tell(hang)
    await system.find("parent/first").tell(gate)
    await system.find("parent/first").tell("queued")
    await anyio.sleep(3)
    text = debug.tree(system)
    assert capsys.readouterr().out == text + "\n"
    shown = [line for line in text.splitlines() if "──" in line or line == "system"]
    assert shown == [
        "system",
        "├── parent (Parent): idle",
        "│   ├── first (Doer): busy, 1 queued; reply to a Gate for 3.0 s",
        "│   └── second (Doer): idle",
        "└── pool (Pool): idle",
        "    ├── 1 (Doer): idle",
        "    └── 2 (Doer): busy; reply to a Hang for 3.0 s",
    ]
    assert "in Gate.__call__" in text
    assert "in Hang.__call__" in text
    quick = debug.tree(system, slow=10, file=io.StringIO())
    assert quick.splitlines() == shown
    gate.open()


async def test_a_deep_tree_is_shown_too(system):
    """Deeper than functions may call each other."""

    class Deep(Actor[int, int]):
        async def reply(self, message, /):
            if message:
                child = await self.context.spawn(Deep(), name="below")
                await child.tell(message - 1)
            return 0

    await (await system.spawn(Deep(), name="top")).tell(1500)
    await quiet()
    (top,) = debug.snapshot(system)
    assert len(list(top.walk())) == 1501
    assert len(debug.tree(system, file=io.StringIO()).splitlines()) == 1502


async def test_an_agent_is_shown_under_its_name(system):
    class Speaker(Agent):
        async def reply(self, message):
            return message

    await system.spawn(Speaker("anna", console=False))
    assert re.search(r"── anna \(.*Speaker\): idle$", debug.tree(system, file=io.StringIO()))


async def test_a_system_that_is_closed_shows_nothing(new_system):
    async with new_system() as system:
        pass
    with pytest.raises(ActorStopped):
        debug.tree(system)


async def test_looking_changes_nothing(system):
    """Nothing is woken, given an id, or kept."""
    ref = await system.spawn(Doer())
    gate = Gate()
    run = await ref.request(gate)
    await gate.began.wait()
    debug.snapshot(system)
    assert run.known_id is None
    assert len(system.runs) == 0
    gate.open()
    assert await run == "opened"
