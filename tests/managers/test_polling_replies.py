"""Promise 6: a reply that polls a manager, as code written for agno does, and finds its own run cancelled, is interrupted."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import InMemoryCancellationManager, RunCancelledError, RunCancelledException
from tests._support import Call, Doer, Hang, quiet


class Poller:
    """A message whose reply asks a manager between two chunks whether a run is cancelled: its own if none is named."""

    def __init__(self, manager, run_id=None):
        self.manager, self.run_id = manager, run_id
        self.began = anyio.Event()

    async def __call__(self, actor):
        run_id = self.run_id or actor.context.run.id
        actor.context.emit("a chunk")
        self.began.set()
        while True:
            await self.manager.araise_if_cancelled(run_id)
            await anyio.lowlevel.checkpoint()


async def test_for_its_own_run_id_it_counts_as_interrupted(system):
    """Promise 6: by the manager, with reason and author, although that manager is not the actor's own."""
    actor, polled = Doer(), InMemoryCancellationManager()
    ref = await system.spawn(actor)
    poller = Poller(polled)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, poller, run_id="run")
        await poller.began.wait()
        polled.cancel_run("run", reason="too dear", by="anna")
        interruption = await call.result()
    assert (interruption.run_id, interruption.source) == ("run", "manager")
    assert (interruption.reason, interruption.by) == ("too dear", "anna")
    assert (interruption.started, interruption.partial) == (True, ("a chunk",))
    assert interruption.requested_at <= anyio.current_time()
    assert actor.handled == [interruption]
    assert (ref.statistics().interrupted, ref.statistics().failed) == (1, 0)


async def test_for_another_run_id_it_is_a_failure_of_the_reply(system):
    """Promise 6: that some other run was cancelled is this reply's error, and goes to its asker."""
    actor, polled = Doer(), InMemoryCancellationManager()
    ref = await system.spawn(actor)
    poller = Poller(polled, "another")
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, poller, run_id="run")
        await poller.began.wait()
        polled.cancel_run("another", reason="not this one")
        assert await call.ended() == "raised"
    assert isinstance(call.value, RunCancelledError)
    assert (call.value.run_id, call.value.reason) == ("another", "not this one")
    assert actor.handled == []
    assert (ref.statistics().interrupted, ref.statistics().failed) == (0, 1)


async def test_of_an_ask_below_it_is_the_interrupted_reply_there_and_nothing_here(system):
    """Promise 6: it never leaves the run whose id it names as an error."""
    polled = InMemoryCancellationManager()
    child, parent = await system.spawn(Doer()), await system.spawn(Doer())
    polled.cancel_run("child", reason="only that")

    async def asks(_actor):
        return await child.ask(Poller(polled), run_id="child")

    assert (await parent.ask(asks, run_id="parent")).reason == "only that"
    assert (parent.statistics().completed, child.statistics().interrupted) == (1, 1)


async def test_polling_the_manager_that_is_injected_makes_no_second_interrupt(system, store):
    """Promise 3: the push and the poll are one interrupt, and leave nothing registered."""
    actor = Doer()
    ref = await system.spawn(actor, cancellation=store.manager)
    poller = Poller(store.manager)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, poller, run_id="run")
        await poller.began.wait()
        assert store.cancel("run", reason="once") == "registered"
        interruption = await call.result()
    assert (interruption.source, interruption.reason) == ("manager", "once")
    assert actor.handled == [interruption]
    assert await ref.ask("next", run_id="run") == "next"
    assert len(actor.handled) == 1


async def test_in_a_protected_section_the_poll_is_the_one_that_ends_it(system, memory):
    """Promise 6, R45: the push is deferred, but an error that leaves the section by itself has left it."""
    actor, poller = Doer(), Poller(memory.manager)

    async def protected(actor):
        async with actor.context.protect():
            await poller(actor)

    ref = await system.spawn(actor, cancellation=memory.manager)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, protected, run_id="run")
        await poller.began.wait()
        assert memory.cancel("run", reason="once") == "registered"
        assert (await call.result()).reason == "once"
    assert len(actor.handled) == 1
    assert await ref.ask("next") == "next"


async def test_agnos_name_for_the_error_and_one_raised_by_hand_count_too(system):
    """Promise 6: what counts is the run id, not who has raised it."""

    class TheirOwn(RunCancelledException):
        """As an application may have it."""

    async def raises(actor):
        raise TheirOwn(actor.context.run.id, reason="by hand")

    ref = await system.spawn(Doer())
    assert RunCancelledException is RunCancelledError
    interruption = await ref.ask(raises)
    assert (interruption.source, interruption.reason) == ("manager", "by hand")


async def test_an_interrupt_that_came_first_keeps_its_words(system):
    """Promise 3: the error joins it."""

    async def raises(actor):
        try:
            hang.began.set()
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            raise RunCancelledError(actor.context.run.id, reason="second") from None

    actor, hang = Doer(), Hang()
    ref = await system.spawn(actor)
    run = await ref.request(raises)
    await hang.began.wait()
    assert (await run.interrupt("first", by="anna")).outcome == "interrupted"
    assert [(i.source, i.reason, i.by) for i in actor.handled] == [("caller", "first", "anna")]


async def test_a_handler_that_raises_it_has_failed(system):
    """Promise 6 speaks of the reply; in handle_interrupt it would be an interrupt of an interrupt."""

    class Raises(Doer):
        async def handle_interrupt(self, message, interruption, /):
            raise RunCancelledError(interruption.run_id)

    ref, hang = await system.spawn(Raises()), Hang()
    run = await ref.request(hang)
    await hang.began.wait()
    assert (await run.interrupt()).outcome == "failed"
    with pytest.raises(RunCancelledError):
        await run


async def test_what_the_reply_had_requested_is_interrupted_with_it(system):
    """R10: as with any other interrupt; a run is interrupted with the run in which it was requested."""
    below, hang = Doer(), Hang()
    child, parent = await system.spawn(below), await system.spawn(Doer())

    async def requests_and_raises(actor):
        await child.request(hang)
        await hang.began.wait()
        raise RunCancelledError(actor.context.run.id, reason="all of it", by="anna")

    assert (await parent.ask(requests_and_raises)).reason == "all of it"
    await quiet()
    assert hang.cut
    assert [(i.source, i.reason, i.by) for i in below.handled] == [("ancestor", "all of it", "anna")]
