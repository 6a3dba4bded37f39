"""What an agent makes of an interrupt, and what it knows of it afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from actors import ActorSystem, Interruption, Msg
from actors.agents._observed import NOTHING_SAID
from tests._teller import Teller, said, texts

if TYPE_CHECKING:
    from actors.agents._agent_ref import Input


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
