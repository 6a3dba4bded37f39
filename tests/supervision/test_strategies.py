"""Who is restarted with whom: one_for_one, one_for_all, rest_for_one; permanent, transient, temporary."""

from __future__ import annotations

import pytest

from actors import one_for_all, one_for_one, rest_for_one
from tests._support import Gate, Hang, quiet
from tests.supervision._team import AT_ONCE, BrokenError, Maker, Member, dead, fail, number, restarted


async def team(system, policy, names="abc", **options):
    """Several actors that share a supervision, and the log that they share."""
    log = []
    makers = {name: Maker(log, name, {"supervision": policy, **options}) for name in names}
    refs = [await maker.spawn(system) for maker in makers.values()]
    log.clear()
    return log, makers, refs


async def test_one_for_one_restarts_the_one_that_has_failed(system):
    log, _, (a, b, c) = await team(system, one_for_one(backoff=AT_ONCE))
    await b.tell(fail())
    await restarted(b)
    assert log == ["b1 stops", "b2 restarts: BrokenError('as told')", "b2 starts"]
    assert [await ref.ask(number) for ref in (a, b, c)] == [1, 2, 1]


async def test_one_for_all_restarts_all_in_start_order_after_all_have_stopped_in_reverse(system):
    """The one that has failed stops first: it takes no further message."""
    log, _, (a, b, c) = await team(system, one_for_all(backoff=AT_ONCE))
    await b.tell(fail())
    await restarted(c)
    error = "restarts: BrokenError('as told')"
    assert log == [
        *("b1 stops", "c1 stops", "a1 stops"),
        *(f"a2 {error}", "a2 starts", f"b2 {error}", "b2 starts", f"c2 {error}", "c2 starts"),
    ]
    assert [await ref.ask(number) for ref in (a, b, c)] == [2, 2, 2]


async def test_rest_for_one_restarts_it_and_those_that_were_started_after_it(system):
    log, _, (a, b, c) = await team(system, rest_for_one(backoff=AT_ONCE))
    await b.tell(fail())
    await restarted(c)
    error = "restarts: BrokenError('as told')"
    assert log == ["b1 stops", "c1 stops", f"b2 {error}", "b2 starts", f"c2 {error}", "c2 starts"]
    assert [await ref.ask(number) for ref in (a, b, c)] == [1, 2, 2]


async def test_only_those_that_were_given_the_same_object_share_their_fate(system):
    """A parent can have several such groups, and others beside them."""
    _, _, (a, b) = await team(system, one_for_all(backoff=AT_ONCE), "ab")
    _, _, others = await team(system, one_for_all(backoff=AT_ONCE), "xy")
    alone = await Maker(name="alone").spawn(system)
    await a.tell(fail())
    await restarted(b)
    assert [await ref.ask(number) for ref in (a, b, *others, alone)] == [2, 2, 1, 1, 1]


async def test_a_reply_of_another_member_is_interrupted(system):
    _, _, (a, b) = await team(system, one_for_all(backoff=AT_ONCE), "ab")
    hang = Hang()
    run = await b.request(hang)
    await hang.began.wait()
    queued = await b.request(number)
    await a.tell(fail())
    assert (await run).reason == "the actor is being restarted"
    assert await queued == 2


async def test_stop_is_for_all_of_them_too(system):
    log, _, refs = await team(system, one_for_all("stop"))
    await refs[1].tell(fail())
    for ref in refs:
        await dead(ref)
    assert log == ["b1 stops", "c1 stops", "a1 stops"]


async def test_a_member_that_was_stopped_stays_stopped(system):
    _, makers, (a, b, c) = await team(system, one_for_all(backoff=AT_ONCE))
    await c.stop()
    await a.tell(fail())
    await restarted(b)
    await quiet()
    assert makers["c"].made == 1
    assert system.find("c") is None


async def test_a_member_that_is_stopped_while_the_others_are_away_is_left_out(system):
    gate = Gate()

    class Slow(Member):
        async def on_stop(self):
            if self.maker.name == "a":
                await gate(self)

    policy = one_for_all(backoff=AT_ONCE)
    makers = [Maker([], name, {"supervision": policy}, kind=Slow) for name in "abc"]
    a, b, c = [await maker.spawn(system) for maker in makers]
    await c.tell(fail())
    await gate.began.wait()
    assert [ref.statistics().state for ref in (a, b, c)] == ["restarting"] * 3
    await b.stop()
    gate.open()
    await restarted(c)
    assert [maker.made for maker in makers] == [2, 1, 2]


async def test_a_member_that_fails_while_it_waits_to_be_restarted_adds_nothing(system):
    """One failure, one round, one restart from the budget."""
    gate = Gate()

    class Slow(Member):
        async def on_stop(self):
            if self.maker.name == "b":
                await gate(self)

    log = []
    policy = one_for_all(backoff=AT_ONCE, times=1)
    a, b = [await Maker(log, name, {"supervision": policy}, kind=Slow).spawn(system) for name in "ab"]
    await b.tell(fail())
    await gate.began.wait()
    await a.tell(fail())
    await quiet()
    gate.open()
    await restarted(a)
    assert [await ref.ask(number) for ref in (a, b)] == [2, 2]


async def test_a_member_that_fails_after_it_came_up_and_before_the_others_did_begins_a_new_round(system):
    gate = Gate()

    class Slow(Member):
        async def on_start(self):
            await super().on_start()
            if self.maker.name == "b" and self.number == 2:
                await gate(self)

    log = []
    policy = one_for_all(backoff=AT_ONCE)
    a, b = [await Maker(log, name, {"supervision": policy}, kind=Slow).spawn(system) for name in "ab"]
    await a.tell(fail())
    await gate.began.wait()
    await a.tell(fail())
    await restarted(a, 2)
    await restarted(b)
    assert [await ref.ask(number) for ref in (a, b)] == [3, 3]


async def test_one_that_does_not_start_again_takes_all_with_it_once_more(system):
    """With rest_for_one: it, and those after it. The last one had not come up yet."""
    for policy, expected in ((one_for_all(backoff=AT_ONCE), [3, 3, 2]), (rest_for_one(backoff=AT_ONCE), [2, 3, 2])):
        _, makers, refs = await team(system, policy)
        makers["b"].failing_starts = 1
        await refs[0].tell(fail())
        await restarted(refs[2])
        assert [await ref.ask(number) for ref in refs] == expected
        for ref in refs:
            await ref.stop()


# -- permanent, transient, temporary


async def stop_yourself(actor):
    await actor.context.ref.stop()


async def test_a_transient_actor_that_stops_itself_has_ended(system):
    maker = Maker(options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    await ref.tell(stop_yourself)
    await dead(ref)
    assert maker.log == ["it1 starts", "it1 stops"]


async def test_a_permanent_actor_that_stops_itself_is_restarted_with_its_mailbox(system):
    maker = Maker(options={"supervision": one_for_one(lifespan="permanent", backoff=AT_ONCE)})
    ref = await maker.spawn(system)

    async def stop_and_go_on(actor):
        await stop_yourself(actor)
        await quiet()
        return "its reply is finished"

    run = await ref.request(stop_and_go_on)
    later = await ref.request(number)
    assert await run == "its reply is finished"
    assert await later == 2
    assert maker.log[1:3] == ["it1 stops", f"it2 restarts: {maker.log[2].partition(': ')[2]}"]
    assert "is permanent" in maker.log[2]


@pytest.mark.parametrize("end", ["stop", "kill", "kill itself"])
async def test_a_permanent_actor_that_somebody_stops_or_that_is_killed_has_ended(system, end):
    maker = Maker(options={"supervision": one_for_one(lifespan="permanent", backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    if end == "kill itself":
        await ref.tell(lambda actor: actor.context.ref.kill())
    else:
        await (ref.kill() if end == "kill" else ref.stop())
    await dead(ref)
    await quiet()
    assert maker.made == 1


async def test_a_temporary_actor_is_never_restarted(system):
    maker = Maker(options={"supervision": one_for_one(lifespan="temporary")})
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await dead(ref)
    assert maker.log == ["it1 starts", "it1 stops"]


async def test_a_temporary_member_of_a_group_goes_with_the_others_and_does_not_come_back(system):
    """`but` changes what is done, and keeps the fate."""
    policy = one_for_all(backoff=AT_ONCE)
    log, _, (a,) = await team(system, policy, "a")
    helper = await Maker(log, "h", {"supervision": policy.but(lifespan="temporary")}).spawn(system)
    await a.tell(fail())
    await dead(helper)
    await restarted(a)
    assert [line for line in log if line.startswith("h")] == ["h1 starts", "h1 stops"]


async def test_a_member_for_which_something_else_is_to_be_done_keeps_the_fate_of_its_group(system):
    policy = one_for_all({BrokenError: "resume"}, backoff=AT_ONCE)
    _, _, (a, b) = await team(system, policy, "ab")
    c = await Maker(name="c", options={"supervision": policy.but(on_error="restart")}).spawn(system)
    await a.tell(fail())
    assert await a.ask(number) == 1
    await c.tell(fail())
    await restarted(b)
    assert [await ref.ask(number) for ref in (a, b, c)] == [2, 2, 2]
