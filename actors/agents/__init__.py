"""Agents: actors that talk in messages, and what those messages are made of."""

from actors.agents._agent import Agent
from actors.agents._agent_ref import AgentRef, Input
from actors.agents._blocks import (
    AudioBlock,
    Base64Source,
    BlockType,
    ContentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    URLSource,
    VideoBlock,
)
from actors.agents._chunks import Chunk
from actors.agents._message import Msg

__all__ = [
    "Agent",
    "AgentRef",
    "AudioBlock",
    "Base64Source",
    "BlockType",
    "Chunk",
    "ContentBlock",
    "ImageBlock",
    "Input",
    "Msg",
    "TextBlock",
    "ThinkingBlock",
    "ToolResultBlock",
    "ToolUseBlock",
    "URLSource",
    "VideoBlock",
]
