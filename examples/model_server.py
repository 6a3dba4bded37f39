"""A small model to talk to: an OpenAI-compatible server that tells a story word by word.

    python examples/model_server.py --port 0

The first line it prints says where it listens; then it prints a line whenever a stream starts, completes, or is cut by
the client, which is how one sees that an interrupt has really reached the model. It ends on SIGTERM, and when the pipe
at its standard input closes, so that it never outlives the program that started it.

``POST /v1/chat/completions`` (with ``"stream": true`` or without), ``GET /v1/models``, ``GET /streams``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import socket
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from story import Turn, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

MODEL = "storyteller"


@attrs.define
class Telling:
    """One answer on its way to a client."""

    id: str
    words: list[str]
    chunks: int = 0
    ended: str = "running"

    @property
    def told(self) -> bool:
        """Whether the last word has been sent."""
        return self.chunks == len(self.words)

    async def pieces(self, delay: float) -> AsyncIterator[str]:
        """The text, cut where a model would cut it: the blank comes with the word after it."""
        for word in self.words:
            await anyio.sleep(delay)
            yield word if self.chunks == 0 else f" {word}"
            self.chunks += 1
        self.end("completed")

    def end(self, how: str) -> None:
        """Remember and print how it ended."""
        self.ended = how
        print(f"stream {self.id} {how} after {self.chunks} chunks", flush=True)


@attrs.define
class Storyteller:
    """The endpoints, and what they remember."""

    delay: float
    tellings: list[Telling] = attrs.field(factory=list[Telling])
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
                Route("/v1/models", self.models),
                Route("/streams", self.streams),
            ]
        )

    async def models(self, _request: Request) -> Response:
        """``GET /v1/models``."""
        return JSONResponse(
            {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "you"}]}
        )

    async def streams(self, _request: Request) -> Response:
        """``GET /streams``: all answers so far, and how they ended."""
        return JSONResponse([{"id": each.id, "chunks": each.chunks, "ended": each.ended} for each in self.tellings])

    async def chat_completions(self, request: Request) -> Response | Answer:
        """``POST /v1/chat/completions``."""
        try:
            body = await request.json()
            conversation = [Turn(each["role"], text_of(each.get("content"))) for each in body["messages"]]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            message = f"the body must be JSON with a list of messages, each with role and content: {error!r}"
            return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status_code=400)
        telling = Telling(f"story-{next(self._numbers)}", answer(conversation))
        self.tellings.append(telling)
        print(f"stream {telling.id} started: {len(conversation)} message(s)", flush=True)
        return Answer(telling, delay=self.delay, as_stream=bool(body.get("stream")))


@attrs.frozen
class Answer:
    """Sends an answer, as an ASGI application, and notices at once when the client has gone."""

    telling: Telling
    delay: float
    as_stream: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer until it is told or the client has gone."""
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                # The request has been read, so the next that comes is the end of the connection, or of the response.
                while (await receive())["type"] != "http.disconnect":
                    pass
                if not self.telling.told:
                    self.telling.end("cut by the client")
                    group.cancel_scope.cancel()

            group.start_soon(watch)
            await (self.stream(send) if self.as_stream else self.whole(scope, receive, send))
            group.cancel_scope.cancel()

    async def stream(self, send: Send) -> None:
        """Send it word by word, as server-sent events."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send_event(send, self.chunk({"role": "assistant", "content": ""}))
        async for piece in self.telling.pieces(self.delay):
            await send_event(send, self.chunk({"content": piece}))
        await send_event(send, self.chunk({}, finish_reason="stop"))
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})

    async def whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it in one piece, once the last word is there."""
        pieces = [piece async for piece in self.telling.pieces(self.delay)]
        message = {"role": "assistant", "content": "".join(pieces)}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        usage = {"prompt_tokens": 0, "completion_tokens": len(pieces), "total_tokens": len(pieces)}
        body = self.head("chat.completion") | {"choices": [choice], "usage": usage}
        await JSONResponse(body)(scope, receive, send)

    def head(self, kind: str) -> dict[str, Any]:
        """What each object of the answer begins with."""
        return {"id": self.telling.id, "object": kind, "created": int(time.time()), "model": MODEL}

    def chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        """One object of a stream."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return self.head("chat.completion.chunk") | {"choices": [choice]}


async def send_event(send: Send, data: dict[str, Any]) -> None:
    """Send one server-sent event."""
    body = f"data: {json.dumps(data)}\n\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})


def text_of(content: str | list[dict[str, Any]] | None) -> str:
    """The text of a message's content, which is a string, or a list of parts, or nothing."""
    if isinstance(content, list):
        return " ".join(part["text"] for part in content if part.get("type") == "text")
    return content or ""


def end_with_stdin(server: uvicorn.Server) -> None:
    """Let the server end when the pipe at its standard input closes, as it does when its starter ends, in any way."""
    kind = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return  # a terminal, or nothing: nobody will close it

    def wait() -> None:
        while os.read(0, 1024):
            pass
        server.should_exit = True

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="An OpenAI-compatible server that tells a story word by word.")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one")
    parser.add_argument("--delay", type=float, default=0.04, help="seconds before each word")
    options = parser.parse_args()
    # Bound and listening before the address is printed: who has read the line can connect.
    listener = socket.create_server(("127.0.0.1", options.port))
    app = Storyteller(options.delay).app()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    end_with_stdin(server)
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}/v1", flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
