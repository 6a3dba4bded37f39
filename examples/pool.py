"""A pool of workers with bounded mailboxes, a topic for what they have done, and a timer that looks at it all.

A desk hands out pages to be translated. When more come than the workers can do, the oldest give way; urgent ones come first.
After a while somebody looks at the tree, and everything that is being translated is interrupted at once.
"""

from __future__ import annotations

import anyio
import attrs

from actors import Actor, ActorSystem, DeadLetter, Interruption, Mailbox, Pool, Topic, debug


@attrs.frozen
class Page:
    """What is to be translated."""

    number: int
    lines: int
    urgent: bool = False


@attrs.define(eq=False, slots=False)
class Translator(Actor[Page, str]):
    """Takes a while for each page, and says on the topic when it is done."""

    done: Topic[str]

    async def reply(self, page: Page, /) -> str:
        """Translate one page."""
        await anyio.sleep(0.05 * page.lines)
        self.done.publish(f"page {page.number}, by translator {self.context.ref.name}")
        return "translated"

    async def handle_interrupt(self, page: Page, interruption: Interruption, /) -> str:
        """Put the page down."""
        self.done.publish(f"page {page.number} put down: {interruption.reason}")
        return "put down"


class Reporter(Actor[str, int]):
    """Counts what is done, and says so every now and then, by a timer."""

    def __init__(self) -> None:
        self.count = 0

    async def on_start(self) -> None:
        """Look at the count from now on. The timer ends with this actor."""
        self.context.every(0.25, "look")

    async def reply(self, message: str, /) -> int:
        """Note it, or say how much there was."""
        if message == "look":
            print(f"    so far: {self.count}")
        else:
            self.count += 1
            print(message)
        return self.count


def lost(letter: DeadLetter) -> None:
    """Say what nobody will translate."""
    print(f"dropped: page {letter.message.number}, {letter.reason}")


async def main() -> None:
    """Hand out pages faster than they can be done."""
    async with ActorSystem(drain_timeout=2.0) as system:
        done: Topic[str] = Topic("done")
        done.subscribe(await system.spawn(Reporter(), name="reporter"))
        system.dead_letters.subscribe(lost)
        desk = await system.spawn(
            Pool(lambda: Translator(done), 2, route="least_busy"),
            name="desk",
            mailbox=Mailbox(2, when_full="drop_oldest", priority=lambda page: page.urgent),
        )
        for number in range(1, 9):
            await desk.tell(Page(number, lines=4 if number < 7 else 1000, urgent=number == 5))
            await anyio.sleep(0.01)
        await anyio.sleep(0.6)
        debug.tree(system)
        receipt = await desk.interrupt("the office closes")
        print(f"{receipt.outcome}: {len(receipt.children)} pages")


if __name__ == "__main__":
    anyio.run(main)
