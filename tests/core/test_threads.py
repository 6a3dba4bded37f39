"""Promise 14: refs may be used from other threads through the `_from_thread` forms; anything else there is a clear error."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextvars import ContextVar
from functools import partial

import anyio
import anyio.to_thread
import pytest

from actors import ActorStopped, AskCycleError, AskTimeout, BlockingCallError, Interrupted, Mailbox, WrongThreadError
from tests._support import Doer, Hang, Mute, quiet

color: ContextVar[str] = ContextVar("color", default="none")

in_thread = anyio.to_thread.run_sync


def in_plain_thread(function):
    """Call it in a thread that has nothing to do with the event loop; its outcome is a future."""
    outcome: Future[object] = Future()

    def run():
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised where it is looked at
            outcome.set_exception(error)

    threading.Thread(target=run).start()
    return outcome


async def test_ask_from_thread_gives_the_reply(system):
    ref = await system.spawn(Doer())
    assert await in_thread(ref.ask_from_thread, "hello") == "hello"
    outcome = in_plain_thread(partial(ref.ask_from_thread, "plainly", run_id="mine"))
    assert await in_thread(outcome.result) == "plainly"


async def test_ask_from_thread_raises_what_an_ask_raises(system):
    ref, mute = await system.spawn(Doer()), await system.spawn(Mute())

    async def fail(_actor):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await in_thread(ref.ask_from_thread, fail)
    with pytest.raises(AskTimeout):
        await in_thread(partial(ref.ask_from_thread, Hang(), timeout=0.01))
    hang = Hang()
    outcome = in_plain_thread(partial(mute.ask_from_thread, hang))
    await hang.began.wait()
    assert mute.interrupt_nowait("enough")
    with pytest.raises(Interrupted):
        await in_thread(outcome.result)


async def test_tell_from_thread_sends_in_order_and_waits_for_room(system):
    class Listing(Doer):
        async def reply(self, message, /):
            self.log.append(message)
            return await super().reply(message)

    actor = Listing()
    ref = await system.spawn(actor, mailbox=Mailbox(capacity=2))

    def send():
        for number in range(50):
            ref.tell_from_thread(number)

    await in_thread(send)
    await ref.ask("last")
    assert actor.log == [*range(50), "last"]


async def test_interrupt_from_thread_gives_the_receipt(system):
    ref = await system.spawn(Doer())
    hang = Hang()
    run = await ref.request(hang, run_id="mine")
    await hang.began.wait()
    receipt = await in_thread(
        partial(ref.interrupt_from_thread, "enough", by="anna", message="sorry", run_id="mine", grace=10)
    )
    assert (receipt.outcome, receipt.reason, receipt.by) == ("interrupted", "enough", "anna")
    assert ((await run).message, (await run).source) == ("sorry", "caller")
    assert (await in_thread(ref.interrupt_from_thread)).outcome == "idle"


async def test_the_context_variables_of_the_thread_reach_the_reply(system):
    """Promise 13."""
    ref = await system.spawn(Doer())

    async def look(_actor):
        return color.get()

    def paint_and_ask():
        color.set("green")
        return ref.ask_from_thread(look)

    assert await in_thread(paint_and_ask) == "green"
    assert await in_thread(in_plain_thread(paint_and_ask).result) == "green"
    assert color.get() == "none"


async def test_everything_else_is_refused_off_the_loop(system):
    """Promise 14: a clear error, and nothing has happened."""
    ref = await system.spawn(Doer())
    hang = Hang()
    run = await ref.request(hang, run_id="mine")
    await hang.began.wait()

    def drive(call):
        coroutine = call()
        if hasattr(coroutine, "send"):
            coroutine.send(None)

    stream = ref.stream("never")
    calls = {
        "ask": lambda: ref.ask("never"),
        "tell": lambda: ref.tell("never"),
        "tell_nowait": lambda: ref.tell_nowait("never"),
        "request": lambda: ref.request("never"),
        "stream": stream.__aenter__,
        "withdraw": ref.withdraw,
        "interrupt": ref.interrupt,
        "interrupt_nowait": ref.interrupt_nowait,
        "stop": ref.stop,
        "kill": ref.kill,
        "join": ref.join,
        "statistics": ref.statistics,
        "system.interrupt": lambda: system.interrupt("mine"),
        "spawn": lambda: system.spawn(Doer()),
        "emit": lambda: ref._cell.actor.context.emit("never"),
        "protect": ref._cell.actor.context.protect,
    }
    for name, call in calls.items():
        with pytest.raises(WrongThreadError) as caught:
            await in_thread(drive, call)
        assert "thread" in str(caught.value), name
    assert (ref.name, ref.path) == tuple(await in_thread(lambda: (ref.name, ref.path)))
    await quiet()
    assert run.status == "running"
    assert ref.statistics().queued == 0
    assert system.runs.get("mine") is run
    await run.interrupt()


async def test_a_run_is_refused_off_the_loop_too(system):
    """Promise 14: a run is reached through refs, so it lives on the same loop."""
    ref = await system.spawn(Doer())
    hang = Hang()
    run = await ref.request(hang)
    await hang.began.wait()

    def drive(coroutine):
        try:
            coroutine.send(None)
        finally:
            coroutine.close()

    with pytest.raises(WrongThreadError):
        await in_thread(drive, run.interrupt("from nowhere"))
    await quiet()
    assert run.status == "running"
    await run.interrupt()


@pytest.mark.parametrize("form", ["ask_from_thread", "tell_from_thread", "interrupt_from_thread"])
async def test_the_blocking_forms_are_refused_on_an_event_loop(system, form):
    """Promise 14: they would stop it, be it the system's own or another one."""
    ref = await system.spawn(Doer())
    with pytest.raises(BlockingCallError, match="_from_thread") as caught:
        getattr(ref, form)("hello")
    assert caught.value.ref == ref

    async def on_another_loop():
        getattr(ref, form)("hello")

    with pytest.raises(BlockingCallError):
        await in_thread(anyio.run, on_another_loop)
    assert ref.statistics().queued == 0


async def test_a_thread_of_a_reply_is_part_of_its_run(system):
    """R52: it may ask others, and is told when it would wait for itself."""
    ref, other = await system.spawn(Doer()), await system.spawn(Doer())

    async def asks_in_a_thread(actor):
        assert await in_thread(other.ask_from_thread, "hello") == "hello"
        with pytest.raises(AskCycleError):
            await in_thread(actor.context.ref.ask_from_thread, "hello")
        return "told"

    assert await ref.ask(asks_in_a_thread) == "told"


async def test_an_interrupt_of_a_reply_whose_thread_asks_reaches_what_was_asked(system):
    """R10."""
    above, below_actor = await system.spawn(Doer()), Doer()
    below = await system.spawn(below_actor)
    hang = Hang()

    async def asks_in_a_thread(_actor):
        await in_thread(below.ask_from_thread, hang)

    run = await above.request(asks_in_a_thread)
    await hang.began.wait()
    assert below.interrupt_nowait("first")  # the thread itself cannot be cut; what it waits for can
    assert await run is None
    assert [i.reason for i in below_actor.handled] == ["first"]


async def test_asking_a_stopped_actor_from_a_thread_is_told(system):
    ref = await system.spawn(Doer())
    await ref.stop()
    with pytest.raises(ActorStopped):
        await in_thread(ref.ask_from_thread, "hello")
    await in_thread(ref.tell_from_thread, "hello")
    assert [letter.message for letter in system.dead_letters] == ["hello"]


async def test_asking_in_a_system_that_is_closed_is_told(new_system):
    async with new_system() as system:
        ref = await system.spawn(Doer())
    with pytest.raises(ActorStopped):
        await ref.ask("hello")
    with pytest.raises(ActorStopped):
        await in_thread(ref.ask_from_thread, "hello")


async def test_many_threads_ask_at_once(system):
    """R49, R50: each gets its own reply."""
    ref = await system.spawn(Doer())
    outcomes = [in_plain_thread(partial(ref.ask_from_thread, number)) for number in range(30)]
    assert [await in_thread(outcome.result) for outcome in outcomes] == list(range(30))
    assert ref.statistics().completed == 30
