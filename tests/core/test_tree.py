"""Promise 7: runs form a tree of asks and requests, and an interrupt runs down it by itself."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from actors import AskCycleError, Interrupted, Mailbox
from tests._support import Call, Doer, Gate, Hang, Mute, ask_until_too_late, expire, quiet


def ask(ref, message, **options):
    """A message: ask somebody else."""

    async def asks(_actor):
        return await ref.ask(message, **options)

    return asks


def request(ref, message, kept, **options):
    """A message: request something of somebody else, and hang."""

    async def requests(_actor):
        kept.append(await ref.request(message, **options))
        await anyio.sleep_forever()

    return requests


async def chain(system, length):
    """Actors that can ask each other in a row, the last one first."""
    actors = [Doer() for _ in range(length)]
    return actors, [await system.spawn(actor) for actor in actors]


async def test_an_interrupt_runs_down_a_chain_of_asks(system):
    """R10: below, the source is `ancestor`, with the first reason."""
    actors, (top, middle, bottom) = await chain(system, 3)
    hang = Hang()
    run = await top.request(ask(middle, ask(bottom, hang)))
    await hang.began.wait()
    receipt = await run.interrupt("enough", by="anna")
    assert hang.cut
    assert receipt.outcome == "interrupted"
    told = [[(i.source, i.reason, i.by) for i in actor.handled] for actor in actors]
    assert told == [[("caller", "enough", "anna")], *[[("ancestor", "enough", "anna")]] * 2]
    assert await run is actors[0].handled[0]


async def test_the_receipt_waits_for_the_whole_subtree(system):
    """R29, R41: and has the receipts of those below."""
    actors, (top, middle, bottom) = await chain(system, 3)
    gate = Gate(shielded=True)
    run = await top.request(ask(middle, ask(bottom, gate)))
    await gate.began.wait()
    async with anyio.create_task_group() as group:
        call = Call(group, run.interrupt, "enough")
        await quiet()
        assert run.settled
        assert not call.over
        gate.open()
        receipt = await call.result()
    (below,) = receipt.children
    (lowest,) = below.children
    assert [receipt.outcome, below.outcome, lowest.outcome] == ["interrupted", "interrupted", "completed"]
    assert below.run_id == actors[1].handled[0].run_id
    assert lowest.children == ()
    assert actors[2].handled == []


async def test_a_receipt_is_no_success_while_anything_below_still_runs(system):
    """R29: it says which, and where that hangs."""
    _, (top, bottom) = await chain(system, 2)
    gate = Gate(shielded=True)
    run = await top.request(ask(bottom, gate))
    await gate.began.wait()
    receipt = await run.interrupt("enough", grace=0.01)
    assert receipt.outcome == "stuck"
    assert not receipt
    assert [child.outcome for child in receipt.children] == ["stuck"]
    assert "_support.py" in receipt.where
    assert run.status == "interrupted"
    gate.open()
    assert await bottom.ask("alive") == "alive"


async def test_what_was_requested_is_interrupted_with_the_run_that_requested_it(system):
    """R10: running or queued, and all of it."""
    actors, (top, one, other) = await chain(system, 3)
    hang, never, kept = Hang(), Hang(), []

    async def several(_actor):
        kept.extend([await one.request(hang), await one.request(never), await other.request(Gate())])
        await anyio.sleep_forever()

    run = await top.request(several)
    await hang.began.wait()
    await quiet()
    receipt = await run.interrupt("enough")
    assert [child.outcome for child in receipt.children] == ["interrupted"] * 3
    assert {child.run_id for child in receipt.children} == {child.id for child in kept}
    assert [(i.source, i.reason, i.started) for i in actors[1].handled] == [
        ("ancestor", "enough", True),
        ("ancestor", "enough", False),
    ]
    assert [(i.source, i.started) for i in actors[2].handled] == [("ancestor", True)]
    assert not never.began.is_set()
    assert [child.status for child in kept] == ["interrupted"] * 3


async def test_a_run_that_is_being_interrupted_starts_nothing_new(system):
    """R10, R11: a child that would register a moment later never begins."""
    actors, (top, bottom) = await chain(system, 2)
    began = anyio.Event()
    tried = []

    async def tries_again(actor):
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            for send in (bottom.ask, bottom.request):
                try:
                    await send(Hang())
                except anyio.get_cancelled_exc_class():
                    tried.append(send)

    run = await top.request(tries_again)
    await began.wait()
    receipt = await run.interrupt("enough")
    assert (receipt.outcome, receipt.children) == ("interrupted", ())
    assert len(tried) == 2
    assert bottom.statistics().state == "idle"
    assert actors[1].handled == []


async def test_a_child_whose_send_waited_for_room_goes_with_its_parent(system):
    """R10, promise 9."""
    top, actor = await system.spawn(Doer()), Doer()
    narrow = await system.spawn(actor, mailbox=Mailbox(capacity=1))
    gate, kept = Gate(), []
    first = await narrow.request(gate)
    await gate.began.wait()
    queued = await narrow.request("queued")
    asking = await top.request(ask(narrow, "blocked"))
    await quiet()
    assert (await asking.interrupt("enough")).outcome == "interrupted"
    assert actor.handled == []
    requesting = await top.request(request(narrow, "blocked", kept))
    await quiet()
    receipt = await requesting.interrupt("enough", grace=0.01)
    assert [receipt.outcome, *(child.outcome for child in receipt.children)] == ["deferred", "deferred"]
    gate.open()
    assert [await first, await queued, await narrow.ask("last")] == ["opened", "queued", "last"]
    assert [run.status for run in (asking, requesting)] == ["interrupted"] * 2
    assert narrow.statistics().completed == 3
    assert [(i.source, i.started) for i in actor.handled] == [("ancestor", False)]


async def test_a_tell_is_never_part_of_the_tree(system):
    """Promise 7: told is told."""
    actors, (top, bottom) = await chain(system, 2)
    gate, queued = Gate(), Gate()

    async def tells(_actor):
        await bottom.tell(gate)
        bottom.tell_nowait(queued)
        await anyio.sleep_forever()

    run = await top.request(tells)
    await gate.began.wait()
    assert (await run.interrupt("enough")).children == ()
    gate.open()
    queued.open()
    await bottom.ask("last")
    assert actors[1].handled == []
    assert bottom.statistics().completed == 3


@pytest.mark.parametrize("form", ["ask", "request"])
async def test_what_is_detached_runs_on(system, form):
    """R14: nor does the receipt wait for it."""
    actors, (top, bottom) = await chain(system, 2)
    gate, kept = Gate(), []
    detached = ask(bottom, gate, detach=True) if form == "ask" else request(bottom, gate, kept, detach=True)
    run = await top.request(detached)
    await gate.began.wait()
    receipt = await run.interrupt("enough")
    assert (receipt.outcome, receipt.children) == ("interrupted", ())
    gate.open()
    assert await bottom.ask("last") == "last"
    assert (actors[1].handled, bottom.statistics().completed) == ([], 2)
    assert [await child for child in kept] == ["opened"] * len(kept)


async def test_a_request_whose_parent_ends_first_goes_on_as_a_root(system):
    """Promise 7."""
    actors, (top, bottom) = await chain(system, 2)
    gate, kept = Gate(), []

    async def leaves_something(_actor):
        kept.append(await bottom.request(gate))
        return "done"

    run = await top.request(leaves_something)
    assert await run == "done"
    await gate.began.wait()
    assert (await run.interrupt("late")).outcome == "finished"
    assert (await top.interrupt("late")).outcome == "idle"
    await quiet()
    assert kept[0].status == "running"
    gate.open()
    assert await kept[0] == "opened"
    assert actors[1].handled == []


async def test_what_handle_interrupt_leaves_goes_on_as_a_root_too(system):
    """Promise 7: and an interrupt of the run above, which is being handled, does not reach it."""
    bottom_actor = Doer()
    bottom = await system.spawn(bottom_actor)
    gate, hang, kept = Gate(), Hang(), []

    class Delegating(Doer):
        async def handle_interrupt(self, message, interruption, /):
            kept.append(await bottom.request(gate))
            return "delegated"

    top = await system.spawn(Delegating())
    run = await top.request(hang)
    await hang.began.wait()
    receipt = await run.interrupt("enough")
    assert (receipt.outcome, receipt.children) == ("interrupted", ())
    assert await run == "delegated"
    await gate.began.wait()
    gate.open()
    assert await kept[0] == "opened"
    assert bottom_actor.handled == []


async def test_interrupting_a_child_gives_the_parent_its_reply_and_the_parent_goes_on(system):
    """semantics.md, 4."""
    actors, (top, bottom) = await chain(system, 2)
    hang = Hang()

    async def asks_and_goes_on(_actor):
        answer = await bottom.ask(hang)
        await anyio.lowlevel.checkpoint()
        return f"it was stopped: {answer.reason}"

    run = await top.request(asks_and_goes_on)
    await hang.began.wait()
    assert (await bottom.interrupt("enough")).outcome == "interrupted"
    assert await run == "it was stopped: enough"
    assert (actors[0].handled, run.status) == ([], "completed")


async def test_a_child_that_has_no_reply_gives_the_parent_interrupted(system):
    """semantics.md, 4: which it can catch."""
    top, bottom = await system.spawn(Doer()), await system.spawn(Mute())
    hang = Hang()

    async def asks_and_catches(_actor):
        with pytest.raises(Interrupted) as caught:
            await bottom.ask(hang)
        await anyio.lowlevel.checkpoint()
        return caught.value.reason

    run = await top.request(asks_and_catches)
    await hang.began.wait()
    assert bottom.interrupt_nowait("enough")
    assert await run == "enough"


async def test_an_interrupt_runs_down_through_tasks_of_the_reply(system):
    """R10: asks in parallel, in a task group of the reply."""
    actors, (top, one, other) = await chain(system, 3)
    hangs = [Hang(), Hang()]

    async def both(_actor):
        async with anyio.create_task_group() as group:
            group.start_soon(one.ask, hangs[0])
            group.start_soon(other.ask, hangs[1])

    run = await top.request(both)
    for hang in hangs:
        await hang.began.wait()
    receipt = await run.interrupt("enough")
    assert [child.outcome for child in receipt.children] == ["interrupted"] * 2
    assert [[i.source for i in actor.handled] for actor in actors] == [["caller"], ["ancestor"], ["ancestor"]]


async def test_a_timeout_inside_the_reply_interrupts_only_what_it_is_around(system):
    """R1: source `asker_gone` or `deadline`; the run above goes on."""
    actors, (top, bottom) = await chain(system, 2)

    async def impatient(_actor):
        hang = Hang()
        async with anyio.create_task_group() as group:
            with anyio.move_on_after(60) as scope:
                group.start_soon(expire, scope, hang.began)
                await bottom.ask(hang)
        await ask_until_too_late(bottom)
        return await bottom.ask("hello")

    assert await top.ask(impatient) == "hello"
    assert actors[0].handled == []
    assert [i.source for i in actors[1].handled] == ["asker_gone", "deadline"]


async def test_an_asker_who_leaves_takes_the_whole_tree_along(system):
    """R10: the first reason is that the asker is gone."""
    actors, (top, middle, bottom) = await chain(system, 3)
    hang = Hang()
    async with anyio.create_task_group() as group:
        call = Call(group, top.ask, ask(middle, ask(bottom, hang)))
        await hang.began.wait()
        call.scope.cancel()
    for ref in (top, middle, bottom):
        assert await ref.ask("next") == "next"
    assert [[i.source for i in actor.handled] for actor in actors] == [["asker_gone"], ["ancestor"], ["ancestor"]]


async def test_waiting_for_somebody_elses_run_makes_it_no_part_of_the_tree(system):
    """Promise 7: a run belongs to the run in which it was requested, not to those who wait for it."""
    actors, (top, bottom) = await chain(system, 2)
    gate = Gate()
    shared = await bottom.request(gate)

    async def waits(_actor):
        return await shared

    run = await top.request(waits)
    await gate.began.wait()
    await quiet()
    assert (await run.interrupt("enough")).children == ()
    gate.open()
    assert await shared == "opened"
    assert actors[1].handled == []


async def test_the_tree_reaches_into_other_systems(new_system):
    """R10: of the same event loop; so does the graph of who waits for whom."""
    actor, hang = Doer(), Hang()
    async with new_system("one") as one, new_system("two") as two:
        top, bottom = await one.spawn(Doer()), await two.spawn(actor)
        run = await top.request(ask(bottom, hang))
        await hang.began.wait()
        receipt = await run.interrupt("enough")
        assert [child.outcome for child in receipt.children] == ["interrupted"]
        assert [(i.source, i.reason) for i in actor.handled] == [("ancestor", "enough")]
        with pytest.raises(AskCycleError):
            await top.ask(ask(bottom, ask(top, "hello")))


async def test_a_deep_tree_is_interrupted_as_a_whole(system):
    """R10: deeper than functions may call each other."""
    _, refs = await chain(system, 1200)
    hang = message = Hang()
    for ref in reversed(refs[1:]):
        message = ask(ref, message)
    run = await refs[0].request(message)
    await hang.began.wait()
    receipt = await run.interrupt("enough", grace=20)
    depth = 0
    while receipt.children:
        (receipt,) = receipt.children
        depth += 1
    assert (receipt.outcome, depth) == ("interrupted", 1199)


async def test_a_wide_tree_is_interrupted_as_a_whole(system):
    """R10, R29: 3 levels, 4 children each."""
    actors, refs = await chain(system, 21)
    began = [anyio.Event() for _ in range(16)]

    def node(number, level):
        async def work(_actor):
            if level == 2:
                began[number - 5].set()
                await anyio.sleep_forever()
            for child in range(number * 4 + 1, number * 4 + 5):
                await refs[child].request(node(child, level + 1))
            await anyio.sleep_forever()

        return work

    run = await refs[0].request(node(0, 0))
    for event in began:
        await event.wait()
    receipt = await run.interrupt("enough")
    assert receipt.outcome == "interrupted"
    assert [len(child.children) for child in receipt.children] == [4] * 4
    assert [len(actor.handled) for actor in actors] == [1] * 21
    assert {i.reason for actor in actors for i in actor.handled} == {"enough"}
