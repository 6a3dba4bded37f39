"""What a failure is, and what is done about one: resume, restart, stop, escalate, by the type of the error or by a function."""

from __future__ import annotations

import traceback

import anyio
import pytest

from actors import ActorStopped, Interrupted, SpawnError, Supervision, one_for_all, one_for_one, rest_for_one
from tests._support import Doer, Hang, Mute, quiet
from tests.supervision._team import AT_ONCE, BrokenError, Maker, WorseError, dead, fail, number, restarted


async def test_without_supervision_an_actor_goes_on_whatever_its_replies_raise(system):
    actor = Doer()
    ref = await system.spawn(actor)
    await ref.tell(fail())
    with pytest.raises(BrokenError):
        await ref.ask(fail())
    assert await ref.ask(_itself) is actor


async def _itself(actor):
    return actor


async def test_an_error_in_a_tell_goes_to_the_supervision(system):
    """Issue: an error in a `tell` goes to the supervisor. By default that is a restart."""
    maker = Maker(options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await restarted(ref)
    assert await ref.ask(number) == 2


async def test_an_error_in_an_ask_is_the_askers_with_its_type_and_a_traceback_and_the_actor_goes_on(system):
    """The error is the answer."""
    maker = Maker(options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    mine = WorseError("mine")
    with pytest.raises(WorseError) as caught:
        await ref.ask(fail(mine))
    assert caught.value is mine
    assert "raise error or BrokenError" in "".join(traceback.format_exception(caught.value))
    run = await ref.request(fail())
    with pytest.raises(BrokenError):
        await run
    await quiet()
    assert await ref.ask(number) == 1


@pytest.mark.parametrize("how", ["ask", "request"])
async def test_a_policy_can_say_otherwise_of_errors_that_reach_an_asker(system, how):
    maker = Maker(options={"supervision": one_for_one(on_ask_error={WorseError: "restart"}, backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    for error, instance in ((BrokenError(), 1), (WorseError(), 2)):
        with pytest.raises(BrokenError) as caught:
            await (ref.ask(fail(error)) if how == "ask" else await ref.request(fail(error)))
        assert caught.value is error
        await restarted(ref, instance - 1)
        assert await ref.ask(number) == instance


@pytest.mark.parametrize(
    "decision",
    [
        {LookupError: "resume", KeyError: "restart", ArithmeticError: "stop"},
        lambda error: {KeyError: "restart", IndexError: "resume"}.get(type(error), "stop"),
    ],
    ids=["by type", "by a function"],
)
async def test_the_error_decides(system, decision):
    """The most specific class counts; what a mapping does not name is restarted."""
    maker = Maker(options={"supervision": one_for_one(decision, backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    await ref.tell(fail(IndexError()))
    assert await ref.ask(number) == 1
    await ref.tell(fail(KeyError()))
    await restarted(ref)
    assert await ref.ask(number) == 2
    await ref.tell(fail(ZeroDivisionError()))
    await dead(ref)
    assert maker.log[-1] == "it2 stops"


async def test_what_a_mapping_does_not_name_is_restarted(system):
    maker = Maker(options={"supervision": one_for_one({KeyError: "resume"}, backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    await ref.tell(fail(ValueError()))
    await restarted(ref)
    assert await ref.ask(number) == 2


@pytest.mark.parametrize("decision", [lambda _: 1 / 0, lambda _: "dance"], ids=["raises", "says nonsense"])
async def test_a_function_that_does_not_decide_stops_the_actor_and_is_logged(system, caplog, decision):
    maker = Maker(options={"supervision": one_for_one(decision)})
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await dead(ref)
    assert any(getattr(record, "event", "").startswith("supervision.decision_") for record in caplog.records)


async def test_stop_ends_the_actor_in_order_and_refuses_what_is_queued(system):
    """`on_stop` runs, askers get `ActorStopped`, tells are dead letters."""
    maker = Maker(options={"supervision": one_for_one("stop")})
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await ref.tell("told")
    run = await ref.request("requested")
    with pytest.raises(ActorStopped):
        await run
    await dead(ref)
    assert maker.log == ["it1 starts", "it1 stops"]
    assert [letter.message for letter in system.dead_letters] == ["told"]


async def test_an_interrupt_is_never_a_failure(system, caplog):
    """Also if the actor makes no reply of it, and if it comes from below."""
    policy = one_for_one("restart", on_ask_error="restart", backoff=AT_ONCE)
    below = await system.spawn(Mute)

    async def ask_below(_actor):
        return await below.ask(hang)

    made = []

    def make():
        made.append(Mute())
        return made[-1]

    ref = await system.spawn(make, supervision=policy)
    hang = Hang()
    run = await ref.request(hang)
    await hang.began.wait()
    assert await ref.interrupt()
    with pytest.raises(Interrupted):
        await run
    hang = Hang()
    await ref.tell(ask_below)
    await hang.began.wait()
    assert await below.interrupt()
    assert await ref.ask("alive") == "alive"
    await quiet()
    assert len(made) == 1
    assert ref.statistics().restarts == 0


async def test_a_handle_interrupt_that_fails_is_a_failure_of_the_reply(system):
    class Handles(Doer):
        async def handle_interrupt(self, message, interruption, /):
            raise BrokenError

    ref = await system.spawn(Handles, supervision=one_for_one(backoff=AT_ONCE))
    hang = Hang()
    await ref.tell(hang)
    await hang.began.wait()
    assert not await ref.interrupt()
    await restarted(ref)
    assert await ref.ask("alive") == "alive"


async def test_a_failure_of_an_actor_that_is_to_end_anyway_ends_it_without_the_rest(system):
    """While it drains there is no new instance, and one that failed answers nothing more."""
    maker = Maker(options={"supervision": one_for_one(backoff=AT_ONCE)})
    ref = await maker.spawn(system)
    await ref.tell(fail())
    await ref.tell("too late")
    await ref.stop()
    assert maker.made == 1
    assert [letter.message for letter in system.dead_letters] == ["too late"]


async def test_a_restart_needs_a_factory(system):
    """An instance given with a restart policy is a SpawnError, which says what to do."""
    for policy in (
        one_for_one(),
        one_for_all("stop"),
        one_for_one(lambda _: "resume"),
        one_for_one({KeyError: "stop"}),
    ):
        with pytest.raises(SpawnError, match="class or a function"):
            await system.spawn(Doer(), supervision=policy)
    for policy in (one_for_one("stop"), one_for_one({Exception: "resume"}), one_for_one(lifespan="temporary")):
        ref = await system.spawn(Doer(), supervision=policy)
        assert await ref.ask("hello") == "hello"


async def test_the_systems_supervision_is_that_of_all_who_have_none_of_their_own(new_system):
    async with new_system(supervision=one_for_one(backoff=AT_ONCE)) as system:
        parent, child, other = Maker(name="parent"), Maker(name="child"), Maker(name="other")
        parent.children, other.options = [child], {"supervision": one_for_one("resume")}
        for maker in (parent, other):
            await maker.spawn(system)
        child_ref = system.find("parent/child")
        for ref in (child_ref, system.find("other")):
            await ref.tell(fail())
        await restarted(child_ref)
        assert await child_ref.ask(number) == 2
        assert await system.find("parent").ask(number) == 1
        assert await system.find("other").ask(number) == 1
        with pytest.raises(SpawnError):
            await system.spawn(Doer())


@pytest.mark.parametrize(
    "options",
    [
        {"on_error": "dance"},
        {"on_ask_error": {KeyError: "dance"}},
        {"times": -1},
        {"times": True},
        {"within": 0},
        {"lifespan": "eternal"},
        {"on_give_up": "resume"},
        {"strategy": "all_for_none"},
    ],
    ids=repr,
)
def test_a_supervision_that_cannot_be_right_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Supervision(**options)


def test_the_functions_make_what_their_names_say():
    for make in (one_for_one, one_for_all, rest_for_one):
        made = make("stop", times=2, within=3.0)
        assert (made.strategy, made.on_error, made.times, made.within) == (make.__name__, "stop", 2, 3.0)


async def test_an_error_of_a_group_of_tasks_in_a_reply_is_one_error(system):
    async def two_tasks(_actor):
        async with anyio.create_task_group() as group:
            group.start_soon(fail(), None)

    maker = Maker(options={"supervision": one_for_one({ExceptionGroup: "stop"})})
    ref = await maker.spawn(system)
    await ref.tell(two_tasks)
    await dead(ref)
