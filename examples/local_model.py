"""Where the examples find a model: the one in the environment, or `model_server.py`, run for as long as needed."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc
from anyio.streams.text import TextReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionMessageParam

    from actors import Msg

STARTUP = 30.0  # seconds


@asynccontextmanager
async def model_endpoint(
    *, delay: float = 0.04, on_line: Callable[[str], object] | None = None
) -> AsyncGenerator[tuple[str, str]]:
    """The base URL and API key of a model, as ``AsyncOpenAI(base_url=..., api_key=...)`` takes them.

    If ``OPENAI_BASE_URL`` is set, it and ``OPENAI_API_KEY`` are used. (A key alone is not enough: an example should not
    spend money because a key happens to be there.) Otherwise `model_server.py` is started, and has ended when the block
    is left.

    Args:
        delay: Seconds before each word of the local model.
        on_line: Called with each line that the local model prints: that a stream started, completed, or was cut.

    Raises:
        RuntimeError: The local model did not start.
    """
    if base_url := os.environ.get("OPENAI_BASE_URL"):
        yield base_url, os.environ.get("OPENAI_API_KEY") or "none"
        return
    server = Path(__file__).with_name("model_server.py")
    failure: Exception | None = None
    command = [sys.executable, str(server), "--port", "0", "--delay", str(delay)]
    # Leaving this block closes the server's standard input, at which it ends, and waits for that. A session of its own
    # keeps a Ctrl-C in the terminal away from it.
    async with await anyio.open_process(command, stderr=None, start_new_session=True) as process:
        lines = _lines(process)
        base_url = await _address(lines)
        async with anyio.create_task_group() as group:
            group.start_soon(_relay, lines, on_line)
            try:
                yield base_url, "none"
            except Exception as error:  # noqa: BLE001 - raised again below; the task group would wrap it
                failure = error
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def model_name(client: AsyncOpenAI) -> str:
    """The model to ask for: ``OPENAI_MODEL``, or else the first one that the endpoint offers."""
    return os.environ.get("OPENAI_MODEL") or (await client.models.list()).data[0].id


def as_chat(history: Sequence[Msg]) -> list[ChatCompletionMessageParam]:
    """A history as chat completions take it, with a note behind each reply that was interrupted.

    The note is part of the text, since the format has no other place for it that every model sees.
    """
    chat: list[ChatCompletionMessageParam] = []
    for message in history:
        text = message.get_text_content() or ""
        if message.role == "user":
            chat.append({"role": "user", "content": text})
        elif message.role == "system":
            chat.append({"role": "system", "content": text})
        else:
            note = " [interrupted by the user]" if message.metadata.get("_is_interrupted") else ""
            chat.append({"role": "assistant", "content": text + note})
    return chat


async def _lines(process: anyio.abc.Process) -> AsyncIterator[str]:
    if process.stdout is None:
        raise RuntimeError("the local model was started without a pipe to read from")
    rest = ""
    async for piece in TextReceiveStream(process.stdout):
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield line


async def _address(lines: AsyncIterator[str]) -> str:
    try:
        with anyio.fail_after(STARTUP):
            line = await anext(lines)
    except (StopAsyncIteration, TimeoutError):
        raise RuntimeError("the local model did not start; what it printed is above") from None
    return line.removeprefix("listening on ")


async def _relay(lines: AsyncIterator[str], on_line: Callable[[str], object] | None) -> None:
    async for line in lines:  # read in any case: a full pipe would block the server
        if on_line is not None:
            on_line(line)
