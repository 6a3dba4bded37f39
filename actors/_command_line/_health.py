"""``health``: whether a store answers, and how quickly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from actors._command_line._exit import Exit

if TYPE_CHECKING:
    from actors._cancellation._manager import CancellationManager
    from actors._command_line._output import Output


async def show_health(manager: CancellationManager, output: Output) -> Exit:
    """Ask the store for all active runs, and say how that went. That it can be written too is seen only by writing."""
    began = time.perf_counter()
    active = await manager.aget_active_runs()
    took = (time.perf_counter() - began) * 1000
    health = manager.health()
    name = type(manager).__name__
    cancelled = sum(active.values())
    output.say(
        f"{name}: {'healthy' if health else health.error}, answered in {took:.1f} ms; "
        f"active runs: {len(active)}, of which shall end: {cancelled}",
        manager=name,
        healthy=bool(health),
        error=health.error,
        milliseconds=round(took, 3),
        active=len(active),
        cancelled=cancelled,
    )
    return Exit.DONE if health else Exit.NOT_STORED
