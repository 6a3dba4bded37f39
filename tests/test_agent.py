"""Agents: what they say, how they show it, and what an agent is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest

from actors import ActorSystem, Msg, SpawnError
from actors.agents._agent import Agent
from actors.agents._agent_ref import AgentRef
from tests._teller import Teller, observed, said, texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


# -- replies


async def test_the_reply_of_a_generator_is_one_message_from_the_agent() -> None:
    async with ActorSystem() as system:
        teller = await system.spawn(Teller())
        reply = await teller.ask(said("A story, please"))
    assert (reply.name, reply.content, reply.role, reply.metadata) == ("teller", "Once upon", "assistant", {})


async def test_the_reply_of_a_coroutine_is_the_message_it_returns() -> None:
    class Echo(Agent):
        async def reply(self, message: Msg) -> Msg:
            return Msg(self.name, f"You said {message.content}", "assistant")

    async with ActorSystem() as system:
        echo = await system.spawn(Echo("echo"))
        assert isinstance(echo, AgentRef)
        assert (await echo.ask(said("hello"))).content == "You said hello"


async def test_words_reach_whoever_reads_the_stream() -> None:
    async with ActorSystem() as system:
        teller = await system.spawn(Teller())
        async with teller.stream(said("A story, please")) as run:
            assert [chunk async for chunk in run] == ["Once ", "upon"]


async def test_a_chunk_that_is_none_is_refused_by_name() -> None:
    class Counter(Agent):
        async def reply(self, message: Msg) -> AsyncIterator[Any]:
            yield 1

    async with ActorSystem() as system:
        counter = await system.spawn(Counter("counter"))
        with pytest.raises(TypeError, match="chunks of an agent's reply are str or Msg, not int: 1"):
            await counter.ask(None)


# -- showing


async def test_what_is_printed_while_it_grows_is_written_and_emitted_once(capsys: pytest.CaptureFixture[str]) -> None:
    class Prints(Agent):
        async def reply(self, message: Msg) -> Msg:
            answer = Msg(self.name, "", "assistant")
            for text in ("Once", "Once upon", "Once upon a time"):
                answer.content = text
                await self.print(answer, last=False)
            await self.print(answer)
            return answer

    async with ActorSystem() as system:
        prints = await system.spawn(Prints("prints"))
        run = await prints.request(said("hi"))
        chunks = [chunk async for chunk in run]
        reply = await run
    assert [chunk.content for chunk in chunks if isinstance(chunk, Msg)] == [
        [{"type": "text", "text": text}] for text in ("Once", " upon", " a time")
    ]
    assert {chunk.id for chunk in chunks if isinstance(chunk, Msg)} == {reply.id}
    assert capsys.readouterr().out == "prints: Once upon a time\n"


async def test_a_printed_message_that_is_cut_off_keeps_its_id_and_is_not_printed_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """R16: remembered once, by id."""

    class Prints(Teller):
        async def reply(self, message: Msg) -> Msg:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            answer = Msg(self.name, "Once upon", "assistant")
            await self.print(answer, last=False)
            self.printed = answer.id
            self.waits.set()
            await anyio.sleep_forever()
            return answer

    agent = Prints()
    agent.console = True
    async with ActorSystem() as system:
        reply = await agent.interrupted_after(await system.spawn(agent), said("hi"))
    assert (reply.id, reply.content) == (agent.printed, "Once upon")
    assert capsys.readouterr().out == "teller: Once upon\n"


@pytest.mark.parametrize("how", ["argument", "environment"])
async def test_with_the_console_off_a_message_is_emitted_and_remembered_all_the_same(
    how: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Teller()
    agent.console = False if how == "argument" else None
    if how == "environment":
        monkeypatch.setenv("ACTORS_DISABLE_CONSOLE_OUTPUT", "true")
    async with ActorSystem() as system:
        reply = await agent.interrupted_after(await system.spawn(agent), said("A long story"))
    assert reply.content == "Once upon"
    assert [message["content"] for message in observed(agent)] == ["A long story", "Once upon"]
    assert not capsys.readouterr().out


async def test_an_interrupted_reply_of_words_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    agent = Teller()
    agent.console = None
    async with ActorSystem() as system:
        await agent.interrupted_after(await system.spawn(agent), said("A long story"))
    assert capsys.readouterr().out == "teller: Once upon\n"


async def test_an_agent_that_is_not_in_a_system_can_print(capsys: pytest.CaptureFixture[str]) -> None:
    agent = Agent("lonely")
    await agent.print(Msg("lonely", "Hello?", "assistant"))
    with pytest.raises(TypeError, match="print of lonely takes a Msg, not str"):
        await agent.print("Hello?")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert capsys.readouterr().out == "lonely: Hello?\n"


# -- being one


async def test_an_agent_is_spawned_under_its_name() -> None:
    async with ActorSystem() as system:
        assert (await system.spawn(Teller())).name == "teller"
        assert (await system.spawn(Teller(), name="second")).name == "second"
        with pytest.raises(SpawnError, match="taken"):
            await system.spawn(Teller())


async def test_an_agent_that_did_not_call_super_init_is_told_at_spawn() -> None:
    class Forgetful(Teller):
        def __init__(self) -> None:
            pass

    async with ActorSystem() as system:
        with pytest.raises(SpawnError, match=r"Forgetful.__init__ has to call super\(\).__init__\(name\), and did not"):
            await system.spawn(Forgetful())


async def test_an_agent_needs_a_reply_and_a_name_that_is_a_text() -> None:
    async with ActorSystem() as system:
        with pytest.raises(SpawnError, match="Agent has no reply"):
            await system.spawn(Agent("lonely"))
    with pytest.raises(TypeError, match="name"):
        Agent(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "decorate", [attrs.define, attrs.define(slots=False), attrs.frozen], ids=["slots", "dict", "frozen"]
)
async def test_attrs_classes_can_be_agents(decorate: Any) -> None:
    class Plain(Agent):
        model: str = "small"

        async def reply(self, message: Msg) -> Msg:
            return Msg(self.name, f"{self.model} {texts(self.take_observed(message))}", "assistant")

    kind = decorate(Plain)
    async with ActorSystem() as system:
        ref = await system.spawn(kind("sophie", "large"))
        await ref.observe(said("one"))
        assert (await ref.ask(said("two"))).content == "large ['one', 'two']"


async def test_the_state_of_an_agent_survives_json_and_a_new_instance() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await agent.interrupted_after(teller, said("A long story"))
        await teller.observe(said("It is raining", "ben"))
        await teller.stop()
        again = Teller()
        again.load_state_dict(json.loads(json.dumps({**agent.state_dict(), "memory": "of a subclass"})))
        teller = await system.spawn(again)
        await teller.ask(said("Go on"))
    assert texts(again.histories[0]) == ["A long story", "Once upon", "It is raining", "Go on"]
    assert again.histories[0][1].metadata["_is_interrupted"] is True


async def test_a_state_saved_during_a_reply_has_what_that_reply_has_taken() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        run = await teller.request(said("A long story"))
        await agent.waits.wait()
        assert [message["content"] for message in observed(agent)] == ["A long story"]
        await run.interrupt()


def test_a_state_that_is_none_is_refused_and_changes_nothing() -> None:
    agent = Teller()
    agent.load_state_dict({"observed": [said("hello").to_dict()]})
    before = agent.state_dict()
    with pytest.raises(ValueError, match=r"'observed' is missing; there are \['memory'\]"):
        agent.load_state_dict({"memory": []})
    with pytest.raises(ValueError, match="content, role missing"):
        agent.load_state_dict({"observed": [said("one").to_dict(), {"name": "anna"}]})
    with pytest.raises(TypeError, match="takes what state_dict gave, not"):
        agent.load_state_dict({"observed": "hello"})
    assert agent.state_dict() == before
