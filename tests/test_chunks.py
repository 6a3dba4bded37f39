"""The pieces of an agent's reply: how they become one message, and what is new of a message that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Msg
from actors.agents._chunks import Increments, joined

if TYPE_CHECKING:
    from actors.agents._blocks import ContentBlock

CALL: ContentBlock = {"type": "tool_use", "id": "1", "name": "search", "input": {}}
IMAGE: ContentBlock = {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}}


def piece(text: str | list[ContentBlock], of: str = "m1", **more: Any) -> Msg:
    message = Msg("model", text, more.pop("role", "assistant"), **more)
    message.id = of
    return message


def test_words_are_joined_as_they_are() -> None:
    reply = joined("teller", ["Once ", "upon", "", " a time"])
    assert (reply.name, reply.content, reply.role) == ("teller", "Once upon a time", "assistant")
    assert joined("teller", []).content == ""


def test_pieces_of_one_message_are_one_message_with_its_id_and_metadata() -> None:
    reply = joined("teller", [piece("Once "), piece("upon", metadata={"a": 1}), piece("", metadata={"a": 2, "b": 3})])
    assert (reply.id, reply.name, reply.content, reply.metadata) == ("m1", "teller", "Once upon", {"a": 2, "b": 3})


def test_where_one_message_ends_and_another_begins_a_new_text_begins() -> None:
    reply = joined("teller", ["So: ", "well", piece("Once "), piece("upon"), piece("a time", of="m2")])
    assert reply.content == "So: well\nOnce upon\na time"
    assert reply.id not in {"m1", "m2"}


def test_blocks_that_are_no_text_stay_in_their_order() -> None:
    thinking: ContentBlock = {"type": "thinking", "thinking": "hm"}
    reply = joined(
        "teller", [piece([thinking]), piece([thinking, {"type": "text", "text": "A "}]), piece("cat"), piece([IMAGE])]
    )
    assert reply.content == [{"type": "thinking", "thinking": "hmhm"}, {"type": "text", "text": "A cat"}, IMAGE]


def test_what_others_say_is_left_out() -> None:
    assert joined("teller", ["Well", piece("42 results", role="system", metadata={"tool": 1})]).content == "Well"
    assert joined("teller", [piece("42 results", role="system", metadata={"tool": 1})]).metadata == {}


def test_a_chunk_of_another_type_is_refused() -> None:
    chunks: Any = ["Well", 42]
    with pytest.raises(TypeError, match="chunks of an agent's reply are str or Msg, not int: 42"):
        joined("teller", chunks)


@given(st.lists(st.text()))
def test_the_new_parts_of_a_growing_message_join_to_the_whole(parts: list[str]) -> None:
    increments = Increments()
    message = Msg("teller", "", "assistant")
    pieces: list[Msg | None] = []
    for index in range(len(parts) + 1):
        message.content = "".join(parts[:index])
        pieces.append(increments.of(message, last=index == len(parts)))
    assert joined("teller", [each for each in pieces if each is not None]).content == message.content


def test_text_that_does_not_go_on_from_what_was_shown_is_new_as_a_whole() -> None:
    increments = Increments()
    increments.of(piece("Once"), last=False)
    changed = increments.of(piece("Never"), last=False)
    assert changed is not None
    assert changed.get_text_content() == "Never"
    assert increments.of(piece("Never"), last=False) is None


def test_a_block_that_is_no_text_is_new_when_it_is_complete() -> None:
    increments = Increments()
    assert increments.of(piece([CALL]), last=False) is None
    complete = increments.of(piece([CALL, IMAGE]), last=True)
    assert complete is not None
    assert complete.content == [CALL, IMAGE]


def test_a_message_is_forgotten_when_it_is_complete_and_when_the_reply_ends() -> None:
    increments = Increments()
    increments.of(piece("Once"), last=True)
    assert increments.of(piece("Once"), last=False) is not None
    assert increments.of(piece("Once"), last=False) is None
    increments.forget()
    assert increments.of(piece("Once"), last=False) is not None
