"""Looking for changes in a thread of its own: a disk that hangs must not stop the event loop, which is woken only by news."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import attrs

from actors._event_loop import EventLoop, current_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.define(eq=False)
class WatchThread:
    """What the thread is given: how to wait, and how to tell the event loop.

    Args:
        loop: whom to tell.
        hint: what to call there.
    """

    _loop: EventLoop
    _hint: Callable[[str | None], None]
    _stop: threading.Event = attrs.field(factory=threading.Event)
    _error: BaseException | None = None
    _failed: anyio.Event = attrs.field(factory=anyio.Event)

    def goes_on(self, pause: float) -> bool:
        """Wait for some seconds. False if nobody listens any more."""
        return not self._stop.wait(pause)

    def tell(self, run_id: str | None) -> None:
        """Hand over a hint: a run, or None for anything."""
        if not self._loop.call_soon(self._hear, run_id):
            self._stop.set()

    def run(self, look: Callable[[WatchThread], None]) -> None:
        """The thread."""
        try:
            look(self)
        except Exception as error:  # noqa: BLE001 - raised again by wait()
            self._error = error
            self._loop.call_soon(self._failed.set)

    async def wait(self) -> None:
        """Until cancelled, or raise what ended the thread."""
        try:
            await self._failed.wait()
        finally:
            self._stop.set()
        if self._error is not None:
            raise self._error

    def _hear(self, run_id: str | None) -> None:
        if not self._stop.is_set():  # a hint that was on its way when the listener left
            self._hint(run_id)


async def watch_in_thread(what: str, look: Callable[[WatchThread], None], hint: Callable[[str | None], None]) -> None:
    """Run a loop that looks for changes, until cancelled.

    Args:
        what: is watched, for the thread's name.
        look: the loop: it tells ``None`` as soon as no change can be missed any more, then every change, and returns when
            ``goes_on`` is False.
        hint: called on the event loop for what it tells.

    Raises:
        Exception: what ``look`` raised.
    """
    thread = WatchThread(current_event_loop(), hint)
    threading.Thread(target=thread.run, args=(look,), name=f"watching {what}", daemon=True).start()
    await thread.wait()
