"""`Msg`: what agents say to each other.

The shape is that of AgentScope 1.x (``agentscope.message.Msg``), which its 2.x took away. Three differences, on
purpose:

- A message owns its content and metadata. AgentScope stores the caller's list, so that two agents can end up with one
  list and change each other's memory; here everything is copied in, on construction and on assignment, and copied out.
- Bad input is refused where it comes in, with the place named, and not by an ``assert``.
- ``invocation_id`` survives `to_dict` and `from_dict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, cast, overload
from uuid import uuid4

import attrs

from actors.agents._blocks import (
    BLOCK_TYPES,
    TextBlock,
    checked_block,
)
from actors.agents._json import as_json, copied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.agents._blocks import (
        AudioBlock,
        BlockType,
        ContentBlock,
        ImageBlock,
        ThinkingBlock,
        ToolResultBlock,
        ToolUseBlock,
        VideoBlock,
    )
    from actors.agents._json import JSON

Role: TypeAlias = Literal["user", "assistant", "system"]
_ROLES: tuple[Role, ...] = ("user", "assistant", "system")


def _text(value: object, attribute: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{attribute} of a Msg must be a str, got {type(value).__name__}: {value!r:.80}")
    return value


def _name(value: str) -> str:
    return _text(value, "name")


def _id(value: str) -> str:
    return _text(value, "id")


def _timestamp(value: str | None) -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds") if value is None else _text(value, "timestamp")


def _invocation_id(value: str | None) -> str | None:
    return None if value is None else _text(value, "invocation_id")


def _role(value: Role) -> Role:
    if value not in _ROLES:
        raise ValueError(f"role of a Msg must be one of {', '.join(_ROLES)}, got {value!r:.80}")
    return value


def _content(value: str | Sequence[ContentBlock]) -> str | Sequence[ContentBlock]:
    if isinstance(value, str):
        return value
    # Not any sequence: bytes are one too. And a single block is the mistake people make.
    if not isinstance(value, (list, tuple)):
        hint = "; put a single block into a list" if isinstance(value, Mapping) else ""
        raise TypeError(
            f"content of a Msg must be a str or a list of content blocks, "
            f"got {type(value).__name__}: {value!r:.80}{hint}"
        )
    return [checked_block(block, f"content[{index}]") for index, block in enumerate(value)]


def _metadata(value: Mapping[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
        raise TypeError(f"metadata of a Msg must be a dict, got {type(value).__name__}: {value!r:.80}")
    return cast("dict[str, Any]", copied(value, "metadata"))


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:400]}… ({len(text)} characters)"  # noqa: PLR2004 - base64 of an image


@attrs.define
class Msg:
    """A message: who says what, in which role.

    A message owns its content and metadata: both are copied when the message is made and when they are assigned, and
    what the getters and `to_dict` give is a copy again. So no two messages share a list or a dict unless somebody takes
    it out by hand (``other.content`` itself). A message can still be changed in place, as in AgentScope: by
    ``msg.content = ...`` or ``msg.metadata["seen"] = True``. Whoever passes a message on and keeps it uses `copy`; the
    `Agent` does so on its own. Values in the metadata that are no JSON (an array, a model object) are not copied, and
    `to_dict` refuses them.

    Two messages are equal if all their fields are, including the id. They are not hashable; use ``msg.id`` as a key.

    Args:
        name: Who says it.
        content: A text, or a list of content blocks.
        role: ``user``, ``assistant`` or ``system``.
        metadata: Anything else about it that is JSON; `Agent` puts ``_is_interrupted`` there.
        timestamp: When it was said; by default now, in ISO 8601 with milliseconds and UTC. A string given is kept as it
            is.
        invocation_id: The id of the model call it came from, if any.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The role or the type of a content block is unknown, or a block lacks a field.
    """

    name: str = attrs.field(converter=_name)
    # At run time a str or a list. Not typed as a list, so that a list of one kind of block is welcome, and so that what
    # is taken and what is given have one type: otherwise pyright does not narrow ``message.content`` after an
    # isinstance.
    content: str | Sequence[ContentBlock] = attrs.field(converter=_content, repr=_shortened)
    role: Role = attrs.field(converter=_role)
    metadata: dict[str, Any] = attrs.field(default=None, converter=_metadata, repr=_shortened)
    timestamp: str = attrs.field(default=None, converter=_timestamp)
    invocation_id: str | None = attrs.field(default=None, converter=_invocation_id)
    id: str = attrs.field(converter=_id, init=False, factory=lambda: uuid4().hex)
    """Unique to this message, and kept by `copy` and by `from_dict`."""

    def copy(self) -> Self:
        """The same message, id included, that shares nothing with this one."""
        new = attrs.evolve(self)
        new.id = self.id
        return new

    __copy__ = copy

    def to_dict(self) -> dict[str, JSON]:
        """Give this message as JSON; `from_dict` gives an equal message back, also after `json.dumps` and `json.loads`.

        Raises:
            TypeError: Content or metadata hold something that is not JSON; the message names the place.
            ValueError: They hold a float that is not finite.
        """
        return {
            "id": self.id,
            "name": self.name,
            "role": self.role,
            "content": as_json(self.content, "content"),
            "metadata": as_json(self.metadata, "metadata"),
            "timestamp": self.timestamp,
            "invocation_id": self.invocation_id,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The message that `to_dict` gave, AgentScope's included.

        Args:
            data: ``name``, ``content`` and ``role``; the rest is optional, and unknown keys are left alone.

        Raises:
            TypeError: It is no dict, or a value has the wrong type.
            ValueError: A key is missing, or a value is unknown.
        """
        if not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
            raise TypeError(f"Msg.from_dict takes a dict, got {type(data).__name__}: {data!r:.80}")
        if missing := [key for key in ("name", "content", "role") if key not in data]:
            raise ValueError(f"Msg.from_dict: {', '.join(missing)} missing; there are {sorted(map(str, data))}")
        new = cls(
            data["name"],
            data["content"],
            data["role"],
            data.get("metadata"),
            data.get("timestamp"),
            data.get("invocation_id"),
        )
        if data.get("id") is not None:
            new.id = data["id"]
        return new

    def get_text_content(self, separator: str = "\n") -> str | None:
        """What is said, without thinking and tools; None if no text block is there.

        Args:
            separator: What to put between several text blocks.
        """
        if isinstance(self.content, str):
            return self.content
        texts = [block["text"] for block in self.content if block["type"] == "text"]
        return separator.join(texts) if texts else None

    @overload
    def get_content_blocks(self, block_type: Literal["text"]) -> list[TextBlock]: ...
    @overload
    def get_content_blocks(self, block_type: Literal["thinking"]) -> list[ThinkingBlock]: ...
    @overload
    def get_content_blocks(self, block_type: Literal["tool_use"]) -> list[ToolUseBlock]: ...
    @overload
    def get_content_blocks(self, block_type: Literal["tool_result"]) -> list[ToolResultBlock]: ...
    @overload
    def get_content_blocks(self, block_type: Literal["image"]) -> list[ImageBlock]: ...
    @overload
    def get_content_blocks(self, block_type: Literal["audio"]) -> list[AudioBlock]: ...
    @overload
    def get_content_blocks(self, block_type: Literal["video"]) -> list[VideoBlock]: ...
    @overload
    def get_content_blocks(self, block_type: Sequence[BlockType] | None = None) -> list[ContentBlock]: ...

    def get_content_blocks(self, block_type: BlockType | Sequence[BlockType] | None = None) -> Sequence[ContentBlock]:
        """Copies of the content blocks, in order; a text counts as one text block.

        Args:
            block_type: Only blocks of this type, or of these types; by default all.

        Raises:
            ValueError: There is no such type of block.
        """
        wanted = (
            BLOCK_TYPES if block_type is None else (block_type,) if isinstance(block_type, str) else tuple(block_type)
        )
        if unknown := [each for each in wanted if each not in BLOCK_TYPES]:
            raise ValueError(f"no block type is called {unknown[0]!r}; there are {', '.join(BLOCK_TYPES)}")
        if isinstance(self.content, str):
            return [TextBlock(type="text", text=self.content)] if "text" in wanted else []
        return [cast("ContentBlock", copied(block, "content")) for block in self.content if block["type"] in wanted]

    def has_content_blocks(self, block_type: BlockType | Sequence[BlockType] | None = None) -> bool:
        """Whether `get_content_blocks` would give any.

        Args:
            block_type: Only blocks of this type, or of these types; by default all.

        Raises:
            ValueError: There is no such type of block.
        """
        return bool(self.get_content_blocks(block_type))
