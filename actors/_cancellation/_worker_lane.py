"""Blocking work of an asynchronous manager: one thread, in order, several waiting calls in one go.

``anyio.to_thread`` gives each call a thread. A disk that hangs would then take one thread after another, since a call that
was given up frees its place at once on asyncio; and a hundred registrations would rewrite a file a hundred times. Here at
most one thread works for a manager, so at most one can hang, and what piled up meanwhile is done as one batch.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, TypeVar, cast

import anyio
import attrs

from actors._errors import ManagerError
from actors._event_loop import EventLoop, current_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

T = TypeVar("T")

IDLE_TIME = 1.0
"""Seconds that the thread waits for more work before it ends."""


@attrs.define(eq=False)
class Job:
    """One call, on its way to the thread and back."""

    call: Callable[[], object]
    batched: bool
    loop: EventLoop
    over: anyio.Event = attrs.field(factory=anyio.Event)
    value: object = None
    error: BaseException | None = None

    def run(self) -> None:
        """Make the call and keep what came of it."""
        try:
            self.value = self.call()
        except BaseException as error:  # noqa: BLE001 - raised again where the call came from
            self.error = error


@attrs.define(eq=False)
class WorkerLane:
    """Runs calls on one thread that lives only while there is work.

    Args:
        name: of the manager, for error texts and the thread.
        batch: gives a context for several calls in a row, so that they can share one read and one write. If it fails on
            leaving, each of these calls fails.
    """

    _name: str
    _batch: Callable[[], AbstractContextManager[object]]
    _jobs: deque[Job] = attrs.field(factory=deque[Job])
    _changed: threading.Condition = attrs.field(factory=threading.Condition)
    _thread: threading.Thread | None = None

    async def run(self, call: Callable[[], T], *, timeout: float, batched: bool = True) -> T:
        """Make a blocking call on the thread, and wait for it. A cancelled caller leaves at once, whatever the thread does.

        Args:
            call: what to do.
            timeout: seconds that it waits for its turn and its end.
            batched: whether it wants the batch's context.

        Raises:
            ManagerError: it did not end in time. It may still be done later.
        """
        job: Job = Job(call, batched, current_event_loop())
        with self._changed:
            self._jobs.append(job)
            # After a fork the thread object is still there, but not the thread.
            if self._thread is None or not self._thread.is_alive():
                # A daemon: the interpreter can end while a disk hangs.
                self._thread = threading.Thread(target=self._work, name=f"{self._name} worker", daemon=True)
                self._thread.start()
            else:
                self._changed.notify()
        try:
            with anyio.fail_after(timeout):
                await job.over.wait()
        except TimeoutError:
            raise ManagerError(
                f"{self._name}: no answer within {timeout:g} s (a hanging disk, or a lock that another process keeps); "
                f"what was asked for may still be done later"
            ) from None
        finally:
            self._withdraw(job)
        if job.error is not None:
            raise job.error
        return cast("T", job.value)  # of `call`, which raised nothing

    def _withdraw(self, job: Job) -> None:
        """What nobody waits for any more and has not begun is not done."""
        if not job.over.is_set():
            with self._changed:
                if job in self._jobs:
                    self._jobs.remove(job)

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._jobs and not self._changed.wait_for(lambda: self._jobs, IDLE_TIME):
                    self._thread = None
                    return
                jobs = list(self._jobs)
                self._jobs.clear()
            self._do([job for job in jobs if not job.batched], [job for job in jobs if job.batched])

    def _do(self, alone: list[Job], together: list[Job]) -> None:
        for job in alone:
            job.run()
        _settle(alone)
        if not together:
            return
        try:
            with self._batch():
                for job in together:
                    job.run()
        except BaseException as error:  # noqa: BLE001 - raised again in each call that it hit
            for job in together:
                job.error = error
        _settle(together)


def _settle(jobs: list[Job]) -> None:
    """Wake those who wait, each event loop once: waking one takes a system call. On a closed one nobody waits any more."""
    for token in {job.loop.token for job in jobs}:
        done = [job for job in jobs if job.loop.token == token]

        def wake(done: list[Job] = done) -> None:
            for job in done:
                job.over.set()

        done[0].loop.call_soon(wake)
