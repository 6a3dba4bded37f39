"""What an agent has heard and not answered yet, and what the reply that runs now has taken of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import attrs

from actors.agents._message import Msg

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERRUPTED = "_is_interrupted"
"""The key in a message's metadata that says, with True, that the reply was cut off; the name is AgentScope's."""

NOTHING_SAID = "I noticed that you have interrupted me. What can I do for you?"
"""What an agent answers that was interrupted before it had said anything; the words are AgentScope's."""


def messages_in(value: object, where: str) -> list[Msg]:
    """Copies of the messages that an argument ``Msg | list[Msg] | None`` holds.

    Args:
        value: the argument.
        where: who takes it, for the error.

    Raises:
        TypeError: it is something else.
    """
    if value is None:
        return []
    if isinstance(value, Msg):
        return [value.copy()]
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{where} takes a Msg, a list of Msg, or None, not {type(value).__name__}: {value!r:.80}")
    messages = cast("list[Any]", value)
    for index, message in enumerate(messages):
        if not isinstance(message, Msg):
            raise TypeError(f"{where} takes a list of Msg; [{index}] is {type(message).__name__}: {message!r:.80}")
    return [message.copy() for message in messages]


@attrs.define
class Observed:
    """The messages heard since the last complete reply, in order. It owns its messages: they are copied in and out.

    The same message (equal, id included) is in it once, however often it is heard: one that is there already, or that
    the reply which runs now has taken, is not added again.
    """

    _heard: list[Msg] = attrs.field(factory=list[Msg], init=False)
    _taken: list[Msg] = attrs.field(factory=list[Msg], init=False)

    def hear(self, messages: Iterable[Msg]) -> None:
        """Add messages at the end. A reply that was cut off joins one that is last already: see `_rejoined`."""
        for message in messages:
            if message in self._heard or message in self._taken:
                continue
            if self._heard and (whole := _rejoined(self._heard[-1], message)) is not None:
                self._heard[-1] = whole
            else:
                self._heard.append(message.copy())

    def take(self, inputs: list[Msg]) -> list[Msg]:
        """Move everything out, then the inputs; an input that was heard before comes last all the same, and once."""
        new: list[Msg] = []
        for message in inputs:
            if message not in self._taken and message not in new:
                new.append(message.copy())
        moved = [message for message in self._heard if message not in new] + new
        self._heard.clear()
        self._taken += moved
        return [message.copy() for message in moved]

    def drop_taken(self) -> None:
        """What was taken has been used up."""
        self._taken.clear()

    def give_back(self) -> None:
        """What was taken has not been used up: it is there again, before what was heard in the meantime."""
        self._heard[:0] = self._taken
        self._taken.clear()

    def messages(self) -> list[Msg]:
        """All that is not used up, as it would be if the reply that runs now ended without a reply."""
        return [message.copy() for message in self._taken + self._heard]

    def replace(self, messages: Iterable[Msg]) -> None:
        """Forget all, and have heard these."""
        self._taken.clear()
        self._heard[:] = [message.copy() for message in messages]


def _rejoined(before: Msg, after: Msg) -> Msg | None:
    """One message for two replies of one agent that were cut off, with nothing heard in between; else None.

    Two messages of the assistant in a row would be refused by some providers, and a row of acknowledgements helps
    nobody.
    """
    if not (before.metadata.get(INTERRUPTED) and after.metadata.get(INTERRUPTED)) or before.name != after.name:
        return None
    whole = after.copy()
    if after.content == NOTHING_SAID:
        whole.content = before.content
    elif before.content != NOTHING_SAID:
        whole.content = (
            f"{before.content}\n{after.content}"
            if isinstance(before.content, str) and isinstance(after.content, str)
            else [*before.get_content_blocks(), *after.get_content_blocks()]
        )
    return whole
