"""Stash: an actor puts a message aside, and whoever asked waits on until it is answered, interrupted, or nobody can answer it."""

from __future__ import annotations

import anyio
import pytest

from actors import (
    Actor,
    ActorStopped,
    AskTimeout,
    InMemoryCancellationManager,
    Mailbox,
    MailboxFull,
    MessageWithdrawn,
    UsageError,
)
from tests._support import Call, Gate, quiet


class Door(Actor[str, str]):
    """Answers when it has been opened."""

    def __init__(self):
        self.log = []
        self.is_open = False
        self.handled = []

    async def reply(self, message, /):
        if message == "open":
            self.is_open = True
            self.context.unstash_all()
        elif not self.is_open:
            self.log.append(f"not yet: {message}")
            self.context.stash()
        self.log.append(message)
        return f"{message}!"

    async def handle_interrupt(self, message, interruption, /):
        self.handled.append((message, interruption.started))
        return "interrupted"


async def test_a_stashed_message_is_answered_after_it_was_unstashed(system, settlements):
    """R50: its asker waits on, and is told once."""
    actor = Door()
    ref = await system.spawn(actor)
    async with anyio.create_task_group() as group:
        asked = Call(group, ref.ask, "a")
        await quiet()
        assert not asked.over
        assert (ref.statistics().stashed, ref.statistics().queued, ref.statistics().state) == (1, 0, "idle")
        assert await ref.ask("open") == "open!"
        assert await asked.result() == "a!"
    assert ref.statistics().stashed == 0
    assert ref.statistics().completed == 2
    assert set(settlements.values()) == {1}


@pytest.mark.parametrize(
    "mailbox", [None, Mailbox(50), Mailbox(2), Mailbox(priority=lambda message: message == "open")]
)
async def test_what_was_stashed_comes_before_what_is_queued_and_in_order(system, mailbox):
    """R49: first in, first out, for each sender, also across the stash; with any kind of mailbox."""
    actor = Door()
    ref = await system.spawn(actor, mailbox=mailbox)
    runs = [await ref.request(message) for message in ("a", "b", "c")]
    await quiet()
    assert [run.status for run in runs] == ["queued"] * 3
    actor.log.clear()
    runs += [await ref.request(message) for message in ("open", "d")]
    async with anyio.create_task_group() as group:
        Call(group, ref.tell, "e")
    assert [await run for run in runs] == ["a!", "b!", "c!", "open!", "d!"]
    assert await ref.ask("f") == "f!"
    assert actor.log == ["open", "a", "b", "c", "d", "e", "f"]


async def test_a_message_can_be_stashed_again(system, settlements):
    class Fussy(Actor[int, int]):
        tries = 0

        async def reply(self, message, /):
            self.tries += 1
            if message and self.tries < 5:
                self.context.stash()
            return self.tries

    ref = await system.spawn(Fussy())
    run = await ref.request(1)
    for _ in range(2):
        await quiet()
        assert run.status == "queued"
        unstashed = await ref.ask(0)
        assert unstashed
        await put_back(ref)
    assert await run == 5
    assert set(settlements.values()) == {1}


async def put_back(ref):
    """As the actor itself would."""
    ref._cell.actor.context.unstash_all()
    await quiet()


async def test_a_stashed_run_is_interrupted_by_its_id(system, settlements):
    """R40: it is answered at once, as one that never began; the others stay."""
    actor = Door()
    ref = await system.spawn(actor)
    runs = [await ref.request(message, run_id=message) for message in ("a", "b")]
    await quiet()
    receipt = await system.interrupt("a", "not needed")
    assert receipt.outcome == "interrupted"
    assert await runs[0] == "interrupted"
    assert actor.handled == [("a", False)]
    await ref.tell("open")
    assert await runs[1] == "b!"
    assert "a" not in actor.log
    assert set(settlements.values()) == {1}


async def test_a_reply_that_is_interrupted_in_the_tick_in_which_it_stashes_is_interrupted(system):
    """What came out decides, and an interrupt is not put aside with it."""

    class Late(Door):
        async def reply(self, message, /):
            run = self.context.run
            assert run is not None
            self.context.ref.interrupt_nowait("just now")
            self.context.stash()

    actor = Late()
    ref = await system.spawn(actor)
    assert await ref.ask("a") == "interrupted"
    assert actor.handled == [("a", True)]
    assert ref.statistics().stashed == 0


@pytest.mark.parametrize("drain", [False, True])
async def test_stop_settles_what_is_stashed(system, settlements, drain):
    """R50, R54: whoever asked is told, and what was told is a dead letter."""
    ref = await system.spawn(Door(), name="door")
    async with anyio.create_task_group() as group:
        asked = Call(group, ref.ask, "asked")
        await quiet()
        await ref.tell("told")
        await quiet()
        await ref.stop(drain=drain)
        with pytest.raises(ActorStopped):
            await asked.result()
    (letter,) = system.dead_letters
    assert (letter.path, letter.message, letter.sender) == ("system/door", "told", None)
    assert set(settlements.values()) == {1}


async def test_a_drain_still_answers_what_is_unstashed_by_what_is_queued(system):
    """Promise 19."""
    ref = await system.spawn(Door())
    run = await ref.request("a")
    await quiet()
    await ref.tell("open")
    await ref.stop()
    assert await run == "a!"


async def test_leaving_the_system_settles_what_is_stashed(new_system):
    """Promise 19: it does not keep the block from being left."""
    async with new_system() as system:
        run = await (await system.spawn(Door())).request("a")
        await quiet()
    with pytest.raises(ActorStopped):
        await run


async def test_an_asker_that_is_gone_takes_its_stashed_message_with_it(system, settlements):
    """Promise 7: withdrawn without a word."""
    actor = Door()
    ref = await system.spawn(actor)
    async with anyio.create_task_group() as group:
        asked = Call(group, ref.ask, "a")
        await quiet()
        asked.scope.cancel()
        assert await asked.ended() == "cancelled"
        assert ref.statistics().stashed == 0
        with pytest.raises(AskTimeout):
            await ref.ask("b", timeout=0.01)
    await ref.ask("open")
    assert "a" not in actor.log
    assert "b" not in actor.log
    assert set(settlements.values()) == {1}


async def test_withdraw_takes_back_what_is_stashed_too(system):
    """R39."""
    ref = await system.spawn(Door())
    runs = [await ref.request(message, run_id=message) for message in "ab"]
    await quiet()
    assert ref.withdraw("b") == ["b"]
    assert ref.withdraw() == ["a"]
    for run in runs:
        with pytest.raises(MessageWithdrawn):
            await run


async def test_a_full_stash_is_an_error_of_that_reply(system):
    """Bounded: whoever asked is told."""
    ref = await system.spawn(Door(), name="door", mailbox=Mailbox(stash_capacity=2))
    for message in "ab":
        await ref.tell(message)
    with pytest.raises(MailboxFull, match=r"the stash of system/door is full \(2 messages\)"):
        await ref.ask("c")
    assert ref.statistics().stashed == 2


async def test_stash_belongs_into_a_reply_and_comes_before_its_chunks(system):
    class Wrong(Actor[str, str, str]):
        async def reply(self, message, /):
            if message == "chunks":
                self.context.emit("said")
                self.context.stash()
            await anyio.sleep_forever()
            return ""

        async def handle_interrupt(self, message, interruption, /):
            self.context.stash()

    actor = Wrong()
    ref = await system.spawn(actor)
    with pytest.raises(UsageError, match="would come twice"):
        await ref.ask("chunks")
    run = await ref.request("hang")
    await quiet()
    assert (await run.interrupt()).outcome == "failed"
    with pytest.raises(UsageError, match="outside of the reply"):
        await run
    with pytest.raises(UsageError, match="outside a run"):
        actor.context.stash()


async def test_stashing_inside_of_a_task_group_stashes_too(system):
    class Grouped(Door):
        async def reply(self, message, /):
            async with anyio.create_task_group():
                return await super().reply(message)

    ref = await system.spawn(Grouped())
    run = await ref.request("a")
    await quiet()
    await ref.ask("open")
    assert await run == "a!"


async def test_a_reply_that_keeps_the_stashing_to_itself_has_replied(system):
    """The rule: what came out of the reply decides."""

    class Swallowing(Door):
        async def reply(self, message, /):
            try:
                self.context.stash()
            except Exception:  # noqa: BLE001 - that is the point
                return "kept"

    assert await (await system.spawn(Swallowing())).ask("a") == "kept"


@pytest.mark.parametrize("way", ["answered", "interrupted", "asker gone", "withdrawn", "stopped"])
async def test_a_stashed_run_stays_registered_and_its_registration_ends_with_it(new_system, way):
    """R25: and whoever cancels it through the manager reaches it."""
    manager = InMemoryCancellationManager()
    async with new_system(cancellation=manager) as system:
        actor = Door()
        ref = await system.spawn(actor)
        async with anyio.create_task_group() as group:
            asked = Call(group, ref.ask, "a", run_id="a")
            await quiet()
            assert manager.get_active_runs() == {"a": False}
            if way == "answered":
                await ref.tell("open")
                assert await asked.result() == "a!"
            elif way == "interrupted":
                assert manager.cancel_run("a")
                assert await asked.result() == "interrupted"
            elif way == "asker gone":
                asked.scope.cancel()
            elif way == "withdrawn":
                assert ref.withdraw() == ["a"]
            else:
                await ref.stop()
            await asked.ended()
        await quiet()
        assert "a" not in manager.get_active_runs()


async def test_a_killed_actor_stashes_nothing(system):
    """What is cut by a kill is stopped, even if it tries."""

    class Stubborn(Door):
        async def reply(self, message, /):
            try:
                await gate(self)
            finally:
                self.context.stash()

    gate = Gate()
    ref = await system.spawn(Stubborn())
    run = await ref.request("a")
    await gate.began.wait()
    await ref.kill()
    with pytest.raises(ActorStopped):
        await run
    assert ref.statistics().stashed == 0
