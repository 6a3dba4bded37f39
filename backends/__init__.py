"""The door to the cancellation managers over real stores: ``from actors.backends import FileCancellationManager``.

Each name is loaded at its first use, and each backend imports its client library only when it is used, so that
importing this package costs nothing and needs no client library.

The modules here are private and reach each other by relative imports: in a checkout this package can be seen under two
names, `actors.backends` (the one to use) and ``backends``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._agno import as_agno
    from ._chained import ChainedCancellationManager
    from ._file import FileCancellationManager
    from ._nats import NATSCancellationManager
    from ._postgres import PostgresCancellationManager
    from ._redis import RedisCancellationManager
    from ._sqlite import SQLiteCancellationManager
    from ._url import manager_from_url

__all__ = [
    "ChainedCancellationManager",
    "FileCancellationManager",
    "NATSCancellationManager",
    "PostgresCancellationManager",
    "RedisCancellationManager",
    "SQLiteCancellationManager",
    "as_agno",
    "manager_from_url",
]

if not TYPE_CHECKING:  # hidden from type checkers, for whom a module with __getattr__ has every name
    _HOMES = {
        "ChainedCancellationManager": "._chained",
        "FileCancellationManager": "._file",
        "NATSCancellationManager": "._nats",
        "PostgresCancellationManager": "._postgres",
        "RedisCancellationManager": "._redis",
        "SQLiteCancellationManager": "._sqlite",
        "as_agno": "._agno",
        "manager_from_url": "._url",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name], __name__), name)
        globals()[name] = value  # from now on found without this function
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
