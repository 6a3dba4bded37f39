"""Ending in order when the process is told to end: what SIGTERM and Ctrl-C do to a system."""

from __future__ import annotations

import math
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import attrs

from actors._errors import UsageError
from actors._logging import get_logger
from actors._waiter import wake

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from actors._system import ActorSystem
    from actors._waiter import Waiter

logger = get_logger("actors.signals")


@attrs.define
class Stopping:
    """What ``stop_on_signals`` gives.

    Attributes:
        signal: the signal that has come, if one has.
    """

    signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@asynccontextmanager
async def stop_on_signals(system: ActorSystem, *signals: signal.Signals) -> AsyncGenerator[Stopping]:
    """End in order at the first SIGTERM or Ctrl-C, and at once at the second.

    ::

        async with ActorSystem() as system, stop_on_signals(system):
            await system.spawn(Server)
            await anyio.sleep_forever()

    At the first signal the block is cancelled, and left without an exception, so that the system's own block around it is left
    as it should be: it drains within ``drain_timeout``, then interrupts, then stops. At the second one, also while it drains,
    replies and commits are cut and nothing drains (``on_stop`` still runs), and the system's block raises
    ``KeyboardInterrupt`` for SIGINT, ``SystemExit(128 + number)`` for others, which is what they would have done by themselves.

    Args:
        system: the system that is around the block.
        signals: which; SIGTERM and SIGINT if none are named.

    Raises:
        UsageError: this is not the main thread, the only one that gets signals.
    """
    reception = _Reception(system, signals or (signal.SIGTERM, signal.SIGINT))
    await reception.begin()
    with reception.block:
        yield reception.stopping


class _Reception:
    """Receives until the system has ended: signals come while it drains, too."""

    def __init__(self, system: ActorSystem, signals: tuple[signal.Signals, ...]) -> None:
        self._system = system
        self._signals = signals
        self._ready: Waiter = system.new_waiter()
        self._error: Exception | None = None
        self.stopping = Stopping()
        self.block = anyio.CancelScope()

    async def begin(self) -> None:
        """Signals are received when this returns."""
        self._system.check_open()
        self._system.background.start(self._run, "signals")
        await self._ready
        if self._error is not None:
            raise UsageError(
                "signals can be received in the main thread only, where the program began"
            ) from self._error

    async def _run(self) -> None:
        try:
            with anyio.open_signal_receiver(*self._signals) as received:
                wake(self._ready)
                async for number in received:
                    self._receive(number)
        except (RuntimeError, ValueError) as error:
            self._error = error
            wake(self._ready)

    def _receive(self, number: signal.Signals) -> None:
        system = self._system
        if self.stopping.signal is None:
            self.stopping.signal = number
            logger.info(
                "system.stopping", system=system.name, signal=number.name, hint="a second signal ends it at once"
            )
            self.block.cancel()
            return
        logger.warning("system.stopping_at_once", system=system.name, signal=number.name)
        system.commits.limit(-math.inf)
        system.fail(KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number))
