"""What an ask promises beyond the reply: `expect=`, `AskTimeout`, run ids; and who hears of a failure."""

from __future__ import annotations

import gc

import anyio
import pytest

from actors import AskTimeout, DuplicateRunError, ReplyTypeError, UsageError
from tests._support import Call, Doer, Gate, Hang, Mute, quiet


def logged(caplog, event):
    return [record for record in caplog.records if getattr(record, "event", None) == event]


# -- expect


async def test_expect_lets_a_reply_of_that_type_pass(system):
    ref = await system.spawn(Doer())
    assert await ref.ask(3, expect=int) == 3
    assert await ref.ask(yes := True, expect=int) is yes
    assert await ref.ask("x", expect=object, timeout=5) == "x"


async def test_expect_refuses_a_reply_of_another_type(system):
    """It is in the error, and the reply has happened."""
    ref = await system.spawn(Doer())
    with pytest.raises(ReplyTypeError, match="replied with a str, and a int was expected") as caught:
        await ref.ask("three", expect=int)
    assert (caught.value.reply, caught.value.ref) == ("three", ref)
    assert isinstance(caught.value, TypeError)
    assert ref.statistics().completed == 1


# -- timeout


async def test_a_timed_out_ask_says_who_what_how_long_how_deep_and_doing_what(system):
    """R55."""
    ref = await system.spawn(Doer(), name="busy")
    asking = await system.spawn(Doer(), name="asking")
    gate = Gate()
    current = await ref.request(gate)
    await gate.began.wait()
    queued = [await ref.request(number) for number in range(2)]
    errors = []

    async def impatient(_actor):
        try:
            await ref.ask(1.5, timeout=0.01, run_id="mine")
        except AskTimeout as error:
            errors.append(error)

    await asking.ask(impatient)
    (error,) = errors
    text = str(error)
    assert "system/asking asked system/busy for a reply to a float and got none within 0.01 s" in text
    assert "Gate.__call__" in text
    assert isinstance(error, TimeoutError)
    assert (error.timeout, error.ref, error.run_id, error.message) == (0.01, ref, "mine", 1.5)
    assert error.doing.startswith("reply, at ")
    assert error.queued in (2, 3)
    gate.open()
    assert [await run for run in (current, *queued)] == ["opened", 0, 1]


async def test_a_timeout_that_is_not_needed_changes_nothing(system):
    ref = await system.spawn(Doer())
    assert await ref.ask("hello", timeout=60) == "hello"
    assert await ref.ask("hello", timeout=0.5, run_id="mine", expect=str) == "hello"


@pytest.mark.parametrize("timeout", [0, -1])
async def test_no_time_at_all_is_a_timeout_at_once(system, timeout):
    ref = await system.spawn(Doer())
    with pytest.raises(AskTimeout):
        await ref.ask(Hang(), timeout=timeout)
    assert await ref.ask("next") == "next"


async def test_a_timeout_of_the_reply_itself_is_the_replys_error(system):
    """R55: and no `AskTimeout`."""
    ref = await system.spawn(Doer())

    async def slow(_actor):
        with anyio.fail_after(0.001):
            await anyio.sleep_forever()

    with pytest.raises(TimeoutError) as caught:
        await ref.ask(slow, timeout=30)
    assert not isinstance(caught.value, AskTimeout)


# -- run ids


async def test_a_run_has_the_id_that_it_was_given(system):
    ref = await system.spawn(Doer())

    async def look(actor):
        return actor.context.run.id

    assert await ref.ask(look, run_id="mine") == "mine"
    run = await ref.request(look, run_id="his")
    assert (run.id, await run) == ("his", "his")
    async with ref.stream(look, run_id="hers") as run:
        assert (run.id, await run) == ("hers", "hers")


async def test_ids_that_are_made_are_unique_among_all_systems(new_system):
    """And a run keeps the one it has got."""
    ids = []
    for _ in range(3):
        async with new_system() as system:
            ref = await system.spawn(Doer())
            runs = [await ref.request(number) for number in range(20)]
            ids += [run.id for run in runs]
            assert [run.id for run in runs] == ids[-20:]
            for run in runs:
                await run
            assert [run.id for run in runs] == ids[-20:]
    assert len(set(ids)) == 60


async def test_a_run_id_that_is_in_use_is_refused(system):
    """Running or queued, of any actor; it is free again when that run has ended."""
    ref, other = await system.spawn(Doer()), await system.spawn(Doer())
    gate = Gate()
    run = await ref.request(gate, run_id="mine")
    queued = await ref.request("queued", run_id="his")
    for run_id in ("mine", "his"):
        for send in (ref.ask, ref.request, other.ask):
            with pytest.raises(DuplicateRunError, match=run_id) as caught:
                await send("again", run_id=run_id)
            assert caught.value.run_id == run_id
    assert ref.statistics().queued <= 2
    gate.open()
    assert [await run, await queued] == ["opened", "queued"]
    assert [await other.ask("mine", run_id="mine"), await ref.ask("his", run_id="his")] == ["mine", "his"]
    assert len(system.runs) == 0


async def test_an_empty_run_id_is_refused(system):
    ref = await system.spawn(Doer())
    with pytest.raises(UsageError, match="run id"):
        await ref.ask("hello", run_id="")
    assert ref.statistics().queued == 0


async def test_a_run_id_is_free_again_however_the_run_has_ended(system):
    """R23: nothing is kept of it."""
    ref = await system.spawn(Mute())

    async def fail(_actor):
        raise ZeroDivisionError

    hang = Hang()
    with pytest.raises(ZeroDivisionError):
        await ref.ask(fail, run_id="mine")
    with pytest.raises(AskTimeout):
        await ref.ask(hang, run_id="mine", timeout=0.001)
    await quiet()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, hang, run_id="mine")
        await quiet()
        await ref.interrupt(run_id="mine")
        assert await call.ended() == "raised"
    await ref.kill()
    with pytest.raises(Exception, match="has stopped"):
        await ref.ask("late", run_id="mine")
    assert len(system.runs) == 0


# -- failures


async def test_the_failure_of_a_tell_is_logged(system, caplog):
    """R43: with the actor and the error; nobody else would hear of it."""
    ref = await system.spawn(Doer())

    async def fail(_actor):
        raise ZeroDivisionError

    await ref.tell(fail)
    await ref.ask("next")
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.fields["actor"] == ref.path
    assert isinstance(record.exc_info[1], ZeroDivisionError)


async def test_the_failure_of_an_ask_is_not_logged_but_raised(system, caplog):
    """R58: the asker knows."""
    ref = await system.spawn(Doer())

    async def fail(_actor):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ref.ask(fail)
    await quiet()
    gc.collect()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_failure_of_a_request_that_nobody_retrieves_is_logged(system, caplog):
    """As asyncio does for its tasks."""
    ref = await system.spawn(Doer())

    async def fail(_actor):
        raise ZeroDivisionError

    run = await ref.request(fail, run_id="mine")
    await ref.ask("next")
    del run
    gc.collect()
    (record,) = logged(caplog, "run.failure_never_retrieved")
    assert (record.fields["actor"], record.fields["run_id"]) == (ref.path, "mine")
    assert isinstance(record.exc_info[1], ZeroDivisionError)


@pytest.mark.parametrize("how", ["await", "chunks"])
async def test_the_failure_of_a_request_that_somebody_retrieves_is_not_logged(system, caplog, how):
    ref = await system.spawn(Doer())

    async def fail(_actor):
        raise ZeroDivisionError

    run = await ref.request(fail)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - what raises is the block
        if how == "await":
            await run
        else:
            async for _ in run:
                pass
    del run
    gc.collect()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_interrupted_run_is_no_failure_for_the_log(system, caplog):
    """R43: told, asked or requested and never looked at."""
    ref = await system.spawn(Mute())
    for send in (ref.tell, ref.request):
        hang = Hang()
        await send(hang)
        await hang.began.wait()
        assert (await ref.interrupt("enough", by="anna")).outcome == "interrupted"
    gc.collect()
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []
    assert ref.statistics().failed == 0


async def test_an_interrupt_is_an_event_with_actor_run_and_reason(system, caplog):
    """R43."""
    ref = await system.spawn(Doer())
    hang = Hang()
    with caplog.at_level("INFO"):
        run = await ref.request(hang)
        await hang.began.wait()
        await ref.interrupt("enough", by="anna")
    (record,) = logged(caplog, "run.interrupted")
    fields = record.fields
    assert (fields["actor"], fields["run_id"], fields["reason"]) == (ref.path, run.id, "enough")
    assert (fields["by"], fields["source"], record.levelname) == ("anna", "caller", "INFO")


async def test_a_run_tells_where_it_stands(system):
    """queued, running, interrupting, and the four ends."""
    ref = await system.spawn(Doer())
    gate, hang, later = Gate(), Hang(), Gate()

    async def fail(_actor):
        raise ZeroDivisionError

    first, second = await ref.request(gate), await ref.request(hang)
    await gate.began.wait()
    seen = [first.status, second.status]
    gate.open()
    await hang.began.wait()
    seen += [first.status, second.status]
    ref.interrupt_nowait()
    seen += [second.status]
    await second
    seen += [second.status]
    third = await ref.request(fail)
    with pytest.raises(ZeroDivisionError):
        await third
    fourth = await ref.request(later)
    await later.began.wait()
    await ref.kill()
    seen += [third.status, fourth.status]
    assert seen == [
        *("running", "queued"),
        *("completed", "running"),
        "interrupting",
        "interrupted",
        *("failed", "stopped"),
    ]
    assert "stopped" in repr(fourth)
    assert ref.path in repr(fourth)
    assert fourth.settled
