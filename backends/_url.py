"""A cancellation manager from a URL: for configuration files, environments and command lines."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors._cancellation._manager import CancellationManager


@attrs.frozen
class Kind:
    """What a scheme stands for.

    Args:
        module: where the class is, as seen from here.
        name: of the class.
        takes: what its first argument is: nothing, a ``path``, or the ``url`` itself.
        spoken: the scheme that its client library knows, if that is another one.
    """

    module: str
    name: str
    takes: str
    spoken: str = ""


MEMORY = Kind("actors", "InMemoryCancellationManager", "nothing")
FILE = Kind("._file", "FileCancellationManager", "path")
SQLITE = Kind("._sqlite", "SQLiteCancellationManager", "path")
REDIS = Kind("._redis", "RedisCancellationManager", "url")
POSTGRES = Kind("._postgres", "PostgresCancellationManager", "url")
NATS = Kind("._nats", "NATSCancellationManager", "url")

SCHEMES: Mapping[str, Kind] = {
    "memory": MEMORY,
    "file": FILE,
    "sqlite": SQLITE,
    "redis": REDIS,
    "rediss": REDIS,
    "unix": REDIS,
    "valkey": attrs.evolve(REDIS, spoken="redis"),
    "valkeys": attrs.evolve(REDIS, spoken="rediss"),
    "postgres": POSTGRES,
    "postgresql": POSTGRES,
    "nats": NATS,
    "tls": NATS,
}
"""The one table of schemes."""

EXAMPLES = (
    "memory:, file:runs.json, sqlite:runs.db, sqlite:///var/lib/runs.db, redis://host:6379/0, postgres://host/database, "
    "nats://host:4222"
)


def manager_from_url(url: str) -> CancellationManager:
    """Make the cancellation manager that a URL names. It is not opened; its client library is imported here, if it needs one.

    - ``memory:`` is ``InMemoryCancellationManager``;
    - ``file:runs.json``, ``file:///run/runs.json``: ``FileCancellationManager``;
    - ``sqlite:runs.db``, ``sqlite:///run/runs.db``: ``SQLiteCancellationManager``;
    - ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://``, ``unix://``: ``RedisCancellationManager``;
    - ``postgres://``, ``postgresql://``: ``PostgresCancellationManager``;
    - ``nats://``, ``tls://``: ``NATSCancellationManager``.

    What stands after a ``?`` are options: every keyword argument of the manager that is a number, a text or a truth value, as
    in ``sqlite:runs.db?namespace=tests&tombstone=5``. Over a network the others are left to the client library
    (``postgres://host/database?sslmode=require``); a file has no others. In the path of a file ``%3F`` is a question mark.

    Raises:
        ValueError: the URL cannot be right. The text never shows a URL that could hold a password.
        ImportError: the client library is not installed; the text says which extra brings it.
    """
    scheme, colon, rest = url.partition(":")
    kind = SCHEMES.get(scheme.lower()) if colon else None
    if kind is None:
        found = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,20}(?=://)", url)  # anything else could be part of a password
        what = f"{found.group()}:// is none of the schemes" if found else "it does not begin with a scheme"
        raise ValueError(f"this is no URL of a cancellation manager: {what}. Write one like {EXAMPLES}")
    home = "." if kind.module.startswith(".") else ""
    make: Callable[..., CancellationManager] = getattr(
        import_module(kind.module, __package__ if home else None), kind.name
    )
    place, _, query = rest.partition("?")
    known = _options(make)
    given: dict[str, Any] = {}
    others: list[str] = []
    for part in filter(None, query.split("&")):
        name, _, text = part.partition("=")
        if name in known:
            given[name] = _value(name, unquote_plus(text), known[name], scheme)
        else:
            others.append(part)
    if kind.takes == "url":
        if not place.startswith("//"):
            raise ValueError(f"a {scheme} URL begins with {scheme}://. Write one like {EXAMPLES}")
        left = f"?{'&'.join(others)}" if others else ""
        return make(f"{kind.spoken or scheme}:{place}{left}", **given)
    if others:
        names = ", ".join(sorted(part.partition("=")[0] for part in others))
        raise ValueError(f"{url}: {kind.name} has no option {names}; it has {', '.join(sorted(known))}")
    if kind.takes == "path":
        return make(_path(place, url, scheme), **given)
    if place not in {"", "//"}:
        raise ValueError(f"{url}: there is only one memory; write {scheme}: and nothing behind it but options")
    return make(**given)


def _path(place: str, url: str, scheme: str) -> str:
    if place.startswith("//"):
        if not place.startswith("///"):
            raise ValueError(
                f"{url}: what stands after {scheme}:// is a host. Write {scheme}:runs or {scheme}:///run/runs"
            )
        place = place[2:]
    if not place:
        raise ValueError(f"{url}: the path is missing. Write {scheme}:runs or {scheme}:///run/runs")
    return unquote(place)


def _options(make: Any) -> dict[str, Callable[[str], object]]:
    """The options of a class that a text can say, each with what makes a value of the text."""
    found: dict[str, Callable[[str], object]] = {}
    for parameter in inspect.signature(make.__init__).parameters.values():  # its own: the base class takes anything
        if parameter.kind is parameter.KEYWORD_ONLY:
            said = str(parameter.annotation).partition("|")[0].strip()
            kind = said if parameter.default is None else type(parameter.default).__name__
            if kind in _READERS:
                found[parameter.name] = _READERS[kind]
    return found


def _value(name: str, text: str, read: Callable[[str], object], scheme: str) -> object:
    try:
        return read(text)
    except ValueError:
        # The value is not shown: what was meant for the client library may be a secret.
        raise ValueError(f"the option {name} of this {scheme} URL cannot be read as what it has to be") from None


def _truth(text: str) -> bool:
    answers = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in answers:
        raise ValueError(text)
    return answers[text.lower()]


_READERS: Mapping[str, Callable[[str], object]] = {"float": float, "int": int, "str": str, "bool": _truth}
