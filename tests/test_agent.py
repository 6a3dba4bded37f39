"""Agents: what they hear, what they say, and what remains of a reply that was cut off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest

from actors import ActorStopped, ActorSystem, DeadLetter, Interruption, Msg, SpawnError, UsageError
from actors._agent import Agent
from actors._agent_ref import AgentRef, Input
from actors._observed import NOTHING_SAID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def said(text: str, name: str = "anna") -> Msg:
    return Msg(name, text, "user")


def texts(messages: list[Msg]) -> list[str | None]:
    return [message.get_text_content() for message in messages]


class Teller(Agent):
    """Says "Once upon". Asked for something long, or patient, it then waits for ever; asked to fail it fails."""

    def __init__(self, words: tuple[str, ...] = ("Once ", "upon"), name: str = "teller") -> None:
        super().__init__(name, console=False)
        self.words = words
        self.histories: list[list[Msg]] = []
        self.waits = anyio.Event()
        self.patient = False

    async def reply(self, message: Input) -> AsyncIterator[str]:
        self.histories.append(self.take_observed(message))
        for word in self.words:
            yield word
        texts_now = " ".join(filter(None, texts(self.histories[-1][-1:])))
        if "fail" in texts_now:
            raise ZeroDivisionError
        if "long" in texts_now or self.patient:
            self.waits.set()
            await anyio.sleep_forever()

    async def interrupted_after(self, ref: AgentRef, asked: Input, reason: str = "", **more: Any) -> Msg:
        """Ask, and interrupt when it waits."""
        self.waits = anyio.Event()
        run = await ref.request(asked)
        await self.waits.wait()
        assert await run.interrupt(reason, **more)
        return await run


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


# -- interrupts


async def test_an_interrupted_reply_is_what_had_been_said_marked_as_interrupted() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        run = await teller.request(said("A long story, please"), run_id="r1")
        await agent.waits.wait()
        await run.interrupt("user pressed stop", by="anna")
        reply = await run
    assert (reply.name, reply.content, reply.role) == ("teller", "Once upon", "assistant")
    assert reply.metadata == {"_is_interrupted": True, "reason": "user pressed stop", "by": "anna", "run_id": "r1"}
    assert json.loads(json.dumps(reply.to_dict()))["metadata"]["_is_interrupted"] is True


async def test_an_agent_that_had_said_nothing_says_that_it_noticed() -> None:
    agent = Teller(words=(" ",))
    async with ActorSystem() as system:
        reply = await agent.interrupted_after(await system.spawn(agent), said("A long story"))
    assert reply.content == "I noticed that you have interrupted me. What can I do for you?"
    assert reply.metadata["_is_interrupted"] is True


async def test_the_next_reply_knows_what_was_asked_what_had_been_said_and_that_it_was_stopped() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await agent.interrupted_after(teller, said("A long story"), "too long")
        await teller.ask(said("Go on"))
        await teller.ask(said("And then?"))
    second, third = agent.histories[1:]
    assert texts(second) == ["A long story", "Once upon", "Go on"]
    assert [message.role for message in second] == ["user", "assistant", "user"]
    assert second[1].metadata["reason"] == "too long"
    assert texts(third) == ["And then?"]  # the one before completed: used up


async def test_an_interrupted_reply_is_printed_then_observed_then_returned() -> None:
    """The order AgentScope's users rely on."""
    order: list[tuple[str, str, Any]] = []

    class Careful(Teller):
        async def print(self, msg: Msg, last: bool = True) -> None:  # noqa: FBT001, FBT002
            order.append(("print", msg.id, last))
            await super().print(msg, last)

        async def observe(self, msg: Input) -> None:
            assert isinstance(msg, Msg)
            order.append(("observe", msg.id, None))
            await super().observe(msg)

    agent = Careful()
    async with ActorSystem() as system:
        reply = await agent.interrupted_after(await system.spawn(agent), said("A long story"))
    assert order == [("print", reply.id, True), ("observe", reply.id, None)]


async def test_a_run_interrupted_before_it_began_is_heard_and_acknowledged() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        first = await teller.request(said("A long story"))
        await agent.waits.wait()
        second = await teller.request(said("And one about cats"))
        second_interrupted = await second.interrupt(grace=0)
        assert second_interrupted.outcome == "deferred"
        await first.interrupt()
        assert (await first).content == "Once upon"
        assert (await second).content == NOTHING_SAID
        await teller.ask(said("Go on"))
    assert len(agent.histories) == 2  # the second never began
    assert texts(agent.histories[1]) == ["A long story", "Once upon", "And one about cats", NOTHING_SAID, "Go on"]


async def test_interrupts_without_a_word_of_the_user_in_between_do_not_pile_up() -> None:
    """R20: no second message of the same role in a row."""
    agent = Teller(words=())
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        agent.patient = True
        await agent.interrupted_after(teller, said("A story"))
        await agent.interrupted_after(teller, None)
        agent.words = ("Well", "...")
        await agent.interrupted_after(teller, None)
        agent.words = ()
        await agent.interrupted_after(teller, None)
        agent.words = ("As I said",)
        await agent.interrupted_after(teller, None, "again")
        agent.patient = False
        await teller.ask(said("Go on"))
    assert texts(agent.histories[2]) == ["A story", NOTHING_SAID]
    assert texts(agent.histories[-1]) == ["A story", "Well...\nAs I said", "Go on"]
    assert agent.histories[-1][1].metadata["reason"] == "again"


async def test_what_the_interrupter_says_is_heard_after_the_reply_that_it_cut_off() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        await agent.interrupted_after(teller, said("A long story"), message=said("No, a poem!"))
        await agent.interrupted_after(teller, said("A long poem"), message="Shorter!", by="ben")
        await teller.ask(None)
    assert texts(agent.histories[1]) == ["A long story", "Once upon", "No, a poem!", "A long poem"]
    assert texts(agent.histories[2])[4:] == ["Once upon", "Shorter!"]
    assert (agent.histories[2][-1].name, agent.histories[2][-1].role) == ("ben", "user")


async def test_the_agent_remembers_its_interrupted_reply_apart_from_the_one_it_gave() -> None:
    agent = Teller()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        reply = await agent.interrupted_after(teller, said("A long story"))
        reply.content = "something else"
        reply.metadata.clear()
        await teller.ask(said("Go on"))
    assert texts(agent.histories[1])[1] == "Once upon"
    assert agent.histories[1][1].metadata["_is_interrupted"] is True


async def test_an_agent_may_make_its_own_reply_of_an_interrupt() -> None:
    class Polite(Teller):
        async def handle_interrupt(self, message: Any, interruption: Interruption[Any], /) -> Msg:
            return Msg(self.name, f"Pardon, {interruption.by}. I was at {interruption.partial[-1]!r}.", "assistant")

    agent = Polite()
    async with ActorSystem() as system:
        teller = await system.spawn(agent)
        assert (await agent.interrupted_after(teller, said("A long story"), by="anna")).content == (
            "Pardon, anna. I was at 'upon'."
        )
        await teller.ask(said("Go on"))
    assert texts(agent.histories[1]) == ["A long story", "Go on"]  # what was taken is given back all the same


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
    assert [message["content"] for message in _observed(agent)] == ["A long story"]


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
        with pytest.raises(TypeError, match="take_observed of teller takes a Msg, a list of Msg, or None, not str: 'hi'"):
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


# -- showing


async def test_what_is_printed_while_it_grows_is_written_and_emitted_once(capsys: pytest.CaptureFixture[str]) -> None:
    class Prints(Agent):
        async def reply(self, message: Msg) -> Msg:
            answer = Msg(self.name, "", "assistant")
            for text in ("Once", "Once upon", "Once upon a time"):
                answer.content = text
                await self.print(answer, False)
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
            await self.print(answer, False)
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
    assert [message["content"] for message in _observed(agent)] == ["A long story", "Once upon"]
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
        def __init__(self) -> None:  # pyright: ignore[reportMissingSuperCall]
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


@pytest.mark.parametrize("decorate", [attrs.define, attrs.define(slots=False), attrs.frozen], ids=["slots", "dict", "frozen"])
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
        assert [message["content"] for message in _observed(agent)] == ["A long story"]
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


def _observed(agent: Agent) -> list[Any]:
    observed: Any = agent.state_dict()["observed"]
    return observed
