"""The storyteller inside `model_server.py`: its answer follows from the conversation, and from nothing else.

It goes on where its last words in the conversation stopped, says so if it was cut off, and takes up the words of the
user. So an answer shows what of a conversation arrived.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

# How a client marks a reply that was cut off: at the end of its text, so that any model understands it.
INTERRUPTED = re.compile(r"\s*\[interrupted\b[^\]]*\]\s*$", re.IGNORECASE)

SHORT = 3  # sentences, when the user asks for something short

TALE = """
Once there was {hero}, and nobody in the town could remember a time before it.
The houses leaned towards the harbour as if they wanted to hear what the water had to say.
Every evening a boy called Tom carried a lamp down the hundred and twelve steps to the quay.
He counted them aloud, and every evening he came to a different number.
One night the number was a hundred and thirteen, and the last step was warm.
He knelt down and heard something breathe beneath the stone, slowly, like someone who has slept for a long time.
He asked it for its name, and it asked him for the time.
Half past nine, said Tom, and the thing beneath the stone sighed, because it had wanted to get up at eight.
From that night on he brought it the news: who had married, who had sailed, and what the bread had cost.
In return it told him about the winters before the town, when the whales came in to sing under the cliffs.
In spring a ship arrived that had no name on its bow and no shadow on the water.
Its captain bought four barrels of salt and asked, as if it did not matter, about warm stones.
Nobody said a word, for the town could keep a secret, and had already kept larger ones.
But the captain saw Tom look at his feet, and smiled, and paid for the salt in very old coins.
That night the hundred and thirteenth step was cold.
Tom ran along the quay with his lamp and called until all the dogs in the town had joined him.
Far out the ship lay still although the wind was strong, and something sang beneath it.
He rowed out in his uncle's boat, which had one oar and a half, and it took him until midnight.
The captain stood at the rail and wept, because the song was about his mother, whom he had forgotten.
Take it home, he said, I only wanted to know whether it still remembers us.
So they went back together, the boy in front, and the sea behind them lit up like a street on a holiday.
In the morning there were a hundred and twelve steps again, and on each of them lay a coin.
Tom bought the other half of the oar with them, and a clock that strikes at eight.
And if you walk down to the quay tonight, and count aloud, you may come to {hero} as well. The end.
""".strip()


@attrs.frozen
class Turn:
    """One message of the conversation: ``role`` and text."""

    role: str
    text: str


def answer(conversation: Sequence[Turn]) -> list[str]:
    """The words of the answer to a conversation; the same conversation always gets the same answer.

    Args:
        conversation: All messages so far, oldest first. the newest "about X" of the user names the hero of the tale;
            "short" in the last one asks for a few sentences only; ``[interrupted ...]`` at the end of the last message
            of the assistant says that it was cut off there.
    """
    asked = [turn.text for turn in conversation if turn.role == "user"]
    request = asked[-1].strip() if asked else ""
    hero = next((found for text in reversed(asked) if (found := _hero(text))), "a lighthouse made of salt")
    sentences = [line.format(hero=hero).split() for line in TALE.splitlines()]
    tale = [word for sentence in sentences for word in sentence]
    told = _told(conversation, tale)
    opening = f"{_acknowledgement(conversation, tale, told)} “{request}”, you say? {'…' if told else ''}".split()
    if told == len(tale):
        return [*opening, "There", "is", "no", "more", "to", "tell."]
    return [*opening, *tale[told : _until(sentences, told, short="short" in request.lower())]]


def _acknowledgement(conversation: Sequence[Turn], tale: list[str], told: int) -> str:
    last = next((turn.text for turn in reversed(conversation) if turn.role == "assistant"), "")
    if not INTERRUPTED.search(last):
        return ""
    if told == 0:
        return "You stopped me before I had begun."
    return f"You stopped me at “{' '.join(tale[max(0, told - 4) : told])}”."


def _hero(text: str) -> str | None:
    found = re.search(r"\babout ([^,.;:!?\n]+)", text)
    return found[1].removesuffix(" please").replace("{", "").strip() if found else None


def _told(conversation: Sequence[Turn], tale: list[str]) -> int:
    """How many words of the tale the assistant has said: each of its messages may end with the next piece."""
    told = 0
    for turn in conversation:
        if turn.role == "assistant":
            words = INTERRUPTED.sub("", turn.text).split()
            longest = min(len(words), len(tale) - told)
            told += next((size for size in range(longest, 0, -1) if words[-size:] == tale[told : told + size]), 0)
    return told


def _until(sentences: list[list[str]], told: int, *, short: bool) -> int:
    """The word before which to stop."""
    ends = [sum(map(len, sentences[: index + 1])) for index in range(len(sentences))]
    ahead = [end for end in ends if end > told]
    return ahead[min(SHORT, len(ahead)) - 1] if short else ends[-1]
