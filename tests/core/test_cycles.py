"""Promise 12, R52: waiting in a circle is an error at once; requesting without waiting is no circle."""

from __future__ import annotations

import anyio
import pytest

from actors import AskCycleError, Mailbox
from tests._support import Call, Doer, Gate, Hang, Teller, quiet


def ask(ref, message):
    async def asks(_actor):
        return await ref.ask(message)

    return asks


async def through_request(ref, message):
    return await (await ref.request(message))


async def through_chunks(ref, message):
    run = await ref.request(message)
    return [chunk async for chunk in run]


async def through_a_stream(ref, message):
    async with ref.stream(message) as run:
        return [chunk async for chunk in run]


async def in_a_task(ref, message):
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, message)
        return await call.result()


WAITS = {
    "ask": lambda ref, message: ref.ask(message),
    "ask in a task": in_a_task,
    "await run": through_request,
    "chunks": through_chunks,
    "stream": through_a_stream,
}


@pytest.mark.parametrize("wait", WAITS)
async def test_an_actor_that_waits_for_itself_is_told_at_once(system, wait):
    """R52: whatever it does to wait."""
    ref = await system.spawn(Doer())

    async def myself(actor):
        with pytest.raises(AskCycleError, match="would wait for itself") as caught:  # noqa: PT012 - what raises is the block
            try:
                await WAITS[wait](actor.context.ref, "hello")
            except ExceptionGroup as group:
                raise group.exceptions[0] from None
        return caught.value

    error = await ref.ask(myself)
    assert error.cycle == (ref.path, ref.path)
    assert error.ref == ref
    assert await ref.ask("alive") == "alive"


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("length", [2, 3, 5])
async def test_a_circle_of_several_is_told_the_one_that_would_close_it(system, wait, length):
    """R52: the others get their replies."""
    refs = [await system.spawn(Doer(), name=f"number {number}") for number in range(length)]
    errors = []

    async def close(_actor):
        try:
            await WAITS[wait](refs[0], "hello")
        except AskCycleError as error:
            errors.append(error)
        except ExceptionGroup as group:
            errors.extend(group.exceptions)
        return "told"

    message = close
    for ref in reversed(refs[1:]):
        message = ask(ref, message)
    assert await refs[0].ask(message) == "told"
    (error,) = errors
    assert error.cycle == (refs[-1].path, *(ref.path for ref in refs))
    assert [await ref.ask("alive") for ref in refs] == ["alive"] * length


async def test_a_send_that_waits_for_room_closes_a_circle_too(system):
    """R52: it would wait for the end of a reply that waits for it."""
    above = await system.spawn(Doer(), mailbox=Mailbox(capacity=1))
    below = await system.spawn(Doer())
    errors = []

    async def fill_and_tell(_actor):
        await above.tell("fits")
        for send in (above.tell, above.request, above.ask):
            try:
                await send("does not fit")
            except AskCycleError as error:
                errors.append(error)
        return "told"

    assert await above.ask(ask(below, fill_and_tell)) == "told"
    assert [error.cycle for error in errors] == [(below.path, above.path, below.path)] * 3
    assert await above.ask("last") == "last"
    assert above.statistics().completed == 3


async def test_a_sender_that_waits_for_room_is_waiting_for_that_actor(system):
    """R52: the other direction; the ask that would close the circle is the one that is told."""
    narrow = await system.spawn(Doer(), mailbox=Mailbox(capacity=1))
    other = await system.spawn(Doer())
    gate = Gate()
    errors = []

    async def asks_back(actor):
        await gate(actor)
        try:
            await other.ask("hello")
        except AskCycleError as error:
            errors.append(error)

    async def tells_on(_actor):
        await narrow.tell("blocked")
        return "told on"

    await narrow.tell(asks_back)
    await gate.began.wait()
    await narrow.tell("fills it")
    run = await other.request(tells_on)
    await quiet()
    gate.open()
    assert await run == "told on"
    await narrow.ask("last")
    assert [error.cycle for error in errors] == [(narrow.path, other.path, narrow.path)]


async def test_requesting_without_waiting_is_no_circle(system):
    """Promise 12: also of oneself; and telling never is."""
    ref, other = await system.spawn(Doer()), await system.spawn(Doer())
    kept = []

    async def back(_actor):
        kept.append(await ref.request("requested"))
        await ref.tell("told")
        ref.tell_nowait("told too")
        return "told"

    async def forth(actor):
        kept.append(await actor.context.ref.request("later"))
        return await other.ask(back)

    assert await ref.ask(forth) == "told"
    assert [await run for run in kept] == ["later", "requested"]
    await ref.ask("last")
    assert ref.statistics().completed == 6


async def test_a_run_that_has_ended_may_be_awaited_by_anybody(system):
    """Promise 12: there is nothing to wait for."""
    ref = await system.spawn(Doer())
    run = await ref.request("done")
    assert await run == "done"

    async def look(_actor):
        return await run, [chunk async for chunk in run]

    assert await ref.ask(look) == ("done", [])


async def test_an_edge_is_gone_when_the_wait_is_over(system):
    """R52: asking one after the other, in both directions, is no circle; nor is it after a timeout."""
    one, other = await system.spawn(Doer()), await system.spawn(Doer())

    async def asks_then_is_asked(_actor):
        first = await other.ask("hello")
        with anyio.move_on_after(0.001):
            await other.ask(Hang())
        return first

    assert await one.ask(asks_then_is_asked) == "hello"
    assert await other.ask(ask(one, "hello")) == "hello"


async def test_an_actor_that_has_waited_may_be_asked_by_the_other_while_it_goes_on(system):
    """R52: its run still lasts, and waits for nobody any more."""
    one, other = await system.spawn(Doer()), await system.spawn(Doer())
    asked, kept = anyio.Event(), []

    async def asks_back(_actor):
        asked.set()
        return await one.ask("hello")

    async def goes_on(_actor):
        with anyio.move_on_after(0.001):
            await other.ask(Hang())
        await other.ask("hello")
        kept.append(await other.request(asks_back))
        await asked.wait()
        await quiet()
        return kept[0].status

    assert await one.ask(goes_on) == "running"
    assert await kept[0] == "hello"


async def test_many_may_wait_for_one(system):
    """R52: a tree is no circle, nor is a diamond."""
    bottom = await system.spawn(Doer())
    middle = [await system.spawn(Doer()) for _ in range(5)]
    top = await system.spawn(Doer())

    async def fan_out(_actor):
        async with anyio.create_task_group() as group:
            calls = [Call(group, ref.ask, ask(bottom, number)) for number, ref in enumerate(middle)]
        return [await call.result() for call in calls]

    assert await top.ask(fan_out) == [0, 1, 2, 3, 4]


async def test_a_circle_through_one_of_several_waits_is_found(system):
    """R52: the actor waits for two others, one of which closes the circle."""
    one, two, three = [await system.spawn(Doer()) for _ in range(3)]
    gate, errors = Gate(), []

    async def asks_back(actor):
        await gate(actor)
        try:
            await one.ask("hello")
        except AskCycleError as error:
            errors.append(error)
        return "told"

    async def asks_both(_actor):
        async with anyio.create_task_group() as group:
            calls = [Call(group, two.ask, Gate("never")), Call(group, three.ask, asks_back)]
            assert await calls[1].result() == "told"
            calls[0].scope.cancel()
        return "done"

    run = await one.request(asks_both)
    await gate.began.wait()
    await quiet()
    gate.open()
    assert await run == "done"
    assert [error.cycle for error in errors] == [(three.path, one.path, three.path)]


async def test_a_reply_in_a_hook_and_in_handle_interrupt_is_in_the_graph_as_well(system):
    """R52: handle_interrupt that asks its own actor is told."""
    errors = []

    class Asking(Doer):
        async def handle_interrupt(self, message, interruption, /):
            try:
                await self.context.ref.ask("hello")
            except AskCycleError as error:
                errors.append(error)
            return "handled"

    ref = await system.spawn(Asking())
    hang = Hang()
    run = await ref.request(hang)
    await hang.began.wait()
    assert ref.interrupt_nowait()
    assert await run == "handled"
    assert len(errors) == 1


async def test_a_child_whose_on_start_asks_its_parent_is_told(system):
    """R52: the parent's reply waits for the spawn."""
    ref = await system.spawn(Doer())

    class Child(Doer):
        async def on_start(self):
            await ref.ask("hello")

    async def spawn(actor):
        with pytest.raises(AskCycleError):
            await actor.context.spawn(Child())
        return "told"

    assert await ref.ask(spawn) == "told"


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_awaiting_an_interrupt_that_waits_for_oneself_returns_at_once(system, depth):
    """Promise 12: of one's own run, or of a run that waits for one's own; it is cut at the next await."""
    actors = [Doer() for _ in range(depth)]
    refs = [await system.spawn(actor) for actor in actors]
    log = []

    async def stop_the_first(_actor):
        receipt = await refs[0].interrupt("enough", grace=20)
        log.append(receipt.outcome)
        await anyio.sleep_forever()
        log.append("never")

    message = stop_the_first
    for ref in reversed(refs[1:]):
        message = ask(ref, message)
    reply = await refs[0].ask(message)
    assert reply.reason == "enough"
    for ref in refs:
        await ref.ask("alive")
    assert log == ["deferred"]
    assert [len(actor.handled) for actor in actors] == [1] * depth


async def test_stopping_oneself_returns_at_once(system):
    """Promise 12: `stop` and `kill` from inside, or from a reply that waits for oneself."""
    above, below = await system.spawn(Doer()), await system.spawn(Doer())

    async def stop(_actor):
        await above.stop()
        await below.stop()
        return "stopped"

    assert await above.ask(ask(below, stop)) == "stopped"
    await above.join()
    await below.join()
    assert [ref.statistics().state for ref in (above, below)] == ["dead", "dead"]


async def test_a_stream_of_oneself_is_refused_and_leaves_nothing_queued(system):
    """R52: the message is withdrawn with the block."""
    teller = await system.spawn(Teller())

    async def read_myself(actor):
        with pytest.raises(AskCycleError):  # noqa: PT012 - what raises is the block
            async with actor.context.ref.stream(["never"]) as run:
                async for _ in run:
                    pass

    assert await teller.ask([read_myself, "done"]) == "done"
    assert teller.statistics().queued == 0


async def test_an_ask_from_outside_any_actor_is_never_a_circle(system):
    """Promise 12."""
    ref = await system.spawn(Doer())
    async with anyio.create_task_group() as group:
        calls = [Call(group, ref.ask, number) for number in range(10)]
    assert [await call.result() for call in calls] == list(range(10))
