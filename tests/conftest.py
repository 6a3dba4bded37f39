"""Every `async def test_...` runs on each of these event loops, and must leave nothing behind."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import uvloop

from actors import Run
from tests._leaks import KINDS, Guard
from tests._support import Gate
from tests._virtual_time import VirtualTimeLoop
from tests.servers.fixtures import namespace, server, servers, store_url  # noqa: F401 - fixtures for every test

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from actors import ActorSystem


def eager_loop() -> asyncio.AbstractEventLoop:
    """A loop on which a task takes its first step inside `create_task`, before its creator goes on."""
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


LOOPS = [
    pytest.param(("asyncio", {}), id="asyncio"),
    pytest.param(("asyncio", {"loop_factory": uvloop.new_event_loop}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
]
if sys.version_info >= (3, 12):
    LOOPS.append(pytest.param(("asyncio", {"loop_factory": eager_loop}), id="eager"))

LIMIT = float(os.environ.get("TEST_LIMIT", "30"))
"""Seconds after which a test is cancelled: one that hangs should fail alone, and say where."""
LIMIT_IN_VIRTUAL_TIME = 1e5

FAILED = pytest.StashKey[bool]()


@pytest.fixture(params=LOOPS)
def anyio_backend(request):
    """What anyio's pytest plugin asks for: a backend and its options."""
    return request.param


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"may_leave(kind, reason): what this test is about leaves something behind; kinds: {', '.join(KINDS)}.",
    )


def pytest_collection_finish() -> None:
    """The guard collects garbage after each test; what is there before the first one need not be searched each time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test):
        _, options = pyfuncitem.funcargs["anyio_backend"]
        config = pyfuncitem.config
        ours = config.getoption("timeout", None) or config.getini("timeout")
        limit = min(LIMIT, 0.8 * float(ours))  # before pytest-timeout, which leaves the event loop in a mess
        virtual = "clock" in options or options.get("loop_factory") is VirtualTimeLoop

        @functools.wraps(test)
        async def limited(**arguments: Any) -> None:
            with anyio.fail_after(limit if not virtual else LIMIT_IN_VIRTUAL_TIME):
                await test(**arguments)

        pyfuncitem.obj = limited
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = not report.passed
    return report


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> None:
    """An asynchronous test fails if it leaves something behind; see tests/_leaks.py."""
    if "anyio_backend" in request.fixturenames:
        request.getfixturevalue("guard")


@pytest.fixture
async def guard(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Guard]:
    guard = Guard()
    guard.begin()
    try:
        yield guard
        if request.node.stash.get(FAILED, True):
            return  # its traceback holds on to all it used
        gc.collect()  # what is logged when it is dropped is logged now
        for record in [*caplog.get_records("call"), *caplog.get_records("teardown")]:
            record.exc_info = None  # its traceback holds on to what failed
        allowed = {mark.args[0] for mark in request.node.iter_markers("may_leave")}
        left = [f"{kind}: {what}" for kind, what in guard.leaks() if kind not in allowed]
        assert not left, "the test left behind\n  " + "\n  ".join(left)
    finally:
        guard.end()


@pytest.fixture
def new_system(guard: Guard) -> Callable[..., ActorSystem]:
    """Makes systems, to be used with `async with`, of which nothing may be left after the test."""
    return guard.new_system


@pytest.fixture
async def system(new_system: Callable[..., ActorSystem]) -> AsyncIterator[ActorSystem]:
    """An open system, closed after the test."""
    async with new_system(drain_timeout=2.0) as system:
        yield system
        Gate.open_all()


@pytest.fixture
def settlements(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[Run[Any, Any], int]]:
    """How often each run that ended during the test was settled: exactly once (promise 8)."""
    counts: dict[Run[Any, Any], int] = {}
    settle = Run.settle

    def counted(run: Run[Any, Any], *arguments: Any, **options: Any) -> bool:
        settled = settle(run, *arguments, **options)
        counts[run] = counts.get(run, 0) + settled
        return settled

    monkeypatch.setattr(Run, "settle", counted)
    yield counts
    counts.clear()
