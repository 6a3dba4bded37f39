"""R54, R58: dead letters can be subscribed to, and a flood of them does not flood the log. In virtual time."""

from __future__ import annotations

import anyio
import pytest

from actors import Mailbox
from tests._support import Doer, Hang, quiet
from tests._virtual_time import virtual_loops as anyio_backend  # noqa: F401


async def gone(system):
    """An actor that has ended."""
    ref = await system.spawn(Doer(), name="gone")
    await ref.stop()
    return ref


def said(caplog, event):
    return [record.fields for record in caplog.records if getattr(record, "event", None) == event]


async def test_subscribers_hear_of_each_until_they_unsubscribe(system):
    ref = await gone(system)
    one, other = [], []
    end_one = system.dead_letters.subscribe(one.append)
    end_other = system.dead_letters.subscribe(other.append)
    await ref.tell("a")
    end_one()
    end_one()
    await ref.tell("b")
    end_other()
    await ref.tell("c")
    assert [letter.message for letter in one] == ["a"]
    assert [letter.message for letter in other] == ["a", "b"]
    assert [letter.message for letter in system.dead_letters] == ["a", "b", "c"]


async def test_a_subscriber_that_fails_changes_nothing_for_the_others(system, caplog):
    """R58."""
    heard = []

    def fail(letter):
        raise ZeroDivisionError

    system.dead_letters.subscribe(fail)
    system.dead_letters.subscribe(heard.append)
    await (await gone(system)).tell("a")
    assert [letter.message for letter in heard] == ["a"]
    assert len(said(caplog, "dead_letter.listener_failed")) == 1


async def test_a_subscriber_may_unsubscribe_while_it_is_being_told(system):
    heard = []

    def once(letter):
        heard.append(letter)
        end()

    end = system.dead_letters.subscribe(once)
    system.dead_letters.subscribe(heard.append)
    ref = await gone(system)
    await ref.tell("a")
    await ref.tell("b")
    assert [letter.message for letter in heard] == ["a", "a", "b"]


async def test_an_actor_can_subscribe(system):
    """It is told each letter as a message, and from then on it is its own business."""
    heard = []

    class Undertaker(Doer):
        async def reply(self, message, /):
            heard.append((message.path, message.message))

    undertaker = await system.spawn(Undertaker())
    system.dead_letters.subscribe(undertaker.tell_nowait)
    await (await gone(system)).tell("a")
    await quiet()
    assert heard == [("system/gone", "a")]


@pytest.mark.parametrize("full", [False, True])
async def test_a_subscriber_that_makes_dead_letters_itself_makes_no_endless_circle(system, full):
    """One that has ended, or is full: its own letters are kept, and told to nobody."""
    undertaker = await system.spawn(Doer(), mailbox=Mailbox(1, when_full="drop_newest"))
    if full:
        hang = Hang()
        await undertaker.tell(hang)
        await hang.began.wait()
        await undertaker.tell("fills it")
    else:
        await undertaker.stop()
    heard = []
    system.dead_letters.subscribe(undertaker.tell_nowait)
    system.dead_letters.subscribe(heard.append)
    await (await gone(system)).tell("a")
    assert [letter.message for letter in heard] == ["a"]
    assert [letter.path for letter in system.dead_letters] == ["system/gone", undertaker.path]


async def test_a_flood_does_not_flood_the_log_and_a_summary_says_how_many_were_left_out(system, caplog):
    """All of them are told to subscribers, counted, and the last 1,000 kept."""
    heard = []
    system.dead_letters.subscribe(heard.append)
    ref = await gone(system)
    for number in range(5000):
        ref.tell_nowait(number)
    assert len(said(caplog, "message.dead_letter")) == 20
    assert said(caplog, "message.dead_letters_left_out") == []
    await anyio.sleep(11)
    assert said(caplog, "message.dead_letters_left_out") == [{"count": 4980, "total": 5000}]
    assert [letter.message for letter in heard] == list(range(5000))
    assert (system.dead_letters.count, len(list(system.dead_letters))) == (5000, 1000)
    ref.tell_nowait("one more")
    await anyio.sleep(60)
    assert len(said(caplog, "message.dead_letter")) == 21
    assert len(said(caplog, "message.dead_letters_left_out")) == 1


async def test_a_flood_that_goes_on_is_summed_up_again_and_again(system, caplog):
    ref = await gone(system)
    for _ in range(300):
        ref.tell_nowait("x")
        await anyio.sleep(0.1)
    await anyio.sleep(11)
    counts = [fields["count"] for fields in said(caplog, "message.dead_letters_left_out")]
    assert len(counts) in (3, 4)
    assert sum(counts) + len(said(caplog, "message.dead_letter")) == 300
    assert len(said(caplog, "message.dead_letter")) <= 80


async def test_failures_of_subscribers_do_not_flood_the_log_either(system, caplog):
    def fail(letter):
        raise ZeroDivisionError

    system.dead_letters.subscribe(fail)
    ref = await gone(system)
    for number in range(100):
        ref.tell_nowait(number)
    assert len(said(caplog, "dead_letter.listener_failed")) == 20


async def test_the_summary_is_there_at_the_latest_when_the_system_ends(new_system, caplog):
    """Also for what its own end has left."""
    async with new_system() as system:
        ref = await system.spawn(Doer())
        hang = Hang()
        await ref.tell(hang)
        await hang.began.wait()
        for number in range(100):
            ref.tell_nowait(number)
        await ref.kill()
    assert said(caplog, "message.dead_letters_left_out") == [{"count": 80, "total": 100}]


async def test_a_letter_after_the_end_of_the_system_is_logged_like_the_first(new_system, caplog):
    async with new_system() as system:
        ref = await gone(system)
    for number in range(3):
        ref.tell_nowait(number)
    assert len(said(caplog, "message.dead_letter")) == 3
