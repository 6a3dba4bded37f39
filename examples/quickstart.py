"""A storyteller that can be stopped in the middle of a sentence, and that knows it afterwards."""

from collections.abc import AsyncIterator

import anyio

from actors import ActorSystem, Agent, Msg

STORY = "Once there was a lighthouse made of salt, and nobody in the town could remember a time before it."


class Storyteller(Agent):
    """Tells the story, and goes on where it was stopped."""

    async def reply(self, message: Msg) -> AsyncIterator[str]:
        """Answer one message, word by word; what has been yielded is the partial reply."""
        history = self.take_observed(message)  # what is not answered in full yet, how far it got, and the message
        told = " ".join(said.get_text_content() or "" for said in history if said.role == "assistant")
        for word in STORY.split()[len(told.split()) :]:
            await anyio.sleep(0.05)  # a model would think here
            yield f"{word} "


async def main() -> None:
    """Ask, interrupt, and ask again."""
    async with ActorSystem() as system:
        teller = await system.spawn(Storyteller("teller", console=False))
        async with teller.stream(Msg("anna", "A story, please", "user")) as run:
            async for word in run:
                print(word, end="", flush=True)
                if word == "of ":  # in the middle of a sentence
                    receipt = await run.interrupt("I have to go", by="anna")
                    print(f"\n[{receipt.outcome} in {receipt.elapsed * 1000:.1f} ms]")
        cut = await run  # a reply all the same: what had been said, marked as interrupted
        print(repr(cut.content), cut.metadata["_is_interrupted"], cut.metadata["reason"])
        print((await teller.ask(Msg("anna", "Go on", "user"))).content)


anyio.run(main)
