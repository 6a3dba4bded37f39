"""At most so many restarts within so many seconds, then it is given up; longer pauses, until it has gone well for a while."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Backoff, MailboxFull, events, one_for_all, one_for_one
from actors._backoff import Pauses
from actors._mailbox import Mailbox
from actors._restart_budget import RestartBudget
from tests._support import quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401
from tests.supervision._team import AT_ONCE, BrokenError, Maker, WorseError, dead, fail, number, restarted

steady = {"jitter": 0.0}


# -- the parts, for any input

gaps = st.lists(st.floats(0, 100), max_size=60)
backoffs = st.builds(
    Backoff,
    first=st.floats(0, 10),
    factor=st.floats(1, 10),
    maximum=st.floats(0, 1000),
    jitter=st.floats(0, 1),
    reset_after=st.floats(0, 200),
)


@given(st.integers(0, 6), st.floats(0.1, 50), gaps)
def test_no_window_ever_holds_more_restarts_than_are_allowed_and_none_is_refused_without_need(times, within, gaps):
    budget, now, allowed = RestartBudget(times, within), 0.0, []
    for gap in gaps:
        now += gap
        recent = [then for then in allowed if then > now - within]
        if budget.spend(now):
            allowed.append(now)
            assert len(recent) < times
        else:
            assert len(recent) == times


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_a_budget_without_a_bound_allows_all(moments):
    budget = RestartBudget(None, 1.0)
    assert all(budget.spend(now) for now in sorted(moments))


@given(backoffs, st.integers(0, 5000), st.floats(0, 1))
def test_a_pause_is_never_negative_and_never_longer_than_the_maximum_and_as_near_as_its_jitter(
    backoff, attempt, chance
):
    pause = backoff.pause(attempt, chance)
    middle = backoff.pause(attempt, 0.5)
    assert 0 <= pause <= backoff.maximum
    assert middle * (1 - backoff.jitter) * (1 - 1e-9) <= pause <= middle * (1 + backoff.jitter) * (1 + 1e-9)


@given(backoffs, st.integers(0, 200))
def test_no_pause_is_shorter_than_the_one_before(backoff, attempt):
    assert backoff.pause(attempt, 0.5) <= backoff.pause(attempt + 1, 0.5)


@given(backoffs, st.lists(st.tuples(st.booleans(), st.floats(0, 500)), max_size=40))
def test_the_pauses_begin_anew_exactly_after_a_healthy_period(backoff, history):
    """Whatever comes: it comes up or not after each pause, and fails again after a while."""
    pauses, now, attempts, up_since = Pauses(backoff, lambda: 0.5), 0.0, 0, None
    for comes_up, lives in history:
        if up_since is not None and now - up_since >= backoff.reset_after:
            attempts = 0
        assert pauses.next(now) == backoff.pause(attempts, 0.5)
        attempts, up_since = attempts + 1, None
        if comes_up:
            up_since = now
            pauses.up(now)
        now += lives


@pytest.mark.parametrize(
    "options",
    [{"first": -1}, {"factor": 0.5}, {"maximum": -1}, {"jitter": 1.5}, {"reset_after": float("nan")}],
    ids=repr,
)
def test_a_backoff_that_cannot_be_right_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Backoff(**options)


# -- actors, on virtual time


async def fail_and_wait(ref, times):
    """Fail so many times; the seconds that each restart took."""
    took = []
    for _ in range(times):
        before, restarts = anyio.current_time(), ref.statistics().restarts
        await ref.tell(fail())
        await restarted(ref, restarts + 1)
        took.append(anyio.current_time() - before)
    return took


async def test_each_pause_is_longer_than_the_one_before_and_a_healthy_period_resets_them(system):
    backoff = Backoff(first=1.0, factor=3.0, maximum=10.0, reset_after=60.0, **steady)
    ref = await Maker(options={"supervision": one_for_one(times=None, backoff=backoff)}).spawn(system)
    assert await fail_and_wait(ref, 4) == pytest.approx([1, 3, 9, 10], abs=0.2)
    await anyio.sleep(59)
    assert await fail_and_wait(ref, 1) == pytest.approx([10], abs=0.2)
    await anyio.sleep(61)
    assert await fail_and_wait(ref, 2) == pytest.approx([1, 3], abs=0.2)


async def test_the_jitter_spreads_what_failed_together(system):
    backoff = Backoff(first=100.0, jitter=0.5, maximum=1000.0)
    refs = [
        await Maker(name=f"it{each}", options={"supervision": one_for_one(backoff=backoff)}).spawn(system)
        for each in range(8)
    ]
    with system.events(events.Restarted) as told:
        for ref in refs:
            await ref.tell(fail())
        await anyio.sleep(200)
        pauses = [event.pause for event in told.pending()]
    assert len(pauses) == 8
    assert all(49 <= pause <= 152 for pause in pauses)
    assert max(pauses) - min(pauses) > 1  # by chance they are all alike once in some billion years


async def test_one_restart_too_many_gives_it_up(system, caplog):
    """At most `times` within `within` seconds; then it has failed, and stops."""
    maker = Maker(options={"supervision": one_for_one(times=2, within=60.0, backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    await fail_and_wait(ref, 2)
    with system.events(events.Stopped) as told:
        await ref.tell(fail())
        await dead(ref)
        (stopped,) = told.pending()
    assert (stopped.reason, type(stopped.error)) == ("failed", BrokenError)
    assert maker.made == 3
    assert maker.log[-1] == "it3 stops"
    assert any(getattr(record, "event", None) == "supervision.gave_up" for record in caplog.records)


async def test_the_window_moves(system):
    ref = await Maker(options={"supervision": one_for_one(times=2, within=60.0, backoff=AT_ONCE)}).spawn(system)
    for _ in range(10):
        await fail_and_wait(ref, 1)
        await anyio.sleep(31)
    assert await ref.ask(number) == 11


async def test_no_restart_is_allowed_with_times_0(system):
    maker = Maker(options={"supervision": one_for_one(times=0)})
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await dead(ref)
    assert maker.made == 1


async def test_with_one_for_one_each_has_a_budget_of_its_own_and_with_one_for_all_they_share_it(system):
    for make, survives in ((one_for_one, True), (one_for_all, False)):
        policy = make(times=2, backoff=AT_ONCE)
        a, b = [await Maker(name=name, options={"supervision": policy}).spawn(system) for name in "ab"]
        await fail_and_wait(a, 2)
        await b.tell(fail())
        if survives:
            await restarted(b)
        else:
            await dead(b)
            await dead(a)
        assert (a.statistics().state == "idle") == survives
        for ref in (a, b):
            await ref.stop()


async def test_an_on_start_that_fails_during_a_restart_counts_against_the_budget(system):
    maker = Maker(failing_starts=0, options={"supervision": one_for_one(times=3, backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    maker.failing_starts = 2
    await ref.tell(fail())
    await restarted(ref)
    assert await ref.ask(number) == 4
    assert maker.log[1:] == [
        "it1 stops",
        "it2 restarts: BrokenError('as told')",
        "it2 starts",
        "it3 restarts: WorseError('it does not start')",
        "it3 starts",
        "it4 restarts: WorseError('it does not start')",
        "it4 starts",
    ]
    await ref.tell(fail())
    await dead(ref)


async def test_an_on_start_that_keeps_failing_is_given_up_with_longer_pauses_between(system):
    backoff = Backoff(first=1.0, factor=2.0, reset_after=0.0, **steady)
    maker = Maker(options={"supervision": one_for_one(times=4, within=1000.0, backoff=backoff)})
    ref = await maker.spawn(system)
    maker.failing_starts = 100
    before = anyio.current_time()
    with system.events(events.Stopped) as told:
        await ref.tell(fail())
        await dead(ref)
        (stopped,) = told.pending()
    assert anyio.current_time() - before == pytest.approx(1 + 2 + 4 + 8, abs=0.2)
    assert type(stopped.error) is WorseError
    assert maker.made == 5


async def test_the_error_of_an_on_start_that_fails_is_looked_up_like_others(system):
    maker = Maker(options={"supervision": one_for_one({WorseError: "stop"}, backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    maker.failing_starts = 1
    await ref.tell(fail())
    await dead(ref)
    assert maker.made == 2


async def test_an_on_start_that_fails_takes_the_children_it_had_started_with_it(system):
    maker = Maker(options={"supervision": one_for_one(backoff=AT_ONCE)})
    child = Maker(maker.log, "child")
    ref = await maker.spawn(system)

    class StartsAChild(maker.kind):
        async def on_start(self):
            await child.spawn(self.context)
            await super().on_start()

    maker.kind, maker.failing_starts = StartsAChild, 1
    await ref.tell(fail())
    await restarted(ref)
    assert [line for line in maker.log if line.startswith("child")] == [
        "child1 starts",
        "child1 stops",
        "child2 starts",
    ]
    assert await system.find("it/child").ask(number) == 2


@pytest.mark.parametrize("end", ["stop", "stop now", "kill"])
async def test_an_actor_that_waits_for_its_restart_can_be_ended_and_stays_so(system, end):
    """Issue: a child waiting for its backoff can be stopped and stays stopped. Nothing waits on then."""
    maker = Maker(options={"supervision": one_for_one(backoff=Backoff(first=100.0, maximum=100.0))})
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await ref.tell("queued")
    await quiet()
    assert ref.statistics().state == "restarting"
    before = anyio.current_time()
    await (ref.kill() if end == "kill" else ref.stop(drain=end == "stop"))
    assert anyio.current_time() - before < 5
    assert [letter.message for letter in system.dead_letters] == ["queued"]
    await quiet()
    assert not system.rounds
    await anyio.sleep(1000)
    assert maker.made == 1
    assert maker.log == ["it1 starts", "it1 stops"]


async def test_messages_that_come_during_the_pause_wait_within_the_bounds_of_the_mailbox(system):
    policy = one_for_one(backoff=Backoff(first=50.0, maximum=50.0, **steady))
    ref = await Maker(options={"supervision": policy, "mailbox": Mailbox(2)}).spawn(system)
    await ref.tell(fail())
    await quiet()
    runs = [await ref.request(number), await ref.request(number)]
    with pytest.raises(MailboxFull):
        ref.tell_nowait("one too many")
    before = anyio.current_time()
    assert [await run for run in runs] == [2, 2]
    assert anyio.current_time() - before == pytest.approx(50, abs=0.2)


async def test_leaving_the_system_does_not_wait_longer_than_its_drain_timeout_for_a_restart(new_system):
    policy = one_for_one(backoff=Backoff(first=1000.0, maximum=1000.0))
    async with new_system(drain_timeout=7.0) as system:
        ref = await Maker(options={"supervision": policy}).spawn(system)
        await ref.tell(fail())
        await ref.tell("queued")
        await quiet()
        before = anyio.current_time()
    assert anyio.current_time() - before == pytest.approx(7, abs=0.2)
    assert [letter.message for letter in system.dead_letters] == ["queued"]


async def test_leaving_the_system_does_not_wait_for_the_restart_of_an_actor_without_messages(new_system):
    policy = one_for_one(backoff=Backoff(first=1000.0, maximum=1000.0))
    async with new_system(drain_timeout=7.0) as system:
        ref = await Maker(options={"supervision": policy}).spawn(system)
        await ref.tell(fail())
        await quiet()
        before = anyio.current_time()
    assert anyio.current_time() - before < 1
