"""Messages: what they take, what they refuse, and that they never share what they hold."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.agents._blocks import BLOCK_TYPES, ImageBlock, TextBlock, ToolResultBlock, ToolUseBlock
from actors.agents._message import Msg

if TYPE_CHECKING:
    from actors.agents._blocks import BlockType, ContentBlock

TEXT = TextBlock(type="text", text="hello")
CALL = ToolUseBlock(type="tool_use", id="1", name="search", input={"words": ["a", "b"]})
RESULT = ToolResultBlock(type="tool_result", id="1", name="search", output=[TEXT])
IMAGE = ImageBlock(type="image", source={"type": "url", "url": "https://example.org/cat.png"})


# JSON that comes back from json.loads as it went in.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
sources = st.fixed_dictionaries({"type": st.just("url"), "url": st.text()}) | st.fixed_dictionaries(
    {"type": st.just("base64"), "media_type": st.text(), "data": st.text()}
)
texts = st.fixed_dictionaries({"type": st.just("text"), "text": st.text()})
media = st.fixed_dictionaries({"type": st.sampled_from(["image", "audio", "video"]), "source": sources})
blocks: st.SearchStrategy[Any] = st.one_of(
    texts,
    media,
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": st.text()}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": st.text(), "signature": st.text()}),
    st.fixed_dictionaries(
        {
            "type": st.just("tool_use"),
            "id": st.text(),
            "name": st.text(),
            "input": st.dictionaries(st.text(), json_values, max_size=3),
        },
        optional={"raw_input": st.text()},
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("tool_result"),
            "id": st.text(),
            "name": st.text(),
            "output": st.text() | st.lists(texts | media, max_size=3),
        }
    ),
)
messages = st.builds(
    Msg,
    name=st.text(),
    content=st.text() | st.lists(blocks, max_size=4),
    role=st.sampled_from(["user", "assistant", "system"]),
    metadata=st.none() | st.dictionaries(st.text(), json_values, max_size=3),
    timestamp=st.none() | st.text(),
    invocation_id=st.none() | st.text(),
)


@given(messages)
def test_a_message_comes_back_equal_from_json(message: Msg) -> None:
    assert Msg.from_dict(json.loads(json.dumps(message.to_dict()))) == message


@given(messages)
def test_a_copy_is_equal_and_a_pickle_is_too(message: Msg) -> None:
    assert message.copy() == copy.copy(message) == copy.deepcopy(message) == message
    assert pickle.loads(pickle.dumps(message)) == message  # noqa: S301 - written one line above


@given(messages)
def test_blocks_asked_for_by_type_are_all_blocks_sorted_by_type(message: Msg) -> None:
    everything = message.get_content_blocks()
    one_by_one = [block for kind in BLOCK_TYPES for block in message.get_content_blocks([kind])]
    assert sorted(map(repr, everything)) == sorted(map(repr, one_by_one))
    assert message.has_content_blocks() == bool(everything)


def test_a_message_knows_when_it_was_made_and_has_an_id_of_its_own() -> None:
    before = datetime.now(UTC)
    first, second = Msg("anna", "hi", "user"), Msg("anna", "hi", "user")
    assert abs((datetime.fromisoformat(first.timestamp) - before).total_seconds()) < 5
    assert first.id != second.id
    assert first != second
    assert Msg("anna", "hi", "user", timestamp="2024-01-01 10:00:00.000").timestamp == "2024-01-01 10:00:00.000"


def test_arguments_may_be_given_by_position_as_in_agentscope() -> None:
    message = Msg("anna", [TEXT], "user", {"mood": "good"}, "noon", "call-1")
    assert (message.metadata, message.timestamp, message.invocation_id) == ({"mood": "good"}, "noon", "call-1")


def test_a_dict_written_by_agentscope_is_read() -> None:
    message = Msg.from_dict(
        {"id": "x1", "name": "a", "role": "system", "content": "c", "metadata": {}, "timestamp": "t", "new_field": 1}
    )
    assert (message.id, message.name, message.role, message.content, message.timestamp) == (
        "x1",
        "a",
        "system",
        "c",
        "t",
    )


def test_a_message_does_not_share_the_list_it_was_made_from() -> None:
    content: list[ContentBlock] = [copy.deepcopy(CALL)]
    metadata = {"scores": [1]}
    message = Msg("anna", content, "assistant", metadata)
    content.append(TEXT)
    cast("Any", content[0])["input"]["words"].append("c")
    metadata["scores"].append(2)
    assert message.content == [CALL]
    assert message.metadata == {"scores": [1]}


def test_a_message_does_not_share_the_list_it_is_assigned() -> None:
    content: list[ContentBlock] = [TEXT]
    first, second = Msg("anna", "", "assistant"), Msg("ben", "", "assistant")
    first.content = second.content = content
    content.append(IMAGE)
    first.content.append(CALL)
    assert second.content == [TEXT]
    assert first.content == [TEXT, CALL]


def test_what_a_message_hands_out_is_a_copy() -> None:
    message = Msg("anna", [CALL, RESULT], "assistant", {"scores": [1]})
    as_dict = cast("Any", message.to_dict())
    as_dict["metadata"]["scores"].append(2)
    as_dict["content"][0]["input"]["words"].append("c")
    message.get_content_blocks("tool_use")[0]["input"]["words"] = "gone"
    other = message.copy()
    other.metadata["scores"].append(3)
    cast("Any", other.content)[1]["output"].clear()
    assert message.content == [CALL, RESULT]
    assert message.metadata == {"scores": [1]}


def test_text_is_joined_from_the_text_blocks_alone() -> None:
    message = Msg("a", [TEXT, {"type": "thinking", "thinking": "hm"}, CALL, TEXT], "assistant")
    assert message.get_text_content() == "hello\nhello"
    assert message.get_text_content(" ") == "hello hello"
    assert Msg("a", "plain", "user").get_text_content() == "plain"
    assert Msg("a", [CALL], "assistant").get_text_content() is None


def test_blocks_are_found_by_type() -> None:
    message = Msg("a", [TEXT, CALL, RESULT, IMAGE], "assistant")
    assert message.get_content_blocks("tool_use") == [CALL]
    assert message.get_content_blocks(["text", "image"]) == [TEXT, IMAGE]
    assert message.has_content_blocks("tool_result")
    assert not message.has_content_blocks("thinking")
    assert Msg("a", "plain", "user").get_content_blocks() == [{"type": "text", "text": "plain"}]
    assert not Msg("a", [], "user").has_content_blocks()


def test_fields_a_provider_adds_to_a_block_are_kept() -> None:
    block = cast("ContentBlock", {"type": "thinking", "thinking": "hm", "signature": "abc"})
    assert Msg("a", [block], "assistant").get_content_blocks() == [block]


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (None, TypeError, "content of a Msg must be a str or a list of content blocks, got NoneType"),
        (b"bytes", TypeError, "got bytes"),
        (TEXT, TypeError, "put a single block into a list"),
        (["text"], TypeError, r"content\[0\] must be a dict, got str"),
        ([TEXT, {"text": "hi"}], ValueError, r"content\[1\] has no 'type'"),
        ([{"type": "speech"}], ValueError, r"content\[0\] has the type 'speech'; allowed here: text, thinking"),
        ([{"type": ["text"]}], ValueError, r"has the type \['text'\]"),
        ([{"type": "text"}], ValueError, "a block of type 'text', has no 'text'"),
        ([{"type": "text", "text": 1}], TypeError, r"content\[0\]\['text'\] must be a str, got int"),
        ([{"type": "tool_use", "id": "1", "name": "f", "input": "{}"}], TypeError, "must be a dict, got str"),
        ([{"type": "tool_result", "id": "1", "name": "f", "output": None}], TypeError, "must be a str or list"),
        (
            [{"type": "tool_result", "id": "1", "name": "f", "output": [CALL]}],
            ValueError,
            r"\['output'\]\[0\] has the type 'tool_use'; allowed here: text, image",
        ),
        ([{"type": "image", "url": "https://example.org"}], ValueError, "a block of type 'image', has no 'source'"),
        ([{"type": "image", "source": {"type": "file"}}], ValueError, r"\['source'\] has the type 'file'"),
        ([{"type": "audio", "source": {"type": "base64", "data": ""}}], ValueError, "has no 'media_type'"),
    ],
)
def test_content_that_is_none_is_refused_with_its_place(content: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Msg("anna", content, "user")
    message = Msg("anna", "before", "user")
    with pytest.raises(error, match=words):
        message.content = content
    assert message.content == "before"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"role": "tool"}, ValueError, "role of a Msg must be one of user, assistant, system, got 'tool'"),
        ({"role": None}, ValueError, "got None"),
        ({"name": 1}, TypeError, "name of a Msg must be a str, got int: 1"),
        ({"metadata": ["_is_interrupted"]}, TypeError, "metadata of a Msg must be a dict, got list"),
        ({"timestamp": datetime(2024, 1, 1, tzinfo=UTC)}, TypeError, "timestamp of a Msg must be a str, got datetime"),
        ({"invocation_id": 1}, TypeError, "invocation_id of a Msg must be a str, got int"),
    ],
)
def test_a_wrong_argument_is_refused_at_the_call(arguments: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Msg(**(dict[str, Any](name="anna", content="hi", role="user") | arguments))


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ({"deep": [1, {2}]}, TypeError, r"metadata\['deep'\]\[1\] is of type set, which JSON cannot hold"),
        ({"keys": {1: "one"}}, TypeError, r"metadata\['keys'\] has the key 1 of type int"),
        ({"score": float("nan")}, ValueError, r"metadata\['score'\] is nan"),
    ],
)
def test_metadata_that_is_not_json_is_named_when_it_is_serialised(
    value: Any, error: type[Exception], words: str
) -> None:
    message = Msg("anna", "hi", "user", value)
    with pytest.raises(error, match=words):
        message.to_dict()


def test_metadata_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(ValueError, match="metadata is nested deeper than 100 levels, or contains itself"):
        Msg("anna", "hi", "user", loop)
    message = Msg("anna", "hi", "user")
    message.metadata["self"] = message.metadata
    with pytest.raises(ValueError, match="contains itself"):
        message.to_dict()


def test_a_message_read_from_something_else_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="content, role missing; there are \\['name', 'text'\\]"):
        Msg.from_dict({"name": "anna", "text": "hi"})
    with pytest.raises(TypeError, match="takes a dict, got str"):
        Msg.from_dict(cast("Any", "{}"))


def test_an_unknown_block_type_is_refused_by_the_getters() -> None:
    with pytest.raises(ValueError, match="no block type is called 'txt'; there are text, thinking"):
        Msg("anna", "hi", "user").has_content_blocks(cast("BlockType", "txt"))


def test_the_repr_of_a_message_stays_readable_with_an_image_in_it() -> None:
    message = Msg(
        "a", [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 9000}}], "user"
    )
    assert len(repr(message)) < 1000
