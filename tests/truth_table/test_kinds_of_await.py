"""What a reply may be awaiting when it is interrupted: everything of anyio's. (R1, P3; truth table, first part.)"""

import anyio
import pytest


async def sleep(actor):
    actor.about_to_wait()
    await anyio.sleep_forever()


async def event(actor):
    actor.about_to_wait()
    await anyio.Event().wait()


async def empty_stream(actor):
    sending, receiving = anyio.create_memory_object_stream(0)
    with sending, receiving:
        actor.about_to_wait()
        await receiving.receive()


async def full_stream(actor):
    sending, receiving = anyio.create_memory_object_stream(0)
    with sending, receiving:
        actor.about_to_wait()
        await sending.send("item")


async def lock(actor):
    held = anyio.Lock()

    async def hold(*, task_status):
        async with held:
            task_status.started()
            await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        await group.start(hold)
        actor.about_to_wait()
        await held.acquire()


async def semaphore(actor):
    actor.about_to_wait()
    await anyio.Semaphore(0).acquire()


async def condition(actor):
    changed = anyio.Condition()
    async with changed:
        actor.about_to_wait()
        await changed.wait()


async def nested_move_on_after(actor):
    with anyio.move_on_after(60):
        actor.about_to_wait()
        await anyio.sleep_forever()


async def nested_fail_after(actor):
    with anyio.fail_after(60):
        actor.about_to_wait()
        await anyio.sleep_forever()


async def nested_scope_that_was_cancelled(actor):
    with anyio.CancelScope() as inner:
        inner.cancel()
        await anyio.sleep_forever()
    actor.about_to_wait()
    await anyio.sleep_forever()


@pytest.mark.parametrize(
    "kind",
    [
        sleep,
        event,
        empty_stream,
        full_stream,
        lock,
        semaphore,
        condition,
        nested_move_on_after,
        nested_fail_after,
        nested_scope_that_was_cancelled,
    ],
)
async def test_a_reply_that_awaits_something_of_anyios_is_interrupted_at_once(kind, stage, reached):
    """R1; row `anyio.sleep`, Event, stream, Lock, nested move_on_after / fail_after: caught, and no TimeoutError."""
    async with stage() as scene:
        run = await scene.begin(kind)
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "interrupted")
        reached()


async def test_the_children_of_a_nested_task_group_end_before_the_interrupt_is_handled(stage, reached):
    """R1, R10; row nested TaskGroup: caught, children cancelled first."""
    order = []

    async def child():
        try:
            await anyio.sleep_forever()
        finally:
            order.append("child")

    async def handled():
        order.append("handled")

    async def script(actor):
        async with anyio.create_task_group() as group:
            group.start_soon(child)
            group.start_soon(child)
            await anyio.wait_all_tasks_blocked()
            actor.about_to_wait()
            try:
                await anyio.sleep_forever()
            finally:
                order.append("reply")

    async with stage() as scene:
        run = await scene.begin(script)
        scene.actor.before_answering = handled
        receipt = await scene.interrupt()
        assert sorted(order[:3]) == ["child", "child", "reply"]
        assert order[3:] == ["handled"]
        await scene.ended(run, receipt, "interrupted")
        reached()


async def test_an_item_handed_over_in_the_tick_of_the_interrupt_is_not_lost(stage, reached):
    """P3; row memory stream item handed over, here with our scope's cancellation: it is kept, the reply gets it."""
    sending, receiving = anyio.create_memory_object_stream(1)

    async def script(actor):
        actor.about_to_wait()
        return await receiving.receive()

    async with stage() as scene, sending, receiving:
        run = await scene.begin(script)
        sending.send_nowait("item")
        receipt = await scene.interrupt()
        await scene.ended(run, receipt, "completed", value="item")
        reached()


async def test_an_item_sent_after_the_interrupt_in_the_same_tick_waits_for_the_next_reply(stage, reached):
    """R2; row memory stream item handed over, the other order: a receiver that is being cancelled gets nothing."""
    sending, receiving = anyio.create_memory_object_stream(1)

    async def script(actor):
        actor.about_to_wait()
        return await receiving.receive()

    async with stage() as scene, sending, receiving:
        run = await scene.begin(script)
        assert scene.ref.interrupt_nowait("stop", by="anna")
        sending.send_nowait("item")
        receipt = await run.interrupt("stop", by="anna")
        await scene.ended(run, receipt, "interrupted")
        assert await scene.ref.ask(lambda actor: receiving.receive()) == "item"
        reached()
