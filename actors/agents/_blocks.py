"""Content blocks: the parts of a message that is more than one text.

Names and fields are those of AgentScope 1.x (``agentscope.message``), so that its users' code carries over. They are
typed dicts, that is, plain JSON. A block may carry fields beyond the ones named here (providers add some); those are
kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, cast

from actors.agents._json import copied

__all__ = [
    "AudioBlock",
    "Base64Source",
    "BlockType",
    "ContentBlock",
    "ImageBlock",
    "TextBlock",
    "ThinkingBlock",
    "ToolResultBlock",
    "ToolUseBlock",
    "URLSource",
    "VideoBlock",
]


class TextBlock(TypedDict):
    """Something said."""

    type: Literal["text"]
    text: str


class ThinkingBlock(TypedDict):
    """The model's reasoning; not for other agents."""

    type: Literal["thinking"]
    thinking: str


class Base64Source(TypedDict):
    """Media in the message itself: ``data`` is base64, ``media_type`` for example ``image/png``."""

    type: Literal["base64"]
    media_type: str
    data: str


class URLSource(TypedDict):
    """Media elsewhere."""

    type: Literal["url"]
    url: str


class ImageBlock(TypedDict):
    """An image."""

    type: Literal["image"]
    source: Base64Source | URLSource


class AudioBlock(TypedDict):
    """A sound."""

    type: Literal["audio"]
    source: Base64Source | URLSource


class VideoBlock(TypedDict):
    """A video."""

    type: Literal["video"]
    source: Base64Source | URLSource


class ToolUseBlock(TypedDict):
    """A tool call that the model asks for; ``raw_input`` is the text the arguments were read from."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, object]
    raw_input: NotRequired[str]


class ToolResultBlock(TypedDict):
    """What the tool call with the same ``id`` gave."""

    type: Literal["tool_result"]
    id: str
    name: str
    output: str | list[TextBlock | ImageBlock | AudioBlock | VideoBlock]


ContentBlock: TypeAlias = (
    TextBlock | ThinkingBlock | ToolUseBlock | ToolResultBlock | ImageBlock | AudioBlock | VideoBlock
)
BlockType: TypeAlias = Literal["text", "thinking", "tool_use", "tool_result", "image", "audio", "video"]

BLOCK_TYPES: tuple[BlockType, ...] = ("text", "thinking", "tool_use", "tool_result", "image", "audio", "video")
_OUTPUT_TYPES: tuple[BlockType, ...] = ("text", "image", "audio", "video")


def checked_block(block: object, where: str, *, allowed: tuple[BlockType, ...] = BLOCK_TYPES) -> ContentBlock:
    """A copy of one content block.

    Args:
        block: The block, as a user or a JSON file gave it.
        where: The place of the block for error messages, such as ``content[2]``.
        allowed: The types a block may have at this place.

    Raises:
        TypeError: It is no dict, or one of its fields has the wrong type.
        ValueError: Its type is unknown or not allowed here, or a field is missing.
    """
    fields = _dict_with_type(block, where, allowed)
    match fields["type"]:
        case "text":
            _need(fields, where, "text", str)
        case "thinking":
            _need(fields, where, "thinking", str)
        case "tool_use":
            _need(fields, where, "id", str)
            _need(fields, where, "name", str)
            _need(fields, where, "input", dict)
        case "tool_result":
            _need(fields, where, "id", str)
            _need(fields, where, "name", str)
            _check_output(fields, where)
        case _:
            _check_source(fields, where)
    return cast("ContentBlock", fields)


def _check_output(fields: dict[str, Any], where: str) -> None:
    _need(fields, where, "output", (str, list))
    if isinstance(fields["output"], list):
        output = cast("list[object]", fields["output"])
        for index, block in enumerate(output):
            checked_block(block, f"{where}['output'][{index}]", allowed=_OUTPUT_TYPES)


def _check_source(fields: dict[str, Any], where: str) -> None:
    _need(fields, where, "source", dict)
    where = f"{where}['source']"
    source = _dict_with_type(fields["source"], where, ("base64", "url"))
    for name in ("url",) if source["type"] == "url" else ("media_type", "data"):
        _need(source, where, name, str)


def _dict_with_type(value: object, where: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a dict, got {type(value).__name__}: {value!r:.80}")
    fields = cast("dict[str, Any]", copied(value, where))
    if "type" not in fields:
        raise ValueError(f"{where} has no 'type'; it is one of {', '.join(allowed)}")
    if fields["type"] not in allowed:
        raise ValueError(f"{where} has the type {fields['type']!r}; allowed here: {', '.join(allowed)}")
    return fields


def _need(fields: Mapping[str, Any], where: str, name: str, kind: type | tuple[type, ...]) -> None:
    if name not in fields:
        raise ValueError(f"{where}, a block of type {fields['type']!r}, has no {name!r}")
    if not isinstance(fields[name], kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        expected = " or ".join(each.__name__ for each in kinds)
        raise TypeError(
            f"{where}[{name!r}] must be a {expected}, got {type(fields[name]).__name__}: {fields[name]!r:.80}"
        )
