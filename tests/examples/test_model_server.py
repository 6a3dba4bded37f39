"""The model of the examples: a real server, a real client, a real connection."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import httpx2
import pytest
from openai import AsyncOpenAI, BadRequestError

from actors.agents._message import Msg
from examples.local_model import as_chat, model_endpoint, model_name
from examples.story import TALE, Turn, answer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.streams.memory import MemoryObjectReceiveStream
    from openai.types.chat import ChatCompletionMessageParam

SERVER = Path(__file__).parents[2] / "examples" / "model_server.py"
ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "A long story about an old fox, please"}]

# The openai client leaves generators of its own to the garbage collector, of which trio complains.
pytestmark = pytest.mark.filterwarnings(r"ignore:Async generator '(openai|httpx2|httpcore2)\.:ResourceWarning")


@attrs.frozen
class Model:
    """A running server with a client, and what the server prints."""

    client: AsyncOpenAI
    lines: MemoryObjectReceiveStream[str]

    async def answers(self, messages: Any) -> str:
        completion = await self.client.chat.completions.create(model="storyteller", messages=messages)
        return completion.choices[0].message.content or ""

    async def line_with(self, words: str) -> str:
        """The next line of the server in which the words are; lines before it are dropped."""
        with anyio.fail_after(10):
            async for line in self.lines:
                if words in line:
                    return line
        raise AssertionError(words)

    async def streams(self) -> Any:
        async with httpx2.AsyncClient() as http:
            return (await http.get(str(self.client.base_url.join("/streams")))).json()


@asynccontextmanager
async def running_model(delay: float) -> AsyncGenerator[Model]:
    send, receive = anyio.create_memory_object_stream[str](1000)
    with send, receive:
        async with (
            model_endpoint(delay=delay, on_line=send.send_nowait) as (base_url, api_key),
            AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0) as client,
        ):
            yield Model(client, receive)
            gc.collect()  # see above: in this test, and not in a later one


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)


async def test_a_stream_arrives_in_pieces_and_is_reported_as_completed() -> None:
    async with running_model(delay=0.0005) as model:
        create = model.client.chat.completions.create
        pieces: list[str] = []
        ends: list[str | None] = []
        async with await create(model="storyteller", messages=ASKED, stream=True) as stream:
            async for chunk in stream:
                pieces += [chunk.choices[0].delta.content or ""]
                ends += [chunk.choices[0].finish_reason]
        assert set(ends[:-1]) == {None}
        assert ends[-1] == "stop"
        assert await model.line_with("started") == "stream story-1 started: 1 message(s)"
        words = "".join(pieces).split()
        assert await model.line_with("story-1") == f"stream story-1 completed after {len(words)} chunks"
        assert len([piece for piece in pieces if piece]) == len(words) > 300
        assert await model.streams() == [{"id": "story-1", "chunks": len(words), "ended": "completed"}]


async def test_leaving_a_stream_by_a_cancel_scope_closes_the_connection_and_the_server_says_so() -> None:
    async with running_model(delay=0.005) as model:
        create = model.client.chat.completions.create
        with anyio.CancelScope() as scope:
            async with await create(model="storyteller", messages=ASKED, stream=True) as stream:
                async for chunk in stream:
                    if "fox" in (chunk.choices[0].delta.content or ""):
                        scope.cancel()
        left = time.monotonic()
        line = await model.line_with("cut")
        assert time.monotonic() - left < 0.5  # some milliseconds, in fact; the whole story would take two seconds
        assert scope.cancelled_caught
        assert line.startswith("stream story-1 cut by the client after ")
        [stream_seen] = await model.streams()
        assert stream_seen["ended"] == "cut by the client"
        assert 0 < stream_seen["chunks"] < 100


async def test_cancelling_a_request_that_does_not_stream_cuts_it_too() -> None:
    async with running_model(delay=0.005) as model, anyio.create_task_group() as group:
        group.start_soon(model.answers, ASKED)
        await model.line_with("started")
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            assert "cut by the client" in await model.line_with("story-1")


async def test_an_answer_depends_on_the_conversation_it_is_sent() -> None:
    async with running_model(delay=0) as model:
        whole = await model.answers(ASKED)
        assert whole.startswith(
            "“A long story about an old fox, please”, you say? Once there was an old fox, and nobody"
        )
        assert whole.endswith("The end.")
        assert await model.answers(ASKED) == whole

        said = whole[: whole.index(" the town could")]
        history = [
            Msg("anna", "A long story about an old fox, please", "user"),
            Msg("teller", said, "assistant", {"_is_interrupted": True}),
            Msg("anna", "Go on, but shorter", "user"),
        ]
        shorter = await model.answers(as_chat(history))
        opening = "You stopped me at “fox, and nobody in”. “Go on, but shorter”, you say? …"
        assert shorter.startswith(f"{opening} the town could remember a time before it.")
        assert len(shorter) < len(whole) / 3

        history += [Msg("teller", shorter, "assistant"), Msg("anna", "And then?", "user")]
        rest = await model.answers(as_chat(history))
        assert rest.startswith("“And then?”, you say? … He counted them aloud")
        told = f"{said} {shorter.removeprefix(opening)} {rest.partition('…')[2]}".split()
        assert told == whole.split()  # nothing is told twice, and nothing is left out

        history += [Msg("teller", rest, "assistant"), Msg("anna", "More!", "user")]
        assert (await model.answers(as_chat(history))).endswith("There is no more to tell.")


async def test_the_first_model_is_asked_for_unless_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_model(delay=0) as model:
        assert await model_name(model.client) == "storyteller"
        monkeypatch.setenv("OPENAI_MODEL", "another")
        assert await model_name(model.client) == "another"


async def test_a_request_that_is_none_is_refused_with_the_reason() -> None:
    async with running_model(delay=0) as model:
        with pytest.raises(BadRequestError, match="a list of messages, each with role and content"):
            await model.answers([{"content": "who am I?"}])


async def test_an_endpoint_in_the_environment_is_used_and_no_server_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:11434/v1")
    async with model_endpoint() as (base_url, api_key):
        assert (base_url, api_key) == ("http://localhost:11434/v1", "none")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    async with model_endpoint() as (base_url, api_key):
        assert (base_url, api_key) == ("http://localhost:11434/v1", "secret")


async def test_an_error_in_the_block_comes_out_as_it_is_and_the_server_is_gone() -> None:
    url = ""

    async def fails() -> None:
        nonlocal url
        async with model_endpoint() as (url, _):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with httpx2.AsyncClient() as http:
        with pytest.raises(httpx2.ConnectError):
            await http.get(f"{url}/models")


def start() -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SERVER), "--port", "0"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline().startswith(b"listening on http://127.0.0.1:")
    return server


def test_the_server_ends_when_its_standard_input_closes() -> None:
    with start() as server:
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(10) == 0


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_server_ends_on_sigterm() -> None:
    with start() as server:
        server.terminate()
        assert server.wait(10) in (0, -signal.SIGTERM)


def test_the_newest_hero_is_told_about_and_an_interruption_before_the_tale_is_acknowledged() -> None:
    started = Turn("user", "A story about cats.")
    cut = Turn("assistant", "I noticed that you have interrupted me. What can I do for you? [interrupted by the user]")
    words = " ".join(answer([started, cut, Turn("user", "One about two {dogs}, please")]))
    assert words.startswith(
        "You stopped me before I had begun. “One about two {dogs}, please”, you say? Once there was"
    )
    assert " ".join(answer([])).startswith("“”, you say? Once there was a lighthouse made of salt")
    assert len(TALE.split()) > 300
