"""Promise 14: a run is cancelled from any thread, through the synchronous methods of its manager."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import anyio
import anyio.to_thread
import pytest

from actors import WrongLoopError
from tests._support import Doer, Hang, quiet
from tests.managers._doubles import NATIVE

in_thread = anyio.to_thread.run_sync


class Loyal(Doer):
    """Notes the thread in which it is told of an interrupt."""

    async def handle_interrupt(self, message, interruption, /):
        self.log.append(threading.get_ident())
        return await super().handle_interrupt(message, interruption)


async def hanging(system, store, run_id="run"):
    actor, hang = Loyal(), Hang()
    ref = await system.spawn(actor, cancellation=store.manager)
    run = await ref.request(hang, run_id=run_id)
    await hang.began.wait()
    return actor, ref, run


async def test_a_cancel_in_another_thread_interrupts_on_the_event_loop(system, store):
    """Promise 14: whoever cancels gets the answer in its own thread; the actor is touched by one thread alone."""
    actor, _, run = await hanging(system, store)
    cancel = partial(store.elsewhere.cancel_run, "run", reason="from a thread", by="anna")
    assert await in_thread(cancel) is True
    interruption = await run
    assert (interruption.source, interruption.reason, interruption.by) == ("manager", "from a thread", "anna")
    assert actor.log == [threading.get_ident()]
    assert await in_thread(cancel) is False
    assert await in_thread(store.elsewhere.get_active_runs) == {}


async def test_the_manager_that_is_injected_takes_it_from_a_thread_too(system, store):
    """docs/managers.md: the synchronous twins of managers that only touch memory or a file may be called from any thread."""
    _, _, run = await hanging(system, store)
    assert await in_thread(store.manager.get_active_runs) == {"run": False}
    assert await in_thread(store.manager.is_cancelled, "run") is False
    assert await in_thread(store.manager.cancel_run, "run") is True
    assert (await run).source == "manager"


async def test_a_thread_of_which_the_event_loop_knows_nothing_can_cancel_while_the_loop_stands_still(system, store):
    """Promise 14: the news is handed over without waiting for the loop, and arrives when it turns again."""
    actor, _, run = await hanging(system, store)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(store.elsewhere.cancel_run("run", reason="plainly")))
    thread.start()
    thread.join(timeout=20)
    assert answers == [True]
    assert (run.status, actor.handled) == ("running", [])
    assert (await run).reason == "plainly"


@pytest.mark.parametrize("anyio_backend", NATIVE)
async def test_a_callback_of_the_event_loop_cancels(system, memory):
    """Promise 14: it runs on the loop, though in no task: a signal handler of asyncio's, a timer."""
    _, ref, run = await hanging(system, memory)
    asyncio.get_running_loop().call_soon(memory.manager.cancel_run, "run")
    assert (await run).source == "manager"
    hang = Hang()
    run = await ref.request(hang)
    await hang.began.wait()
    asyncio.get_running_loop().call_soon(ref.interrupt_nowait, "without a manager")
    assert (await run).reason == "without a manager"


async def test_many_threads_that_cancel_one_run_have_it_handled_once(system, store):
    """Promise 3: one of them is the first, and its reason counts."""
    actor, _, run = await hanging(system, store)
    start = threading.Barrier(8)
    reasons = [f"thread {number}" for number in range(8)]

    def cancel(reason):
        start.wait(timeout=20)
        return store.elsewhere.cancel_run("run", reason=reason)

    async with anyio.create_task_group() as group:
        for reason in reasons:
            group.start_soon(in_thread, cancel, reason)
        interruption = await run
    assert interruption.reason in reasons
    assert [handled.reason for handled in actor.handled] == [interruption.reason]


async def test_a_cancel_on_its_way_between_threads_does_not_hit_the_next_run_with_that_id(system, memory):
    """R2, R22: what arrives is compared with what is running now. Here the loop has not turned between the two runs."""
    actor, hang, requested = Loyal(), Hang(), []
    first = await system.spawn(Doer(), cancellation=memory.manager)
    second = await system.spawn(actor, cancellation=memory.manager)

    async def is_cancelled_and_ends(_actor):
        thread = threading.Thread(target=memory.manager.cancel_run, args=("run",), kwargs={"reason": "the old one"})
        thread.start()
        thread.join(timeout=20)
        return "ended all the same"

    async def requests_the_next(_actor):
        requested.append(await second.request(hang, run_id="run", detach=True))

    old = await first.request(is_cancelled_and_ends, run_id="run")
    await first.tell(requests_the_next)
    assert await old == "ended all the same"
    await hang.began.wait()
    await quiet()
    assert (requested[0].status, memory.active()) == ("running", {"run": False})
    assert memory.manager.cancel_run("run", reason="the new one")
    assert (await requested[0]).reason == "the new one"
    assert len(actor.handled) == 1


async def test_a_thread_with_an_event_loop_of_its_own_uses_the_synchronous_methods(system, store):
    """Section 2 of the design: the asynchronous ones belong to the loop on which the manager is open; the error says so."""
    _, _, run = await hanging(system, store)

    async def on_another_loop():
        with pytest.raises(WrongLoopError, match="open on another event loop"):
            await store.manager.acancel_run("run", reason="never stored")
        return store.manager.cancel_run("run", reason="stored")

    assert await in_thread(anyio.run, on_another_loop) is True
    assert (await run).reason == "stored"


async def test_a_thread_of_the_reply_cancels_the_run_that_waits_for_it(system, store):
    """semantics.md, 2: the reply waits for a thread which gives up; it is cut when the thread has ended."""
    ref = await system.spawn(Doer(), cancellation=store.manager)

    async def works_in_a_thread(actor):
        run_id = actor.context.run.id
        assert await in_thread(partial(store.elsewhere.cancel_run, run_id, reason="the thread gave up")) is True
        await anyio.sleep_forever()

    interruption = await ref.ask(works_in_a_thread)
    assert (interruption.source, interruption.reason) == ("manager", "the thread gave up")
    assert store.active() == {}
