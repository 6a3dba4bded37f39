"""Promise 13: the context variables of who asks reach the reply, and what a reply sets does not leak into the next one."""

from __future__ import annotations

import gc
import weakref
from contextvars import ContextVar

import anyio
import pytest

from tests._support import Doer, Gate, Hang, quiet, turns

color: ContextVar[str] = ContextVar("color", default="none")


async def look(_actor):
    return color.get()


async def look_later(_actor):
    await turns(3)
    return color.get()


@pytest.fixture(autouse=True)
def colorless():
    color.set("none")


@pytest.mark.parametrize("message", [look, look_later])
async def test_a_reply_sees_the_variables_of_its_asker(system, message):
    """Whether it waits or not, and whatever others have set."""
    ref = await system.spawn(Doer())

    async def ask_in(name):
        color.set(name)
        assert await ref.ask(message) == name
        assert color.get() == name

    async with anyio.create_task_group() as group:
        for name in ("green", "red", "blue"):
            group.start_soon(ask_in, name)
    assert await ref.ask(message) == "none"


async def test_the_variables_are_those_of_the_moment_of_sending(system):
    """Also for what waits in the mailbox."""
    ref = await system.spawn(Doer())
    gate = Gate()
    await ref.tell(gate)
    runs = []
    for name in ("green", "red"):
        color.set(name)
        runs.append(await ref.request(look))
    color.set("blue")
    gate.open()
    assert [await run for run in runs] == ["green", "red"]


@pytest.mark.parametrize("waits", [True, False])
async def test_what_a_reply_sets_reaches_neither_its_asker_nor_the_next_reply(system, waits):
    ref = await system.spawn(Doer())

    async def paint(_actor):
        color.set("red")
        if waits:
            await turns(2)
        return color.get()

    color.set("green")
    assert await ref.ask(paint) == "red"
    assert color.get() == "green"
    assert [await ref.ask(look), await ref.ask(look_later)] == ["green", "green"]
    color.set("none")
    assert await ref.ask(look) == "none"


async def test_what_an_interrupted_reply_set_does_not_leak(system):
    ref = await system.spawn(Doer())
    hang = Hang()

    async def paint_and_hang(actor):
        color.set("red")
        await hang(actor)

    run = await ref.request(paint_and_hang)
    await hang.began.wait()
    assert (await run.interrupt()).outcome == "interrupted"
    assert [await ref.ask(look), color.get()] == ["none", "none"]


async def test_the_variables_reach_what_the_reply_asks_and_tells(system):
    """Trace ids go down the tree."""
    refs = [await system.spawn(Doer()) for _ in range(3)]
    seen = []

    async def note(_actor):
        seen.append(color.get())

    async def pass_on(_actor):
        await refs[1].tell(note)
        return await refs[1].ask(look_later), await (await refs[2].request(look))

    color.set("green")
    assert await refs[0].ask(pass_on) == ("green", "green")
    assert seen == ["green"]


async def test_a_generator_keeps_its_variables_from_chunk_to_chunk(system):
    """semantics.md, decision 5: each of its steps is taken in the asker's context."""

    class Painter(Doer):
        async def reply(self, message, /):
            for name in ("red", "blue"):
                yield color.get()
                color.set(name)
                await turns(1)
            yield color.get()

        def assemble(self, chunks, /):
            return list(chunks)

    ref = await system.spawn(Painter())
    color.set("green")
    run = await ref.request(None)
    color.set("yellow")
    assert [chunk async for chunk in run] == ["green", "red", "blue"]
    assert await run == ["green", "red", "blue"]
    assert color.get() == "yellow"


async def test_on_start_sees_the_variables_of_who_spawns_and_messages_those_of_their_senders(system):
    class Curious(Doer):
        async def on_start(self):
            self.log.append(color.get())

    actor = Curious()
    color.set("green")
    ref = await system.spawn(actor)
    color.set("red")
    assert await ref.ask(look) == "red"
    assert actor.log == ["green"]


async def test_on_stop_sees_the_variables_with_which_the_system_was_opened(new_system):
    """And not those of whichever message came last."""
    seen = []

    class Curious(Doer):
        async def on_stop(self):
            await turns(1)
            seen.append(color.get())

    color.set("green")
    async with new_system() as system:
        color.set("red")
        ref = await system.spawn(Curious())
        assert await ref.ask(look) == "red"
        await ref.stop()
    assert seen == ["green"]


async def test_a_reply_does_not_know_which_run_another_reply_belongs_to(system):
    """`context.run` is the run that the calling code is part of, in tasks of the reply as well."""
    one, other = Doer(), Doer()
    ref, other_ref = await system.spawn(one), await system.spawn(other)
    seen = {}

    async def in_task(actor):
        seen["task"] = actor.context.run.id

    async def below(actor):
        seen["below"] = actor.context.run.id
        seen["of the asker, below"] = one.context.run

    async def above(actor):
        seen["above"] = actor.context.run.id
        async with anyio.create_task_group() as group:
            group.start_soon(in_task, actor)
        await other_ref.ask(below, run_id="below")
        seen["above, afterwards"] = actor.context.run.id

    await ref.ask(above, run_id="above")
    assert seen == {
        "above": "above",
        "task": "above",
        "below": "below",
        "of the asker, below": None,
        "above, afterwards": "above",
    }
    assert one.context.run is None


async def test_a_message_and_its_reply_are_freed_although_a_timer_of_the_reply_is_pending(system):
    """semantics.md, decision 6: asyncio keeps a cancelled timer's context until it is due."""

    class Payload:
        pass

    ref = await system.spawn(Doer())
    payload = Payload()

    async def reply(_actor, payload=payload):
        with anyio.move_on_after(1000):
            await turns(2)
        return payload

    del payload
    run = await ref.request(reply)
    weak = weakref.ref(await run)
    run_weak = weakref.ref(run)
    del run, reply
    await quiet()
    gc.collect()
    assert weak() is None
    assert run_weak() is None
