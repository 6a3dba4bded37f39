"""A manager from a URL: the right class, with its options, and no password in any text."""

import sys
import types
from importlib import import_module
from pathlib import Path

import pytest

from actors import InMemoryCancellationManager
from actors.backends import FileCancellationManager, SQLiteCancellationManager, manager_from_url

SECRET = "hunter2"  # noqa: S105 - of nobody
CLASSES = {
    "_redis": "RedisCancellationManager",
    "_postgres": "PostgresCancellationManager",
    "_nats": "NATSCancellationManager",
}


@pytest.fixture
def network(monkeypatch):
    """Doubles for the managers over networks, so that what they are given can be seen; no client library is needed."""

    class Double:
        def __init__(
            self, url, *, namespace="bargein", lease: float = 30.0, layout="own", pool=None, limit: "int | None" = None
        ):
            self.url = url
            self.options = {"namespace": namespace, "lease": lease, "layout": layout, "limit": limit}

    for module, name in CLASSES.items():
        double = types.ModuleType(f"actors.backends.{module}")
        setattr(double, name, type(name, (Double,), {}))
        monkeypatch.setitem(sys.modules, double.__name__, double)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("runs", "runs"),
        ("a%20b/%C3%BC%3F.x", "a b/ü?.x"),
        ("/run/runs", "/run/runs"),
        ("///run/runs", "/run/runs"),
        ("C#/runs", "C#/runs"),
    ],
)
@pytest.mark.parametrize(("scheme", "kind"), [("file", FileCancellationManager), ("sqlite", SQLiteCancellationManager)])
def test_a_file_is_named_by_its_path(scheme, kind, url, path):
    """Issue 4: `sqlite:runs.db`, `file:runs.json`; relative, absolute, and with what a URL must escape."""
    manager = manager_from_url(f"{scheme}:{url}")
    assert type(manager) is kind
    assert manager.path == Path(path).absolute()


def test_options_are_the_keyword_arguments_that_a_text_can_say():
    """Issue 4: namespaces, TTLs and lease periods."""
    manager = manager_from_url("SQLite:runs.db?namespace=a%26b&lease=12.5&tombstone=5&capacity=7")
    assert (manager.lease, manager.tombstone) == (12.5, 5.0)
    assert (manager._runs.namespace, manager._runs.capacity) == ("a&b", 7)
    assert manager_from_url("file:runs.json?fsync=yes")._file.fsync is True
    assert manager_from_url("file:runs.json?fsync=0")._file.fsync is False
    memory = manager_from_url("memory:?tombstone=1.5")
    assert (type(memory), memory.tombstone) == (InMemoryCancellationManager, 1.5)


@pytest.mark.parametrize(
    ("url", "kind", "passed"),
    [
        (f"redis://anna:{SECRET}@host:1/2?lease=3", "Redis", f"redis://anna:{SECRET}@host:1/2"),
        ("rediss://host?ssl_cert_reqs=none&namespace=x", "Redis", "rediss://host?ssl_cert_reqs=none"),
        ("valkey://host", "Redis", "redis://host"),
        ("valkeys://host", "Redis", "rediss://host"),
        ("unix:///run/redis.sock?db=1", "Redis", "unix:///run/redis.sock?db=1"),
        (
            f"postgres://anna:{SECRET}%2F@host/runs?sslmode=require",
            "Postgres",
            f"postgres://anna:{SECRET}%2F@host/runs?sslmode=require",
        ),
        ("postgresql://host/runs?limit=9", "Postgres", "postgresql://host/runs"),
        ("nats://one:4222,two:4222", "NATS", "nats://one:4222,two:4222"),
        ("tls://host", "NATS", "tls://host"),
    ],
)
def test_over_a_network_the_rest_of_the_url_is_the_client_librarys(network, url, kind, passed):
    """Issue 4: `redis://…`, `postgres://…`, `nats://…`."""
    manager = manager_from_url(url)
    assert (type(manager).__name__, manager.url) == (f"{kind}CancellationManager", passed)


def test_options_over_a_network_are_taken_out_of_the_url(network):
    manager = manager_from_url("redis://host/0?layout=agno&namespace=n&health_check_interval=3&lease=1&limit=4&pool=x")
    assert manager.options == {"namespace": "n", "lease": 1.0, "layout": "agno", "limit": 4}
    assert manager.url == "redis://host/0?health_check_interval=3&pool=x"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "does not begin with a scheme"),
        ("runs.db", "does not begin with a scheme. Write one like .*sqlite:runs.db"),
        ("mysql://host/x", "mysql:// is none of the schemes"),
        ("sqlite:", "the path is missing"),
        ("sqlite://runs.db", r"what stands after sqlite:// is a host. Write sqlite:runs"),
        (
            "sqlite:runs.db?ttl=3&lease=1",
            "SQLiteCancellationManager has no option ttl; it has capacity, intent_ttl, lease",
        ),
        ("file:runs.json?lease=soon", "the option lease of this file URL cannot be read"),
        ("file:runs.json?fsync=maybe", "the option fsync"),
        ("memory:elsewhere", "there is only one memory"),
        ("sqlite::memory:", "use InMemoryCancellationManager"),
        ("redis:host", "a redis URL begins with redis://"),
    ],
)
def test_a_url_that_cannot_be_right_says_why_and_how_it_is_written(network, url, says):
    """Issue 4: a clear error for a bad URL."""
    with pytest.raises(ValueError, match=says):
        manager_from_url(url)


@pytest.mark.parametrize(
    "url",
    [
        f"{SECRET}",
        f"anna:{SECRET}@host/0",
        f"//anna:{SECRET}@host/0",
        f"mysql://anna:{SECRET}@host/x",
        f"redis:/anna:{SECRET}@host",
        f"redis://anna:{SECRET}@host?lease={SECRET}",
        f"postgres:anna:{SECRET}@host",
    ],
)
def test_a_url_that_may_hold_a_password_is_shown_in_no_error(network, url):
    """Issue 4: credentials never appear; not in a cause that a traceback would show either."""
    with pytest.raises(ValueError, match=r".") as caught:
        manager_from_url(url)
    error = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = None if error.__suppress_context__ else error.__cause__ or error.__context__


def test_each_scheme_names_a_class_that_exists_or_is_to_come():
    """A typing error in the table would show only when somebody uses that scheme."""
    schemes = import_module(manager_from_url.__module__).SCHEMES
    assert {kind.name for kind in schemes.values()} >= {*CLASSES.values()}
    for scheme in ("memory", "file", "sqlite"):
        kind = schemes[scheme]
        home = import_module(kind.module, "actors.backends" if kind.module.startswith(".") else None)
        assert isinstance(getattr(home, kind.name), type)
