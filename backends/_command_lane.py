"""One connection for any number of callers: whatever they ask for while it is busy goes over it in one go.

A client's pool opens one connection for each command that waits, so that ten thousand runs that begin at once would be ten
thousand connections. Here they are a few dozen commands on one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from actors._errors import ManagerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

J = TypeVar("J")
A = TypeVar("A")


@attrs.define(eq=False)
class CommandLane(Generic[J, A]):
    """Sends jobs in order, several at a time, and gives each caller the answer to its own.

    A caller that is cancelled leaves at once. What it asked for is not done if it had not been sent, and otherwise comes to its
    end without it, so that the connection is never left in the middle of an answer. There is a task only while there is work.

    Args:
        send: does some jobs, in order; returns one answer each, or an error to be raised.
        explain: makes an error of ours from one of the client's.
        timeout: seconds that one call of ``send`` may take.
        limit: the most jobs for one call.
    """

    _send: Callable[[Sequence[J]], Awaitable[Sequence[A | BaseException]]]
    _explain: Callable[[BaseException], BaseException]
    _timeout: float
    _limit: int = 100
    _jobs: deque[tuple[J, asyncio.Future[A]]] = attrs.field(factory=deque["tuple[J, asyncio.Future[A]]"])
    _worker: asyncio.Task[None] | None = None

    async def ask(self, job: J) -> A:
        """Have a job done.

        Raises:
            ManagerError: the store could not do it, or did not answer in time.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._jobs.append((job, answer))
        if self._worker is None or self._worker.done():
            # In a context of its own: the first caller's would be kept for as long as there is work.
            self._worker = loop.create_task(self._work(), context=Context(), name="cancellation manager's commands")
        return await answer

    async def close(self) -> None:
        """End the work; who still waits gets an error."""
        worker, self._worker = self._worker, None
        if worker is not None and not worker.done():
            worker.cancel()
            await asyncio.wait([worker])

    async def _work(self) -> None:
        batch: list[tuple[J, asyncio.Future[A]]] = []
        try:
            while batch := self._next():
                await self._do(batch)
        finally:  # for who waits when this is cancelled
            self._fail([*batch, *self._jobs], lambda: ManagerError("the cancellation manager was closed meanwhile"))
            self._jobs.clear()

    def _next(self) -> list[tuple[J, asyncio.Future[A]]]:
        batch: list[tuple[J, asyncio.Future[A]]] = []
        while self._jobs and len(batch) < self._limit:
            job, answer = self._jobs.popleft()
            if not answer.done():  # whose caller has not been cancelled
                batch.append((job, answer))
        return batch

    async def _do(self, batch: list[tuple[J, asyncio.Future[A]]]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._send([job for job, _ in batch])
        except TimeoutError:
            self._fail(batch, lambda: self._explain(TimeoutError(f"no answer within {self._timeout:g} s")))
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            caught = error
            self._fail(batch, lambda: self._explain(caught))
        else:
            for (_, answer), value in zip(batch, found, strict=True):
                if answer.done():
                    continue
                if isinstance(value, BaseException):
                    _raise_in(answer, value)
                else:
                    answer.set_result(value)

    def _fail(self, batch: list[tuple[J, asyncio.Future[A]]], error: Callable[[], BaseException]) -> None:
        """Give each caller an error of its own: raised in several tasks, one would show the traces of all of them."""
        for _, answer in batch:
            if not answer.done():
                _raise_in(answer, error())


def _raise_in(answer: asyncio.Future[A], error: BaseException) -> None:
    answer.set_exception(error)
    answer.exception()  # seen: a caller that is cancelled in this very tick leaves no complaint in the log
