"""An agent whose words come from a model behind an OpenAI-compatible API, and that remembers the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Agent, Msg
from local_model import as_chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openai import AsyncOpenAI


class ModelAgent(Agent):
    """Streams its replies. Interrupted, it knows at the next question what it had said, and that it was stopped.

    Args:
        name: who speaks.
        client: the connection to the model. An interrupt closes only the stream of the reply that it cuts.
        model: which model to ask.
    """

    def __init__(self, name: str, client: AsyncOpenAI, model: str) -> None:
        super().__init__(name, console=False)  # whoever asks shows the words as they stream
        self.client = client
        self.model = model
        self.memory: list[Msg] = []

    async def reply(self, message: Msg | list[Msg] | None) -> AsyncIterator[str]:
        """Answer with what the model says, as it says it."""
        # Usually the question alone. After an interrupt also the one before it, and how far its answer had got.
        heard = self.take_observed(message)
        said = ""
        create = self.client.chat.completions.create
        async with await create(model=self.model, messages=as_chat([*self.memory, *heard]), stream=True) as stream:
            async for chunk in stream:
                words = chunk.choices[0].delta.content if chunk.choices else None
                if words:
                    said += words
                    yield words
        self.memory += [*heard, Msg(self.name, said, "assistant")]  # not reached by a reply that was cut
