"""Failures that nobody retrieved."""

from __future__ import annotations

from actors._logging import get_logger

logger = get_logger("actors.run")


class Alarm:
    """Logs a failure when it is dropped without anybody having retrieved it; what asyncio does for its futures."""

    __slots__ = ("_error", "_path", "_run_id")

    def __init__(self, path: str, run_id: str | None, error: BaseException) -> None:
        self._path = path
        self._run_id = run_id
        self._error: BaseException | None = error

    def disarm(self) -> None:
        self._error = None

    def __del__(self) -> None:
        if self._error is not None:
            logger.error("run.failure_never_retrieved", actor=self._path, run_id=self._run_id, exc_info=self._error)
