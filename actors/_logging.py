"""Structured log events, silent until the application wants them.

A library must not configure structlog, and an unconfigured structlog prints to stdout. So each call looks: if the
application has configured structlog, its configuration is used; otherwise the event goes to the standard library's logger of
the same name, which carries a NullHandler and so stays silent until the application configures logging.
"""

from __future__ import annotations

import logging
from typing import Any

import structlog


class Logger:
    """Structured events under one name.

    Args:
        name: the logger's name, as in the standard library: ``actors.system``.
    """

    __slots__ = ("_plain", "_structured")

    def __init__(self, name: str) -> None:
        self._plain = logging.getLogger(name)
        if not self._plain.handlers:
            self._plain.addHandler(logging.NullHandler())
        self._structured: Any = structlog.get_logger(name)

    def enabled_for(self, level: int) -> bool:
        """Whether an event of that level could go anywhere. A hot path asks this before it builds an event."""
        return structlog.is_configured() or self._plain.isEnabledFor(level)

    def debug(self, event: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
        """An event that helps to follow what happens."""
        self._log(logging.DEBUG, event, fields, exc_info)

    def info(self, event: str, **fields: object) -> None:
        """An event of normal life: an interrupt, a stop."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something a person should look at; the system goes on."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
        """Something failed that nobody else will be told of."""
        self._log(logging.ERROR, event, fields, exc_info)

    def _log(self, level: int, event: str, fields: dict[str, object], error: BaseException | None = None) -> None:
        if structlog.is_configured():
            if error is not None:
                fields["exc_info"] = error
            self._structured.log(level, event, **fields)
        elif self._plain.isEnabledFor(level):
            text = event + "".join(f" {key}={value!r}" for key, value in fields.items())
            self._plain.log(level, text, exc_info=error, extra={"event": event, "fields": fields})


def get_logger(name: str) -> Logger:
    """The logger of that name; cheap, and silent until the application configures structlog or logging."""
    return Logger(name)
