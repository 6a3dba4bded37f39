"""Parents and children: who ends first, what goes up, and what never does."""

from __future__ import annotations

import anyio
import pytest

from actors import ActorStopped, events, one_for_one
from tests._support import Hang, quiet
from tests.supervision._team import AT_ONCE, BrokenError, Maker, dead, fail, number, restarted


def family(log, **options):
    """A parent with two children, the second of which has two of its own."""
    grandchildren = [Maker(log, "x"), Maker(log, "y")]
    children = [Maker(log, "a"), Maker(log, "b", children=grandchildren), Maker(log, "c")]
    return Maker(log, "top", children=children, options=options)


DEATHS = ["top/c", "top/b/y", "top/b/x", "top/b", "top/a", "top"]


def deaths(told):
    return [event.path.removeprefix("system/") for event in told.pending() if isinstance(event, events.Stopped)]


@pytest.mark.parametrize("busy", ["idle", "first busy", "last busy", "all busy"])
@pytest.mark.parametrize("end", ["stop", "stop now", "kill", "crash", "restart"])
async def test_a_parent_that_ends_in_whatever_way_ends_its_children_first_in_reverse_start_order(system, end, busy):
    """R51. Also when some of them have to end a reply first. (Under `kill()` those of different parents do not wait.)"""
    policy = one_for_one("restart" if end == "restart" else "stop", backoff=AT_ONCE)
    ref = await family([], supervision=policy).spawn(system)
    names = {"idle": "", "first busy": "a", "last busy": "c", "all busy": "abc"}[busy]
    hangs = [Hang() for _ in names]
    with system.events(events.Stopped, capacity=100) as told:
        if end != "stop":  # which would wait for them
            for name, hang in zip(names, hangs, strict=True):
                await system.find(f"top/{name}").tell(hang)
                await hang.began.wait()
        match end:
            case "kill":
                await ref.kill()
            case "crash":
                await ref.tell(fail())
                await dead(ref)
            case "restart":
                await ref.tell(fail())
                await restarted(ref)
            case _:
                await ref.stop(drain=end == "stop")
        dead_in_order = deaths(told)
    expected = DEATHS[:-1] if end == "restart" else DEATHS
    if end == "kill":
        assert sorted(dead_in_order) == sorted(expected)
        for group in (["top/c", "top/b", "top/a", "top"], ["top/b/y", "top/b/x", "top/b"]):
            assert [path for path in dead_in_order if path in group] == group
    else:
        assert dead_in_order == expected


async def test_a_parent_that_is_killed_does_not_wait_with_its_children_for_a_reply_of_its_own(system):
    """Its reply waits for a child's end behind a shield: the child does not wait for its parent."""
    ref = await family([]).spawn(system)
    began = anyio.Event()

    async def wait_for_a(actor):
        with anyio.CancelScope(shield=True):
            began.set()
            await system.find("top/a").join()

    await ref.tell(wait_for_a)
    await began.wait()
    with anyio.fail_after(4):  # less than the grace
        await ref.kill()


async def test_a_child_that_stops_in_order_is_nothing_to_its_parent(system):
    """Normal stop never propagates upwards."""
    parent = family([], supervision=one_for_one(on_ask_error="restart"))
    ref = await parent.spawn(system)
    for child in ("a", "b", "c"):
        await system.find(f"top/{child}").stop()
    await quiet()
    assert await ref.ask(number) == 1
    assert ref.statistics().children == 0


@pytest.mark.parametrize("how", ["kill", "fails", "is given up"])
async def test_neither_is_one_that_ends_otherwise_unless_its_supervision_says_escalate(system, how):
    policy = one_for_one("stop") if how == "fails" else one_for_one(times=0)
    child = Maker(name="child", options={"supervision": policy})
    parent = Maker(name="parent", children=[child], options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await parent.spawn(system)
    child_ref = system.find("parent/child")
    if how == "kill":
        await child_ref.kill()
    else:
        await child_ref.tell(fail())
        await dead(child_ref)
    await quiet()
    assert parent.made == 1
    assert await ref.ask(number) == 1


@pytest.mark.parametrize("why", ["its directive", "it is given up"])
async def test_what_a_child_escalates_is_a_failure_of_its_parent(system, why):
    """The child ends, and the parent's own supervision decides by the same error."""
    policy = one_for_one("escalate") if why == "its directive" else one_for_one(times=0, on_give_up="escalate")
    log = []
    child = Maker(log, name="child", options={"supervision": policy})
    parent = Maker(log, name="parent", children=[child])
    parent.options = {"supervision": one_for_one({BrokenError: "restart", Exception: "stop"}, backoff=AT_ONCE)}
    ref = await parent.spawn(system)
    child_ref = system.find("parent/child")
    log.clear()
    await child_ref.tell(fail())
    await restarted(ref)
    assert log == [
        "child1 stops",
        "parent1 stops",
        "parent2 restarts: BrokenError('as told')",
        "parent2 starts",
        "child2 starts",
    ]
    assert child_ref.statistics().state == "dead"


async def test_a_parent_may_go_on_without_the_child(system):
    child = Maker(name="child", options={"supervision": one_for_one("escalate")})
    parent = Maker(name="parent", children=[child], options={"supervision": one_for_one("resume")})
    ref = await parent.spawn(system)
    child_ref = system.find("parent/child")
    await child_ref.tell(fail())
    await dead(child_ref)
    await quiet()
    assert (parent.made, ref.statistics().children) == (1, 0)


async def test_it_goes_up_past_those_that_are_not_supervised(system):
    child = Maker(name="child", options={"supervision": one_for_one("escalate")})
    middle = Maker(name="middle", children=[child])
    top = Maker(name="top", children=[middle], options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await top.spawn(system)
    await system.find("top/middle/child").tell(fail())
    await restarted(ref)
    assert [maker.made for maker in (top, middle, child)] == [2, 2, 2]


async def test_what_nobody_takes_ends_the_system_and_its_block_raises_it(new_system):
    """With its own type, after everything has been stopped; what is in the block is cancelled."""
    mine, log, hang, in_the_block = BrokenError("mine"), [], Hang(), Hang()

    async def use_a_system():
        async with new_system() as system:
            other = await Maker(log, "other").spawn(system)
            await other.tell(hang)
            await hang.began.wait()
            ref = await Maker(log, "it", {"supervision": one_for_one("escalate")}).spawn(system)
            await ref.tell(fail(mine))
            await in_the_block(None)

    with pytest.raises(BrokenError) as caught:
        await use_a_system()
    assert caught.value is mine
    assert (hang.cut, in_the_block.cut) == (True, True)
    assert sorted(log[-2:]) == ["it1 stops", "other1 stops"]
    mine.__traceback__ = mine.__context__ = None  # they hold on to what failed


async def test_a_child_that_fails_while_its_parent_starts_fails_the_start(system):
    """Nothing is there yet that could be restarted: whoever spawned the parent gets the error."""
    child = Maker(name="child", options={"supervision": one_for_one("escalate")})

    class Parent(child.kind):
        async def on_start(self):
            ref = await child.spawn(self.context)
            await ref.tell(fail())
            await anyio.sleep_forever()

    parent = Maker(name="parent", kind=Parent, options={"supervision": one_for_one()})
    with pytest.raises(BrokenError):
        await parent.spawn(system)
    assert system.find("parent") is None
    assert parent.made == 1


async def test_a_child_that_fails_while_its_parent_starts_again_counts_as_a_start_that_failed(system):
    child = Maker(name="child", options={"supervision": one_for_one("escalate")})
    tell = []

    class Parent(child.kind):
        async def on_start(self):
            ref = await child.spawn(self.context)
            if tell:
                await ref.tell(tell.pop())
                await anyio.sleep_forever()

    parent = Maker(name="parent", kind=Parent, options={"supervision": one_for_one(backoff=AT_ONCE, times=2)})
    ref = await parent.spawn(system)
    tell.append(fail())
    await ref.tell(fail())
    await restarted(ref)
    assert parent.made == 3
    await ref.tell(fail())
    await dead(ref)


async def test_a_failure_that_comes_up_to_a_parent_that_is_ending_changes_nothing_but_the_rest(system):
    child = Maker(name="child", options={"supervision": one_for_one("escalate")})
    parent = Maker(name="parent", children=[child], options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await parent.spawn(system)
    hang = Hang()
    run = await ref.request(hang)
    queued = await ref.request("queued")
    await hang.began.wait()
    async with anyio.create_task_group() as group:
        group.start_soon(ref.stop)
        await quiet()
        await system.find("parent/child").tell(fail())
    assert (await run).reason == "the actor is being stopped"
    with pytest.raises(ActorStopped):
        await queued
    assert parent.made == 1
