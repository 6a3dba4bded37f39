"""An agent for the tests of agents, and short forms for what they do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from actors import Msg
from actors.agents._agent import Agent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from actors.agents._agent_ref import AgentRef, Input


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


def observed(agent: Agent) -> list[Any]:
    """What the agent has heard and not used up, as JSON."""
    heard: Any = agent.state_dict()["observed"]
    return list(heard)
