"""Become: an actor answers in another way for a while."""

from __future__ import annotations

import gc
import weakref

import pytest

from actors import Actor, ActorStopped, UsageError
from actors._incarnation import end_incarnation
from tests._support import Hang, Teller, quiet


class Lamp(Actor[str, str]):
    """Off at first."""

    async def reply(self, message, /):
        if message == "switch":
            self.context.become(self.lit)
        return f"off: {message}"

    async def lit(self, message, /):
        if callable(message):
            await message(self)
        if message == "switch":
            self.context.unbecome()
        elif message == "dim":
            self.context.become(self.dimmed)
        return f"lit: {message}"

    async def dimmed(self, message, /):
        if message == "switch":
            self.context.unbecome()
        return f"dimmed: {message}"

    async def handle_interrupt(self, message, interruption, /):
        return "interrupted"


async def test_from_the_next_message_on_it_answers_by_what_it_has_become(system):
    ref = await system.spawn(Lamp())
    said = [
        await ref.ask(message) for message in ("a", "switch", "b", "switch", "c", "switch", "dim", "d", "switch", "e")
    ]
    assert said == [
        "off: a",
        "off: switch",
        "lit: b",
        "lit: switch",
        "off: c",
        "off: switch",
        "lit: dim",
        "dimmed: d",
        "dimmed: switch",
        "off: e",
    ]


async def test_what_it_has_become_replaces_what_it_was_so_nothing_piles_up(system):
    """unbecome leads back to ``reply``, however often it has become something."""
    actor = Lamp()
    ref = await system.spawn(actor)
    for _ in range(100):
        actor.context.become(actor.lit)
        actor.context.become(actor.dimmed)
    assert await ref.ask("switch") == "dimmed: switch"
    assert await ref.ask("a") == "off: a"
    actor.context.unbecome()
    actor.context.unbecome()
    assert await ref.ask("a") == "off: a"


async def test_an_interrupt_changes_nothing_about_it(system):
    """And handle_interrupt is the class's own."""
    ref = await system.spawn(Lamp())
    await ref.ask("switch")
    hang = Hang()
    run = await ref.request(hang)
    await hang.began.wait()
    await run.interrupt()
    assert await run == "interrupted"
    assert await ref.ask("a") == "lit: a"


async def test_each_actor_becomes_something_for_itself(system):
    one, other = await system.spawn(Lamp()), await system.spawn(Lamp())
    await one.ask("switch")
    assert [await one.ask("a"), await other.ask("a")] == ["lit: a", "off: a"]


async def test_a_generator_is_a_behaviour_too_if_there_is_something_to_assemble_its_chunks(system):
    async def shouting(message, /):
        for word in message:
            yield word.upper()

    actor = Teller()
    ref = await system.spawn(actor)
    actor.context.become(shouting)
    assert await ref.ask(["a", "b"]) == "A B"
    lamp = Lamp()
    await system.spawn(lamp)
    with pytest.raises(UsageError, match="no assemble"):
        lamp.context.become(shouting)
    with pytest.raises(UsageError, match="a behaviour is a function"):
        lamp.context.become("lit")


async def test_an_actor_that_has_ended_becomes_nothing_and_is_freed(system):
    """R56: what it had become does not keep it."""
    actor = Lamp()
    ref = await system.spawn(actor)
    await ref.ask("switch")
    await ref.stop()
    with pytest.raises(ActorStopped):
        actor.context.become(actor.lit)
    gc.collect()
    gc.disable()
    try:
        gone = weakref.ref(actor)
        del actor
        await quiet()
        assert gone() is None
    finally:
        gc.enable()


async def test_another_instance_in_its_place_begins_anew(system):
    """With a new instance the behaviour is gone, timers are off, and what was stashed waits in the mailbox again."""

    class Stashing(Lamp):
        async def reply(self, message, /):
            if message == "aside":
                self.context.become(self.lit)
                self.context.every(1000, "tick")
                self.context.stash()
            return await super().reply(message)

    actor = Stashing()
    ref = await system.spawn(actor)
    run = await ref.request("aside")
    await quiet()
    assert (ref.statistics().stashed, len(system.timetable.entries)) == (1, 1)
    cell = ref._cell
    end_incarnation(cell)
    cell.actor = Lamp()
    cell.actor.__dict__["_actor_context"] = actor.context
    assert await run == "off: aside"
    await quiet()
    assert (ref.statistics().stashed, len(system.timetable.entries)) == (0, 0)
    assert await ref.ask("a") == "off: a"
