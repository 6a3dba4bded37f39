"""Topics: what is published is told to all who have subscribed, and none of them changes anything for the others."""

from __future__ import annotations

import threading

import anyio
import pytest

from actors import Mailbox, Pool, Topic, WrongThreadError
from tests._support import Doer, Gate, quiet


class Reader(Doer):
    async def reply(self, message, /):
        self.log.append(message)
        return await super().reply(message)


async def readers(system, topic, count, **options):
    actors = [Reader() for _ in range(count)]
    for actor in actors:
        topic.subscribe(await system.spawn(actor, **options))
    return actors


async def test_all_who_have_subscribed_are_told_in_order(system):
    """R49."""
    topic = Topic("news")
    actors = await readers(system, topic, 3)
    assert [topic.publish(number) for number in range(5)] == [3] * 5
    await quiet()
    assert [actor.log for actor in actors] == [[0, 1, 2, 3, 4]] * 3


async def test_whoever_subscribes_twice_is_told_once_and_after_unsubscribing_no_more(system):
    topic = Topic()
    actor = Reader()
    ref = await system.spawn(actor)
    topic.subscribe(ref)
    topic.subscribe(ref)
    assert topic.subscribers == (ref,)
    assert topic.publish("a") == 1
    assert topic.unsubscribe(ref)
    assert not topic.unsubscribe(ref)
    assert topic.publish("b") == 0
    await quiet()
    assert actor.log == ["a"]


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_subscriber_that_has_died_is_dropped_without_a_word(system, end):
    """Nobody has sent it anything, so there is no dead letter either."""
    topic = Topic()
    actors = await readers(system, topic, 2)
    await getattr(topic.subscribers[0], end)()
    assert len(topic.subscribers) == 1
    assert topic.publish("a") == 1
    await quiet()
    assert [actor.log for actor in actors] == [[], ["a"]]
    assert list(system.dead_letters) == []


async def test_a_subscriber_that_has_died_is_not_kept_by_a_topic_on_which_nothing_is_published(system):
    """R56: the next one who subscribes clears it away."""
    topic = Topic()
    for _ in range(100):
        await readers(system, topic, 1)
        await topic.subscribers[0].stop()
    assert len(topic._subscribers) == 1


async def test_a_subscriber_that_fails_changes_nothing_for_the_others(system):
    """R58."""

    class Failing(Reader):
        async def reply(self, message, /):
            raise ZeroDivisionError

    topic = Topic()
    topic.subscribe(await system.spawn(Failing()))
    (actor,) = await readers(system, topic, 1)
    assert [topic.publish("a"), topic.publish("b")] == [2, 2]
    await quiet()
    assert actor.log == ["a", "b"]


@pytest.mark.parametrize("when_full", ["block", "reject"])
async def test_a_subscriber_that_is_full_changes_nothing_for_the_others(system, when_full):
    """R58, promise 17: nobody waits for it, and its message is a dead letter."""
    topic = Topic()
    (slow,) = await readers(system, topic, 1, mailbox=Mailbox(1, when_full=when_full), name="slow")
    (actor,) = await readers(system, topic, 1)
    gate = Gate()
    await topic.subscribers[0].tell(gate)
    await gate.began.wait()
    assert [topic.publish(word) for word in "abc"] == [2, 1, 1]
    gate.open()
    await quiet()
    assert actor.log == ["a", "b", "c"]
    assert slow.log[1:] == ["a"]
    letters = list(system.dead_letters)
    assert [(letter.path, letter.message) for letter in letters] == [("system/slow", "b"), ("system/slow", "c")]
    assert "full" in letters[0].reason


async def test_a_mailbox_that_drops_drops(system):
    topic = Topic()
    (slow,) = await readers(system, topic, 1, mailbox=Mailbox(1, when_full="drop_oldest"))
    gate = Gate()
    await topic.subscribers[0].tell(gate)
    await gate.began.wait()
    assert [topic.publish(word) for word in "abc"] == [1, 1, 1]
    gate.open()
    await quiet()
    assert slow.log[1:] == ["c"]
    assert [letter.message for letter in system.dead_letters] == ["a", "b"]


async def test_a_mailbox_that_raises_changes_nothing_for_the_others(system):
    topic = Topic()
    await readers(system, topic, 1, mailbox=Mailbox(priority=lambda message: 1 / 0), name="odd")
    (actor,) = await readers(system, topic, 1)
    assert topic.publish("a") == 1
    await quiet()
    assert actor.log == ["a"]
    assert [letter.path for letter in system.dead_letters] == ["system/odd"]


async def test_a_dead_letter_says_who_has_published(system):
    topic = Topic()
    await readers(system, topic, 1, mailbox=Mailbox(priority=lambda message: 1 / 0))

    async def publish(_actor):
        return topic.publish("a")

    publisher = await system.spawn(Doer())
    assert await publisher.ask(publish) == 0
    (letter,) = system.dead_letters
    assert letter.sender is publisher


async def test_a_pool_can_subscribe_and_one_of_its_workers_is_told(system):
    topic = Topic()
    pool = await system.spawn(Pool(Reader, 3))
    topic.subscribe(pool)
    for number in range(6):
        topic.publish(number)
    await quiet()
    assert sorted(number for ref in pool.workers for number in ref._cell.actor.log) == list(range(6))


async def test_publishing_from_another_thread_is_an_error_of_the_publisher(system):
    """Promise 14."""
    topic = Topic()
    (actor,) = await readers(system, topic, 1)
    caught = []

    def publish():
        try:
            topic.publish("a")
        except WrongThreadError as error:
            caught.append(error)

    thread = threading.Thread(target=publish)
    thread.start()
    await anyio.to_thread.run_sync(thread.join)
    assert len(caught) == 1
    await quiet()
    assert actor.log == []
