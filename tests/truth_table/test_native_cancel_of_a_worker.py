"""`Task.cancel()` of the task in which a reply happens to run, by whoever got hold of it.

It never leaves that task: with our interrupt pending the run is interrupted, otherwise its asker gets `ReplyCancelled`, and no
other actor notices (P5). (R4, R5, P18; truth table, third part; of asyncio only.)
"""

import asyncio

import anyio
import anyio.lowlevel
import pytest

from actors import Interrupted, ReplyCancelled
from tests.truth_table._replies import Scripted, exists_on_asyncio_only, healthy, turns

pytestmark = exists_on_asyncio_only


class Sleeper:
    """A script that keeps hold of the task it runs in."""

    def __init__(self):
        self.task = None

    async def __call__(self, actor):
        self.task = asyncio.current_task()
        actor.about_to_wait()
        await anyio.sleep_forever()


class SleeperWithATimeout(Sleeper):
    async def __call__(self, actor):
        async with asyncio.timeout(60):
            await super().__call__(actor)


class SleeperInAScope(Sleeper):
    async def __call__(self, actor):
        with anyio.CancelScope():
            await super().__call__(actor)


class SleeperInATaskGroup(Sleeper):
    async def __call__(self, actor):
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            await super().__call__(actor)


class SleeperInANativeTaskGroup(Sleeper):
    async def __call__(self, actor):
        async with asyncio.TaskGroup() as group:
            group.create_task(anyio.sleep_forever())
            await super().__call__(actor)


every_sleeper = pytest.mark.parametrize(
    "sleeper", [Sleeper, SleeperWithATimeout, SleeperInAScope, SleeperInATaskGroup, SleeperInANativeTaskGroup]
)


@every_sleeper
async def test_without_an_interrupt_the_asker_gets_reply_cancelled(sleeper, stage, reached):
    """R4, P5; row native `task.cancel()` only, of the worker."""
    script = sleeper()
    async with stage() as scene:
        run = await scene.begin(script)
        assert script.task.cancel()
        await scene.ended(run, None, "failed", error=ReplyCancelled)
        reached()


@every_sleeper
@pytest.mark.parametrize("first", ["native", "interrupt"])
async def test_in_the_tick_of_an_interrupt_the_run_is_interrupted(first, sleeper, stage, reached):
    """P5; row native `task.cancel()` in the same tick as the interrupt, either order."""
    script = sleeper()
    async with stage() as scene:
        run = await scene.begin(script)
        if first == "native":
            script.task.cancel()
        assert scene.ref.interrupt_nowait("stop", by="anna")
        if first == "interrupt":
            script.task.cancel()
        receipt = await run.interrupt("stop", by="anna")
        await scene.ended(run, receipt, "interrupted")
        reached()


@pytest.mark.parametrize("earlier", [1, 2, 3, 4])
async def test_some_turns_before_an_interrupt_it_is_either_but_settled_once(earlier, stage, reached):
    """P5, P8; row native `task.cancel()` 1 tick before: the reply has ended by then, and the interrupt finds nothing."""
    script = Sleeper()
    async with stage() as scene:
        run = await scene.begin(script)
        script.task.cancel()
        await turns(earlier)
        receipt = await run.interrupt("stop", by="anna")
        assert receipt.outcome in {"finished", "failed"}
        assert not receipt
        await scene.ended(run, None, "failed", error=ReplyCancelled)
        reached()


async def test_of_the_handler_gives_the_asker_interrupted_with_the_partial_reply(stage, reached):
    """P3, P5; row interrupt, then native cancel later: the interrupt is caught, the native one raises at the next await, which
    is one of the handler's."""
    tasks = []

    async def hold():
        tasks.append(asyncio.current_task())
        await anyio.sleep_forever()

    async with stage() as scene:
        scene.actor.before_answering = hold
        run = await scene.begin(Sleeper())
        assert scene.ref.interrupt_nowait("stop", by="anna")
        while not tasks:
            await anyio.lowlevel.checkpoint()
        tasks[0].cancel()
        with pytest.raises(Interrupted) as caught:
            await run
        assert (caught.value.partial, caught.value.reason, caught.value.by) == (("half",), "stop", "anna")
        assert (run.status, len(scene.actor.handled)) == ("interrupted", 1)
        await scene.unharmed(interrupted=1)
        reached()


@pytest.mark.parametrize("later", [0, 1, 2, 3])
async def test_of_a_task_whose_reply_is_over_reaches_no_reply_that_is_asked_for_in_the_same_tick(later, stage, reached):
    """P8, P18: an idle worker is cancelled before or after somebody has woken it: every message is answered all the same."""
    script = Sleeper()
    async with stage() as scene:
        run = await scene.begin(script)
        await scene.ref.interrupt()
        assert (await run).run_id == run.id
        others = [await scene.system.spawn(Scripted()) for _ in range(3)]
        await turns(later)
        before = [await ref.request(healthy) for ref in (scene.ref, *others)]
        script.task.cancel()
        behind = [await ref.request(healthy) for ref in (scene.ref, *others)]
        assert [await run for run in before + behind] == ["healthy"] * 8
        assert scene.ref.statistics().failed == 0
        reached()


async def test_of_all_workers_at_once_fails_each_reply_that_runs_and_nothing_that_waits(stage, reached):
    """R4, P5, P8: the same for many actors in one tick; each has another message in its mailbox."""
    async with stage() as scene:
        scripts = [Sleeper() for _ in range(20)]
        refs = [await scene.system.spawn(Scripted()) for _ in scripts]
        running = [await ref.request(script) for ref, script in zip(refs, scripts, strict=True)]
        waiting = [await ref.request(healthy) for ref in refs]
        while any(script.task is None for script in scripts):
            await anyio.lowlevel.checkpoint()
        for script in scripts:
            script.task.cancel()
        for run in running:
            with pytest.raises(ReplyCancelled):
                await run
        assert [await run for run in waiting] == ["healthy"] * 20
        await scene.unharmed()
        reached()


async def test_of_a_worker_whose_reply_asks_another_actor_interrupts_that_one(stage, reached):
    """P5, P7; row native `task.cancel()` of the asker, when the asker is a reply: below, the source is `asker_gone`."""
    script = Sleeper()
    task = None

    async def asking(actor):
        nonlocal task
        task = asyncio.current_task()
        await scene.ref.ask(script)

    async with stage() as scene:
        parent = await scene.system.spawn(Scripted())
        above = await parent.request(asking)
        await scene.actor.waiting.wait()
        await turns(5)
        below = scene.actor.run
        task.cancel()
        with pytest.raises(ReplyCancelled):
            await above
        assert (await below).source == "asker_gone"
        assert (above.status, below.status, len(scene.actor.handled)) == ("failed", "interrupted", 1)
        await scene.unharmed(interrupted=1)
        assert await parent.ask(healthy) == "healthy"
        reached()
