"""An HTTP response that is being read when the reply is interrupted: what most agents are doing when somebody stops them.

The connection is closed and the pool of connections stays usable: with `max_connections=1` one that leaked would block the next
request for ever.
"""

import contextlib

import anyio
import httpx
import httpx2
import pytest

from tests.truth_table._replies import healthy, turns

pytestmark = pytest.mark.parametrize("http", [httpx, httpx2], ids=["httpx", "httpx2"])  # openai 3 stands on httpx2

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n"
CHUNK = b"\r\n5\r\nhello\r\n"
END = b"0\r\n\r\n"


class Server:
    """Answers `/slow` with one chunk and then nothing until the client leaves, `/once` with a whole body and a closed connection,
    anything else with a whole body."""

    def __init__(self):
        self.url = ""
        self.open = 0
        self.all_closed = anyio.Event()

    async def serve(self, *, task_status):
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no SQL anywhere near
            self.url = f"http://127.0.0.1:{port}"
            task_status.started()
            await listener.serve(self._answer)

    async def _answer(self, connection):
        self.open += 1
        self.all_closed = anyio.Event()
        try:
            async with connection:
                with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    while not (request := await connection.receive()).startswith(b"GET /once"):
                        await connection.send(HEAD + CHUNK + (b"" if request.startswith(b"GET /slow") else END))
                    await connection.send(HEAD + b"connection: close\r\n" + CHUNK + END)
        finally:
            self.open -= 1
            if not self.open:
                self.all_closed.set()


@contextlib.asynccontextmanager
async def served(http, stage):
    """The stage, with a server and a client that has a single connection."""
    server = Server()
    async with anyio.create_task_group() as group:
        await group.start(server.serve)
        async with (
            http.AsyncClient(base_url=server.url, limits=http.Limits(max_connections=1), trust_env=False) as client,
            stage() as scene,
        ):
            yield scene, server, client
        group.cancel_scope.cancel()


async def test_a_response_that_is_being_read_is_closed_and_its_connection_given_back(http, stage, reached):
    """R1; row httpx `client.stream`: caught; connection closed, pool reusable."""
    async with served(http, stage) as (scene, server, client):

        async def script(actor):
            async with client.stream("GET", "/slow") as response:
                async for text in response.aiter_text():
                    assert text == "hello"
                    actor.about_to_wait()

        async def next_request(actor):
            return (await client.get("/quick")).text

        run = await scene.begin(script)
        receipt = await scene.interrupt()
        await server.all_closed.wait()
        await scene.ended(run, receipt, "interrupted")
        assert await scene.ref.ask(next_request) == "hello"
        reached()


async def test_a_request_that_is_interrupted_at_any_moment_leaks_no_connection(http, stage, reached):
    """R1; row httpx, also after 20 cancels during connect: here one at each turn of the event loop, from the very first one."""
    outcomes = []
    async with served(http, stage) as (scene, server, client):

        async def script(actor):
            return (await client.get("/once")).text

        while "finished" not in outcomes:
            run = await scene.ref.request(script)
            await turns(len(outcomes))
            outcomes.append((await run.interrupt()).outcome)
            assert await scene.ref.ask(script) == "hello"
        await server.all_closed.wait()
        assert set(outcomes) <= {"interrupted", "completed", "finished"}
        assert outcomes.count("interrupted") == len(scene.actor.handled) > 3
        await scene.ref.ask(healthy)
        reached()
