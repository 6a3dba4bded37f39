"""Promise 10, R17: what runs inside `commit()` completes, and the cancellation of the reply goes on after it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import anyio
import anyio.lowlevel
import pytest

from actors import ActorStopped
from tests._support import Call, Doer, Gate, quiet, turns

color: ContextVar[str] = ContextVar("color", default="none")


class Store:
    """A write that takes as long as one lets it."""

    def __init__(self) -> None:
        self.began, self.go_on = anyio.Event(), anyio.Event()
        self.saved: list[object] = []

    async def save(self, value: object) -> str:
        self.began.set()
        await self.go_on.wait()
        await turns(3)
        self.saved.append(value)
        return f"saved {value}"


def committing(store, after=None):
    """A message: commit, note what came of it, and go on with ``after``."""

    async def reply(actor):
        actor.log.append(await actor.context.commit(store.save, "state"))
        await (after() if after else anyio.lowlevel.checkpoint())
        actor.log.append("behind")
        return "replied"

    return reply


async def test_commit_gives_what_the_function_returned(system):
    actor = Doer()
    ref = await system.spawn(actor)
    store = Store()
    store.go_on.set()
    assert await ref.ask(committing(store)) == "replied"
    assert actor.log == ["saved state", "behind"]


async def test_a_commit_completes_under_an_interrupt_which_goes_on_behind_it(system):
    """R17."""
    actor = Doer()
    ref = await system.spawn(actor)
    store = Store()
    run = await ref.request(committing(store))
    await store.began.wait()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.interrupt, "enough")
        await quiet()
        assert not call.over
        assert ref.interrupt_nowait("again")
        store.go_on.set()
        assert (await call.result()).outcome == "interrupted"
    assert store.saved == ["state"]
    assert actor.log == ["saved state"]
    assert (await run).reason == "enough"


async def test_a_commit_in_a_finally_is_not_lost(system):
    """R17, P3: where a plain `await save()` would be cancelled again."""
    actor = Doer()
    ref = await system.spawn(actor)
    store, began = Store(), anyio.Event()
    store.go_on.set()

    async def reply(actor):
        try:
            began.set()
            await anyio.sleep_forever()
        finally:
            await actor.context.commit(store.save, "cleaned up")

    run = await ref.request(reply)
    await began.wait()
    assert (await ref.interrupt("enough")).outcome == "interrupted"
    assert store.saved == ["cleaned up"]
    assert (await run).reason == "enough"


async def test_a_commit_completes_under_a_scope_of_the_reply(system):
    """R17: a timeout around it waits, and then is one."""
    ref = await system.spawn(Doer())
    store = Store()

    async def reply(actor):
        with anyio.move_on_after(0.001) as scope:
            await committing(store)(actor)
        return scope.cancelled_caught

    run = await ref.request(reply)
    await store.began.wait()
    await anyio.sleep(0.005)
    store.go_on.set()
    assert await run is True
    assert store.saved == ["state"]


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_commit_completes_under_native_cancels_which_go_on_behind_it(system, anyio_backend, times):
    """R17: of a task of the reply, however often it comes."""
    if anyio_backend[0] != "asyncio":
        pytest.skip("trio has no native cancel")
    actor = Doer()
    ref = await system.spawn(actor)
    store = Store()

    async def reply(actor):
        task = asyncio.create_task(committing(store)(actor))
        await store.began.wait()
        for _ in range(times):
            task.cancel("natively")
            await turns(3)
            assert not task.done()
        store.go_on.set()
        with pytest.raises(asyncio.CancelledError, match="natively"):
            await task
        return task.cancelled(), task.cancelling()

    assert await ref.ask(reply) == (True, times)
    assert store.saved == ["state"]
    assert actor.log == []


async def test_a_commit_completes_under_a_native_cancel_and_an_interrupt_together(system, anyio_backend):
    """R17."""
    if anyio_backend[0] != "asyncio":
        pytest.skip("trio has no native cancel")
    actor = Doer()
    ref = await system.spawn(actor)
    store, tasks = Store(), []

    async def reply(actor):
        tasks.append(asyncio.current_task())
        await committing(store)(actor)

    run = await ref.request(reply)
    await store.began.wait()
    assert ref.interrupt_nowait("enough")
    tasks.pop().cancel()
    await quiet()
    store.go_on.set()
    assert (await run).reason == "enough"
    assert store.saved == ["state"]
    assert await ref.ask("alive") == "alive"


async def test_an_error_in_a_commit_reaches_the_caller(system):
    """Promise 10: also under an interrupt; then the reply has failed."""
    actor = Doer()
    ref = await system.spawn(actor)
    began, go_on = anyio.Event(), anyio.Event()

    async def fail():
        began.set()
        await go_on.wait()
        raise ZeroDivisionError

    async def catches(actor):
        try:
            await actor.context.commit(fail)
        except ZeroDivisionError:
            actor.log.append("caught")
        await anyio.lowlevel.checkpoint()
        return "replied"

    go_on.set()
    assert await ref.ask(catches) == "replied"
    began, go_on = anyio.Event(), anyio.Event()
    run = await ref.request(catches)
    await began.wait()
    assert ref.interrupt_nowait("enough")
    await quiet()
    go_on.set()
    assert (await run).reason == "enough"
    assert actor.log == ["caught", "caught"]


async def test_a_commit_completes_while_its_asker_leaves(system):
    """R17."""
    actor = Doer()
    ref = await system.spawn(actor)
    store = Store()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, committing(store))
        await store.began.wait()
        call.scope.cancel()
        assert await call.ended() == "cancelled"
    store.go_on.set()
    assert await ref.ask("next") == "next"
    assert store.saved == ["state"]
    assert [i.source for i in actor.handled] == ["asker_gone"]


@pytest.mark.parametrize("drain", [True, False])
async def test_a_commit_completes_while_its_actor_is_stopped(system, drain):
    """R17."""
    actor = Doer()
    ref = await system.spawn(actor)
    store = Store()
    run = await ref.request(committing(store))
    await store.began.wait()
    async with anyio.create_task_group() as group:
        stop = Call(group, ref.stop, drain=drain)
        await quiet()
        assert not stop.over
        store.go_on.set()
        assert await stop.ended() == "returned"
    assert store.saved == ["state"]
    assert run.status == ("completed" if drain else "interrupted")


async def test_a_commit_completes_while_the_system_ends(new_system):
    """Promise 10: within the drain time; by a cancellation from outside, which goes on behind it."""
    actor, store = Doer(), Store()
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            async with new_system() as system:
                ref = await system.spawn(actor)
                await ref.request(committing(store))
                await store.began.wait()
                group.start_soon(_open_later, store)
                scope.cancel()
        assert scope.cancelled_caught
        assert store.saved == ["state"]
    assert actor.log == ["saved state"]
    assert actor.handled == []


async def _open_later(store):
    await turns(20)
    store.go_on.set()


async def test_kill_cuts_a_commit(system):
    """Promise 10: the one thing a user can do against a write that does not end."""
    actor = Doer()
    ref = await system.spawn(actor)
    store = Store()
    run = await ref.request(committing(store))
    await store.began.wait()
    await ref.kill()
    assert store.saved == []
    assert actor.log == []
    with pytest.raises(ActorStopped):
        await run


@pytest.mark.parametrize("how", ["regularly", "by a cancellation", "by an error"])
async def test_the_end_of_the_drain_time_cuts_a_commit(new_system, how):
    """Promise 10, promise 19: a write that does not end keeps no system open."""
    actor, store = Doer(), Store()

    async def give_up():  # so that the test fails rather than hangs
        await anyio.sleep(0.5)
        store.go_on.set()

    async with anyio.create_task_group() as group:
        group.start_soon(give_up)
        with pytest.raises(ZeroDivisionError) if how == "by an error" else anyio.CancelScope() as scope:
            async with new_system(drain_timeout=0.02) as system:
                ref = await system.spawn(actor)
                await ref.request(committing(store))
                await store.began.wait()
                if how == "by an error":
                    raise ZeroDivisionError
                if how == "by a cancellation":
                    scope.cancel()
        assert store.saved == []
        group.cancel_scope.cancel()


async def test_a_commit_sees_the_context_variables_of_its_caller(system):
    """Promise 13."""
    ref = await system.spawn(Doer())

    async def look():
        return color.get()

    async def reply(actor):
        color.set("green")
        return await actor.context.commit(look)

    assert await ref.ask(reply) == "green"


async def test_what_a_commit_requests_is_not_interrupted_with_the_run(system):
    """Promise 10: an ask inside it completes as well."""
    above_actor, below_actor, other_actor = Doer(), Doer(), Doer()
    above, below, other = [await system.spawn(actor) for actor in (above_actor, below_actor, other_actor)]
    gate, asked, kept = Gate("asked"), Gate("requested"), []

    async def write():
        kept.append(await other.request(asked))
        await asked.began.wait()
        kept.append(await below.ask(gate))

    async def reply(actor):
        await actor.context.commit(write)
        await anyio.sleep_forever()

    run = await above.request(reply)
    await gate.began.wait()
    assert above.interrupt_nowait("enough")
    await quiet()
    gate.open()
    assert (await run).reason == "enough"
    asked.open()
    assert await kept[0] == "requested"
    assert kept[1] == "asked"
    assert below_actor.handled == other_actor.handled == []


async def test_handle_interrupt_and_the_hooks_can_commit(system):
    """R17: not only replies."""
    store = Store()
    store.go_on.set()

    class Keeper(Doer):
        async def on_start(self):
            await self.context.commit(store.save, "started")

        async def on_stop(self):
            await self.context.commit(store.save, "stopped")

        async def handle_interrupt(self, message, interruption, /):
            return await self.context.commit(store.save, "interrupted")

    ref = await system.spawn(Keeper())
    gate = Gate()
    run = await ref.request(gate)
    await gate.began.wait()
    assert (await run.interrupt()).outcome == "interrupted"
    assert await run == "saved interrupted"
    await ref.stop()
    assert store.saved == ["started", "interrupted", "stopped"]


async def test_two_commits_at_a_time_both_complete(system):
    """R17: started in tasks of one reply."""
    actor = Doer()
    ref = await system.spawn(actor)
    store = Store()

    async def reply(actor):
        async with anyio.create_task_group() as group:
            group.start_soon(actor.context.commit, store.save, "one")
            group.start_soon(actor.context.commit, store.save, "other")
        await anyio.lowlevel.checkpoint()

    run = await ref.request(reply)
    await store.began.wait()
    await quiet()
    assert ref.interrupt_nowait("enough")
    await quiet()
    store.go_on.set()
    assert (await run).reason == "enough"
    assert sorted(store.saved) == ["one", "other"]
