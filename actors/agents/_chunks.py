"""The pieces of an agent's reply: what one is, how they become one message, and what of a growing message is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs

from actors.agents._message import Msg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.agents._blocks import ContentBlock

Chunk: TypeAlias = str | Msg
"""A piece of a reply: the next words, or a message with the next words, blocks of thinking, calls and so on in it."""

_GROWING = ("text", "thinking")  # blocks whose text comes bit by bit; their text is under the name of their type


def joined(name: str, chunks: Sequence[Chunk]) -> Msg:
    """One message of ``name``, in the role of the assistant, of all that the chunks say.

    Words follow each other as they are. Where one message ends and another begins, or where words meet a message, a new
    text begins; if nothing but text was said the content is one string, with a line break between such texts, else a
    list of blocks. Messages in another role (the result of a tool, shown to the user) are not what the agent says, and
    are left out. Their metadata go into one dict, the later ones winning. If all is of one message, the result has its
    id.

    Args:
        name: whose message it is to be.
        chunks: what was yielded, printed or emitted, in order.

    Raises:
        TypeError: a chunk is neither a str nor a Msg.
    """
    words = [chunk for chunk in chunks if isinstance(chunk, str)]
    if len(words) == len(chunks):
        return Msg(name, "".join(words), "assistant")
    blocks: list[dict[str, Any]] = []
    metadata: dict[str, Any] = {}
    sources: set[str] = set()
    before: str | None = None  # where the chunk before this one was from
    for chunk in chunks:
        source, pieces = _opened(chunk)
        if isinstance(chunk, Msg) and chunk.role == "assistant":
            metadata |= chunk.metadata
        for piece in pieces:
            kind = piece["type"]
            if before == source and kind in _GROWING and blocks and blocks[-1]["type"] == kind:
                blocks[-1][kind].append(piece[kind])
            else:
                blocks.append({**piece, kind: [piece[kind]]} if kind in _GROWING else piece)
            before = source
            sources.add(source)
    whole = [
        {**each, each["type"]: "".join(each[each["type"]])} if each["type"] in _GROWING else each for each in blocks
    ]
    only_text = all(block["type"] == "text" for block in whole)
    content = "\n".join(block["text"] for block in whole) if only_text else cast("list[ContentBlock]", whole)
    message = Msg(name, content, "assistant", metadata)
    if len(sources) == 1 and "" not in sources:
        message.id = sources.pop()
    return message


def _opened(chunk: Chunk) -> tuple[str, list[dict[str, Any]]]:
    """Where a chunk is from (the id of a message; empty for bare words), and the blocks in it that count."""
    if isinstance(chunk, str):
        return "", [{"type": "text", "text": chunk}]
    if not isinstance(chunk, Msg):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped agents
        raise TypeError(f"the chunks of an agent's reply are str or Msg, not {type(chunk).__name__}: {chunk!r:.80}")
    if chunk.role != "assistant":
        return chunk.id, []
    return chunk.id, cast("list[dict[str, Any]]", chunk.get_content_blocks())


@attrs.define
class Increments:
    """What is new in messages that are shown again and again while they grow, as AgentScope's agents do."""

    _shown: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict[str, list[dict[str, Any]]], init=False)

    def of(self, message: Msg, *, last: bool) -> Msg | None:
        """A message with the same id of what is new in this one since it was last given here; None if nothing is.

        Text and thinking are compared bit by bit; one that does not begin with what was shown before is new as a whole.
        Other blocks count when they are complete, which is known with ``last``.

        Args:
            message: the message as it is now.
            last: whether it is complete. It is forgotten then; given again it would be new as a whole.
        """
        shown = self._shown.pop(message.id, [])
        blocks = cast("list[dict[str, Any]]", message.get_content_blocks())
        if not last:
            self._shown[message.id] = blocks
        new: list[dict[str, Any]] = []
        for index, block in enumerate(blocks):
            kind = block["type"]
            if kind not in _GROWING:
                new += [block] if last else []
                continue
            before = shown[index] if index < len(shown) else {}
            text, had = block[kind], before.get(kind, "")
            rest = text[len(had) :] if before.get("type") == kind and text.startswith(had) else text
            if rest:
                new.append({**block, kind: rest})
        if not new:
            return None
        metadata = message.metadata if last else None
        piece = Msg(message.name, cast("list[ContentBlock]", new), message.role, metadata, message.timestamp)
        piece.id = message.id
        return piece

    def forget(self) -> None:
        """The reply in which they grew has ended."""
        self._shown.clear()
