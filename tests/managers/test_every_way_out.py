"""R25: however a run ends, it is registered until then, and no longer registered when its asker is told."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import attrs
import pytest

from actors import (
    ActorStopped,
    AskTimeout,
    Interrupted,
    Interruption,
    MessageWithdrawn,
    ReplyCancelled,
    ReplyStuckError,
)
from tests._support import Call, Doer, Hang, Mute, quiet, turns
from tests.managers._doubles import NATIVE, leave


class Fails(Doer):
    """Its handle_interrupt fails."""

    async def handle_interrupt(self, message, interruption, /):
        raise ZeroDivisionError


@attrs.define
class Way:
    """One way out of a run.

    Args:
        outcome: the type of what the asker gets; None: there is no asker any more.
        reply: what the reply does.
        act: what is done once the reply has begun, with the system, the ref, and the call that asks.
        actor: makes the actor.
        timeout: the ask's own.
    """

    outcome: type | None
    reply: object
    act: object = None
    actor: type = Doer
    timeout: float | None = None


async def replies(_actor):
    return "a reply"


async def fails(_actor):
    raise ZeroDivisionError


async def fails_with_a_group(_actor):
    async with anyio.create_task_group() as group:
        group.start_soon(fails, None)


async def hangs(_actor):
    await anyio.sleep_forever()


async def interrupt(_system, ref, _call, _store):
    assert ref.interrupt_nowait("by hand")


async def cancel(_system, _ref, _call, store):
    assert store.cancel("run") == "registered"


async def go_away(_system, _ref, call, _store):
    call.scope.cancel()


async def stop(_system, ref, _call, _store):
    await ref.stop(drain=False)


async def kill(_system, ref, _call, _store):
    await ref.kill()


async def nothing(_system, _ref, _call, _store):
    pass


WAYS = {
    "completed": Way(str, replies),
    "failed": Way(ZeroDivisionError, fails),
    "failed with a group": Way(ExceptionGroup, fails_with_a_group),
    "interrupted": Way(Interruption, hangs, interrupt),
    "cancelled": Way(Interruption, hangs, cancel),
    "interrupted without a reply to that": Way(Interrupted, hangs, interrupt, Mute),
    "cancelled without a reply to that": Way(Interrupted, hangs, cancel, Mute),
    "its handler failed": Way(ZeroDivisionError, hangs, interrupt, Fails),
    "its handler failed after a cancel": Way(ZeroDivisionError, hangs, cancel, Fails),
    "its asker left": Way(None, hangs, go_away),
    "its asker left and its handler failed": Way(None, hangs, go_away, Fails),
    "its asker had no more time": Way(AskTimeout, hangs, nothing, timeout=0.4),
    "stopped": Way(Interruption, hangs, stop),
    "killed": Way(ActorStopped, hangs, kill),
    "killed without a reply to interrupts": Way(ActorStopped, hangs, kill, Mute),
}


class Began:
    """A message whose reply first looks into the store, and tells that it has begun."""

    def __init__(self, store, reply):
        self.store, self.reply = store, reply
        self.began = anyio.Event()
        self.registered = None

    async def __call__(self, actor):
        self.registered = self.store.active()
        self.began.set()
        return await self.reply(actor)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_its_registration_is_undone(system, store, way):
    """R25: before the asker is told, so that whoever looks then finds nothing."""
    ref = await system.spawn(way.actor(), cancellation=store.manager)
    message = Began(store, way.reply)
    looked = []

    async def ask():
        try:
            return await ref.ask(message, run_id="run", timeout=way.timeout)
        finally:
            looked.append(store.active())

    async with anyio.create_task_group() as group:
        call = Call(group, ask)
        await message.began.wait()
        if way.act is not None:
            await way.act(system, ref, call, store)
        how = await call.ended()
    assert message.registered == {"run": False}
    if way.outcome is None:
        assert how == "cancelled"
    else:
        assert isinstance(call.value, way.outcome), call.value
    if way.outcome not in (None, AskTimeout):  # these do not wait for the reply to end
        assert looked == [{}]
    if system.find(ref.path) is not None:
        assert await ref.ask("next") == "next"
    assert store.active() == {}


async def test_for_whoever_awaits_the_run_and_for_nobody_at_all(system, store):
    """R25: a request, a detached ask whose asker is gone, and a tell are registered, and cleaned up, as an ask is."""
    ref = await system.spawn(Doer(), cancellation=store.manager)
    messages = [Began(store, replies) for _ in range(3)]
    run = await ref.request(messages[0], run_id="requested")
    assert await run == "a reply"
    assert store.active() == {}
    with anyio.CancelScope() as scope:
        scope.cancel()
        await ref.ask(messages[1], run_id="detached", detach=True)
    await ref.tell(messages[2])
    await messages[2].began.wait()
    assert await ref.ask("last") == "last"
    assert messages[0].registered == {"requested": False}
    assert messages[1].registered == {"detached": False}
    assert list(messages[2].registered.values()) == [False]
    assert store.active() == {}


async def test_a_reply_that_refuses_to_end_is_registered_until_its_actor_is_stopped_without_it(system, store):
    """R25, promise 11: it still runs, so it is active; its asker is told when the actor has given it up."""
    let_go = anyio.Event()

    async def refuses(_actor):
        while not let_go.is_set():
            try:
                await let_go.wait()
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await anyio.lowlevel.checkpoint()

    ref = await system.spawn(Doer(), cancellation=store.manager)
    message = Began(store, refuses)
    looked = []

    async def ask():
        try:
            await ref.ask(message, run_id="run")
        finally:
            looked.append(store.active())

    try:
        async with anyio.create_task_group() as group:
            call = Call(group, ask)
            await message.began.wait()
            assert (await ref.interrupt(grace=0.01)).outcome == "stuck"
            assert list(store.active()) == ["run"]
            await ref.stop()
            assert await call.ended() == "raised"
        assert isinstance(call.value, ReplyStuckError)
        assert looked == [{}]
    finally:
        let_go.set()
    assert store.active() == {}


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_message_that_never_becomes_a_reply_is_never_registered(system, store, cancelled):
    """R25: withdrawn, refused or left in the mailbox, there is nothing to undo, and no tombstone that would say otherwise."""
    actor, hang = Doer(), Hang()
    ref = await system.spawn(actor, cancellation=store.manager)
    await ref.request(hang, run_id="current")
    await hang.began.wait()
    queued = [await ref.request("never", run_id=run_id) for run_id in ("withdrawn", "refused")]
    async with anyio.create_task_group() as group:
        left = Call(group, ref.ask, "never", run_id="left")
        await quiet()
        if cancelled:
            assert [store.cancel(run_id) for run_id in ("withdrawn", "refused", "left")] == ["stored"] * 3
        left.scope.cancel()
    ref.withdraw("withdrawn")
    assert store.active() == {"current": False}
    await ref.stop(drain=False)
    assert [run.status for run in queued] == ["stopped", "stopped"]
    for run, error in zip(queued, (MessageWithdrawn, ActorStopped), strict=True):
        with pytest.raises(error):
            await run
    assert store.cancel("refused") == "stored"
    assert store.cancel("current") == "finished"
    assert store.active() == {}
    assert len(actor.handled) == 1


@pytest.mark.parametrize("anyio_backend", NATIVE)
async def test_a_native_cancel_of_the_worker_undoes_it(system, store):
    """R25, promise 5: on the exit path that nobody expects."""
    tasks = []

    async def shows_its_task(_actor):
        tasks.append(asyncio.current_task())
        await anyio.sleep_forever()

    ref = await system.spawn(Doer(), cancellation=store.manager)
    message = Began(store, shows_its_task)
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, message, run_id="run")
        await message.began.wait()
        tasks[0].cancel()
        assert await call.ended() == "raised"
    assert isinstance(call.value, ReplyCancelled)
    assert message.registered == {"run": False}
    assert store.active() == {}
    assert await ref.ask("next") == "next"


@pytest.mark.parametrize("turns_between", range(6))
async def test_an_interrupt_with_a_cancellation_around_the_system_on_its_heels_undoes_it(
    new_system, store, turns_between
):
    """R25, promise 5: also between two steps of the run, when its reply has been cut and its handler has not begun."""
    hang = Hang()
    with anyio.CancelScope() as scope:
        async with new_system() as system:
            ref = await system.spawn(Doer(), cancellation=store.manager)
            run = await ref.request(hang, run_id="run")
            await hang.began.wait()
            assert ref.interrupt_nowait("by hand")
            await turns(turns_between)
            scope.cancel()
    assert store.active() == {}
    assert run.status in ("interrupted", "stopped")
    assert store.cancel("run") == "finished"


@pytest.mark.parametrize("leaving", ["by its end", "by an exception", "by a cancellation"])
async def test_leaving_the_system_undoes_what_is_left(new_system, store, leaving):
    """R25, promise 19: also with several actors, some of whose replies are in the middle of something."""
    hangs = [Hang() for _ in range(3)]
    runs, queued = [], []

    async def use():
        with anyio.CancelScope() as scope:
            async with new_system(drain_timeout=0.01) as system:
                for number, hang in enumerate(hangs):
                    ref = await system.spawn(Doer(), cancellation=store.manager)
                    runs.append(await ref.request(hang, run_id=f"run-{number}"))
                    queued.append(await ref.request("queued", run_id=f"queued-{number}"))
                    await hang.began.wait()
                assert store.active() == {f"run-{number}": False for number in range(3)}
                leave(leaving, scope)

    async with anyio.create_task_group() as group:
        call = Call(group, use)
        assert await call.ended() == ("raised" if leaving == "by an exception" else "returned")
    assert store.active() == {}
    assert {run.status for run in runs} == {"interrupted" if leaving == "by its end" else "stopped"}
    assert {run.status for run in queued} <= {"completed", "interrupted", "stopped"}  # a turn may just have begun
    assert all(hang.cut for hang in hangs)
    assert [store.cancel(f"run-{number}") for number in range(3)] == ["finished"] * 3
