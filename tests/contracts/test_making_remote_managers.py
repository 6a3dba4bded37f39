"""How managers over a network are made, and what they say, and do not say, when they cannot work."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import traceback

import anyio.to_thread
import pytest
import redis

from actors import ManagerError, UsageError, WrongLoopError
from actors.backends import RedisCancellationManager
from tests._support import Doer
from tests.servers.fixtures import asyncio_loops as anyio_backend  # noqa: F401
from tests.servers.managers import KINDS, MANAGERS
from tests.servers.server import free_port

SCHEMES = {"redis": "redis", "postgres": "postgresql", "nats": "nats"}
LIBRARIES = {"redis": "redis", "postgres": "asyncpg", "nats": "nats"}
SECRET = "s3cr3t-p%40ss"  # noqa: S105 - as it stands in a URL; the password has an @
SECRETS = ("s3cr3t-p%40ss", "s3cr3t-p@ss", "s3cr3t", "an-4dmin")

every_kind = pytest.mark.parametrize("kind", KINDS)
on_trio = pytest.mark.parametrize("anyio_backend", [pytest.param(("trio", {}), id="trio")])


@every_kind
@on_trio
async def test_under_trio_it_says_at_once_that_it_needs_asyncio(kind, system):
    """Design, section 7: at spawn, when opened, and at the first call; and what to use instead."""
    manager = MANAGERS[kind](f"{SCHEMES[kind]}://127.0.0.1:1")
    for use in (
        lambda: system.spawn(Doer(), name="actor", cancellation=manager),
        manager.__aenter__,
        lambda: manager.acancel_run("run"),
        lambda: manager.watch(list, print),
    ):
        with pytest.raises(WrongLoopError, match=f"{type(manager).__name__} needs asyncio"):
            await use()
    assert system.find("actor") is None
    assert manager.lifetime.users == 0


@every_kind
@on_trio
async def test_the_synchronous_methods_work_in_the_threads_of_a_trio_program(kind, store_url, namespace):
    """Issue 4: each call has an event loop of its own, which is asyncio's whatever runs elsewhere."""
    manager = MANAGERS[kind](store_url, namespace=namespace)
    assert await anyio.to_thread.run_sync(manager.cancel_run, "run") is False
    assert await anyio.to_thread.run_sync(manager.is_cancelled, "run") is True
    await anyio.to_thread.run_sync(manager.cleanup_run, "run")


@every_kind
async def test_user_and_password_appear_in_no_text(kind, caplog):
    """Issue 4: neither in a repr, nor in an error and its traceback, nor in the log; the place does."""
    caplog.set_level(logging.DEBUG)
    port = free_port()
    manager = MANAGERS[kind](f"{SCHEMES[kind]}://an-4dmin:{SECRET}@127.0.0.1:{port}/0", timeout=0.5)
    said = [repr(manager), str(manager.fresh()), repr(manager.address), repr(vars(manager).get("_url"))]
    for call in (manager.acancel_run("run"), manager.__aenter__()):
        with pytest.raises(ManagerError) as caught:
            await call
        assert f"127.0.0.1:{port}" in str(caught.value)
        said += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
    said += [caplog.text]
    assert [secret for secret in SECRETS for text in said if secret in text] == []


@every_kind
async def test_a_refused_password_is_not_repeated(kind, store_url, caplog):
    """Issue 4: what the server says to it is not ours, and may be anything; so it is searched for what must not be told."""
    caplog.set_level(logging.DEBUG)
    place = store_url.partition("://")[2].rpartition("@")[2]
    manager = MANAGERS[kind](f"{SCHEMES[kind]}://an-4dmin:{SECRET}@{place}", timeout=5)
    said = [caplog.text]
    try:
        await manager.acancel_run("run")
    except ManagerError as error:
        said += ["".join(traceback.format_exception(error)), repr(manager.health())]
    else:
        assert kind == "nats"  # a server without users lets everybody in
    assert [secret for secret in SECRETS for text in [*said, caplog.text] if secret in text] == []


@every_kind
async def test_a_server_that_accepts_and_never_answers_costs_the_timeout(kind, namespace):
    """R28: a listening port behind which nobody is; `timeout` is what connecting may take, too."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        manager = MANAGERS[kind](f"{SCHEMES[kind]}://127.0.0.1:{port}", namespace=namespace, timeout=0.3)
        with pytest.raises(ManagerError):
            await manager.acancel_run("run")


@every_kind
def test_what_makes_no_manager_says_why(kind):
    """The text never repeats the URL, since that may hold a password."""
    manager = MANAGERS[kind]
    with pytest.raises(ValueError, match="needs a url, or a client="):
        manager()
    with pytest.raises(ValueError, match=f"{SCHEMES[kind]}://") as caught:
        manager("mysql://an-4dmin:s3cr3t@host/")
    with pytest.raises(ValueError, match="cannot be understood") as unclear:
        manager(f"{SCHEMES[kind]}://an-4dmin:s3cr3t@host:s3cr3t/")
    for error in (caught.value, unclear.value):
        assert "s3cr3t" not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
    with pytest.raises(ValueError, match="lease is 0"):
        manager(f"{SCHEMES[kind]}://host", lease=0)
    with pytest.raises(TypeError, match=r"object, not a"):
        manager(client=object())


def test_a_synchronous_client_is_refused():
    """It would block the event loop, if it worked at all."""
    with redis.Redis() as client, pytest.raises(TypeError, match=r"redis\.asyncio\.Redis"):
        RedisCancellationManager(client=client)


@every_kind
def test_a_missing_client_library_is_named_with_the_extra_to_install(kind):
    """Design, section 6: the class is there without it, and says what to install when it is used."""
    name = MANAGERS[kind].__name__
    program = f"""
import sys
sys.modules[{LIBRARIES[kind]!r}] = None
from actors.backends import {name}
try:
    {name}("{SCHEMES[kind]}://127.0.0.1")
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert f"{name} needs " in done.stdout
    assert f"pip install 'bargein[{kind}]'" in done.stdout


def test_usage_errors_are_told_apart_from_a_store_that_fails():
    """Errors say whose doing it was."""
    assert issubclass(WrongLoopError, UsageError)
    assert not issubclass(ManagerError, UsageError)
