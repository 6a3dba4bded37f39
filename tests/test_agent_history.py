"""What agents hear, what a reply takes of it, and when that is given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors import ActorStopped, ActorSystem, DeadLetter, Interruption, Msg, UsageError
from actors.agents._agent import Agent
from tests._teller import Teller, observed, said, texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from actors.agents._agent_ref import Input


# -- what is taken, and given back


async def test_what_a_failed_reply_had_taken_is_given_back() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await teller.observe(said("It is raining", "ben"))
        with pytest.raises(ZeroDivisionError):
            await teller.ask(said("Please fail"))
        await teller.ask(said("Again"))
    assert texts(agent.histories[1]) == ["It is raining", "Please fail", "Again"]


async def test_an_input_that_is_asked_again_is_not_sent_twice() -> None:
    agent = Teller()
    request = said("A long story")
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await agent.interrupted_after(teller, request)
        await agent.interrupted_after(teller, [request])
        await teller.observe(request)
        await agent.interrupted_after(teller, request)
    assert [texts(history).count("A long story") for history in agent.histories] == [1, 1, 1]
    assert [texts(history)[-1] for history in agent.histories] == ["A long story"] * 3


async def test_what_a_killed_reply_had_taken_is_given_back() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await teller.observe(said("It is raining", "ben"))
        run = await teller.request(said("A long story"))
        await agent.waits.wait()
        await teller.kill()
        with pytest.raises(ActorStopped):
            await run
    assert agent.state_dict()["observed"] == [
        message.to_dict() for message in agent.histories[0]
    ]  # without an acknowledgement: handle_interrupt did not run


async def test_what_a_reply_had_taken_when_the_system_was_cancelled_is_given_back() -> None:
    agent = Teller()
    with anyio.CancelScope() as scope:
        async with ActorSystem() as system:
            teller = await system.spawn(agent)
            await teller.request(said("A long story"))
            await agent.waits.wait()
            scope.cancel()
            await anyio.sleep_forever()
    assert [message["content"] for message in observed(agent)] == ["A long story"]


async def test_what_is_used_up_is_not_given_back() -> None:
    class Remembers(Teller):
        def __init__(self) -> None:
            super().__init__()
            self.memory: list[Msg] = []

        async def reply(self, message: Input) -> AsyncIterator[str]:
            self.memory += self.take_observed(message)
            self.used_up()
            yield "Well, "
            if "long" in (self.memory[-1].get_text_content() or ""):
                self.waits.set()
                await anyio.sleep_forever()

    agent = Remembers()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await agent.interrupted_after(teller, said("A long story"))
        await teller.ask(said("Go on"))
    assert texts(agent.memory) == ["A long story", "Well, ", "Go on"]


async def test_what_is_heard_during_a_reply_waits_for_the_next_one() -> None:
    class Listens(Teller):
        async def reply(self, message: Input) -> AsyncIterator[str]:
            self.histories.append(self.take_observed(message))
            await self.observe(said("A dog barks", "ben"))
            yield "Once "
            if "long" in (self.histories[-1][-1].get_text_content() or ""):
                self.waits.set()
                await anyio.sleep_forever()

    agent = Listens()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await teller.ask(said("A story"))
        await agent.interrupted_after(teller, said("A long story"))
        await teller.ask(said("Go on"))
    assert texts(agent.histories[1]) == ["A dog barks", "A long story"]
    assert texts(agent.histories[2]) == ["A dog barks", "A long story", "A dog barks", "Once ", "Go on"]


async def test_what_others_let_an_agent_hear_while_it_replies_comes_after_the_reply() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        run = await teller.request(said("A long story"))
        await agent.waits.wait()
        await teller.observe(said("A dog barks", "ben"))
        await run.interrupt()
        await teller.ask(said("Go on"))
    assert texts(agent.histories[1]) == ["A long story", "Once upon", "A dog barks", "Go on"]


async def test_what_is_taken_is_moved_and_shared_with_nobody() -> None:
    class Spoils(Teller):
        async def reply(self, message: Input) -> AsyncIterator[str]:
            history = self.take_observed(message)
            self.histories.append([each.copy() for each in history])
            for each in history:
                each.content = "spoilt"
                each.metadata["spoilt"] = True
            history.clear()
            yield "Once"
            self.waits.set()
            if len(self.histories) == 1:
                await anyio.sleep_forever()

    agent = Spoils()
    heard, asked = said("It is raining", "ben"), said("A story")
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await teller.observe(heard)
        heard.content = "spoilt by the sender"
        await agent.interrupted_after(teller, asked)
        assert (asked.content, asked.metadata) == ("A story", {})
        asked.content = "spoilt by the sender"
        await teller.ask(said("Go on"))
    assert texts(agent.histories[1]) == ["It is raining", "A story", "Once", "Go on"]
    assert [message.metadata for message in agent.histories[1] if message.name != "teller"] == [{}, {}, {}]


async def test_a_second_call_in_one_reply_gives_only_what_is_new() -> None:
    class Twice(Agent):
        async def reply(self, message: Msg) -> Msg:
            first = self.take_observed(message)
            await self.observe(said("A dog barks", "ben"))
            return Msg(self.name, f"{texts(first)} {texts(self.take_observed(message))}", "assistant")

    async with ActorSystem() as system:
        twice = await system.spawn(Twice("twice"))
        assert (await twice.ask(said("hi"))).content == "['hi'] ['A dog barks']"


async def test_an_input_that_is_no_message_is_refused_and_the_asker_told() -> None:
    async with ActorSystem() as system:
        teller: Any = await system.spawn(Teller())
        with pytest.raises(
            TypeError, match="take_observed of teller takes a Msg, a list of Msg, or None, not str: 'hi'"
        ):
            await teller.ask("hi")
        with pytest.raises(TypeError, match=r"takes a list of Msg; \[1\] is str"):
            await teller.ask([said("hi"), "there"])


async def test_only_a_reply_can_take_what_was_observed() -> None:
    errors: list[UsageError] = []

    class Eager(Teller):
        async def on_start(self) -> None:
            with pytest.raises(UsageError, match="take_observed of teller belongs into its reply") as caught:
                self.take_observed()
            errors.append(caught.value)

        async def handle_interrupt(self, message: Any, interruption: Interruption[Any], /) -> Msg:
            with pytest.raises(UsageError, match="used_up of teller belongs into its reply") as caught:
                self.used_up()
            errors.append(caught.value)
            return await super().handle_interrupt(message, interruption)

    agent = Eager()
    with pytest.raises(UsageError):
        agent.take_observed()
    async with ActorSystem() as system:
        await agent.interrupted_after(await system.spawn(agent), said("A long story"))
    assert len(errors) == 2


# -- observing


async def test_what_is_observed_comes_in_order_with_the_senders_other_messages() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await teller.tell(said("one"))
        await teller.observe([said("two"), said("three", "ben")])
        await teller.tell(said("four"))
        await teller.observe(None)
        await teller.observe(said("five"))
        await teller.ask(None)
    assert [texts(history) for history in agent.histories] == [["one"], ["two", "three", "four"], ["five"]]


async def test_observing_is_no_run() -> None:
    class Slow(Teller):
        async def observe(self, msg: Input) -> None:
            self.waits.set()
            await anyio.sleep(0.01)
            await super().observe(msg)

    agent = Slow()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await teller.observe(said("hello"))
        await agent.waits.wait()
        assert (await teller.interrupt()).outcome == "idle"
        await teller.ask(said("and"))
        assert teller.statistics().completed == 1
    assert texts(agent.histories[0]) == ["hello", "and"]


async def test_something_that_is_no_message_is_refused_where_it_is_given_to_observe() -> None:
    async with ActorSystem() as system:
        teller: Any = await system.spawn(Teller())
        with pytest.raises(TypeError, match="observe of system/teller takes a Msg, a list of Msg, or None, not str"):
            await teller.observe("hello")


async def test_what_an_agent_that_has_ended_is_to_observe_is_a_dead_letter() -> None:
    letters: list[DeadLetter] = []
    async with ActorSystem(on_dead_letter=letters.append) as system:
        teller = await system.spawn(Teller())
        await teller.stop()
        await teller.observe(said("hello"))
    assert len(letters) == 1
