"""A host with two guests: actors that ask actors, so that one interrupt has a tree to stop."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import anyio
import attrs

from actors import Actor, Msg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors import AgentRef, Interruption


@attrs.frozen
class Said:
    """A piece of the show: who says what."""

    name: str
    words: str


@attrs.define(eq=False)
class Host(Actor[str, str, Said]):
    """Lets two agents talk: first one after the other, then both at once.

    It is a plain actor. An `Agent` talks in messages; an `Actor` takes, gives and yields what its three types say.
    """

    ada: AgentRef
    ben: AgentRef
    turns: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    async def reply(self, topic: str, /) -> str:
        """Lead the conversation. Each question is a run that belongs to this one."""
        opening = await self.hear(self.ada, f"Ada, tell Ben a short story about {topic}.")
        answer = await self.hear(self.ben, f"Ben, Ada ends with “{last_words(opening)}” Go on, but keep it short.")
        async with anyio.create_task_group() as group:
            group.start_soon(self.hear, self.ada, f"Ada, Ben ends with “{last_words(answer)}” And then?")
            group.start_soon(self.hear, self.ben, "Ben, you need not wait for her.")
        return "They have told each other everything."

    async def hear(self, guest: AgentRef, question: str) -> str:
        """Ask a guest, and pass on each word as it comes."""
        self.context.emit(Said("host", question))
        run_id = f"{guest.name}-{next(self.turns)}"  # a run has an id by itself; this one is easier to read
        async with guest.stream(Msg("host", question, "user"), run_id=run_id) as run:
            async for words in run:
                self.context.emit(Said(guest.name, str(words)))
        return (await run).get_text_content() or ""

    async def handle_interrupt(self, topic: str, interruption: Interruption[Said], /) -> str:
        """Make the reply of a show that was interrupted."""
        return f"The show about {topic} was stopped by {interruption.by}: {interruption.reason}."


def last_words(text: str) -> str:
    """What somebody can be asked about."""
    return f"… {' '.join(text.split()[-4:])}"
