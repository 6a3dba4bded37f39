"""Servers as fixtures, one of each kind for all tests: `server` to be harmed, `store_url` for those who only use one."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.servers.kinds import KINDS, NAMES, find_program, given_url
from tests.servers.managers import ASYNCIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.server import Server


class Servers:
    """Starts each kind of server when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: dict[str, Server] = {}

    def get(self, kind: str) -> Server:
        if kind not in self._running:
            program = find_program(kind)
            if program is None:
                missing(f"no {' or '.join(NAMES[kind])}: neither from `make test` (.venv/servers) nor on PATH")
            self._running[kind] = self._stack.enter_context(KINDS[kind](program))
        server = self._running[kind]
        server.well()
        return server

    def close(self) -> None:
        self._stack.close()


def missing(reason: str) -> None:
    """A test that misses its server is skipped, and fails where nothing may be skipped."""
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"{reason} (and REQUIRE_SERVERS=1)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture
def server(servers: Servers, kind: str) -> Iterator[Server]:
    """A server of this kind, to be killed and paused at will; it is well again for the next test."""
    server = servers.get(kind)
    yield server
    server.go_on()


@pytest.fixture
def store_url(servers: Servers, kind: str) -> str:
    """The URL of a server that is only used."""
    return given_url(kind) or servers.get(kind).url


@pytest.fixture(params=ASYNCIO)
def asyncio_loops(request: pytest.FixtureRequest) -> object:
    """In place of ``anyio_backend``, for managers that run on asyncio alone."""
    return request.param


@pytest.fixture
def namespace() -> str:
    """A part of the server that is this test's alone."""
    return f"test-{uuid4().hex[:12]}"
