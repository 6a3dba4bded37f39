"""What many tests use: an actor that does what its message says, and ways to watch it without sleeping."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Self

import anyio
import anyio.lowlevel
import pytest
import trio
import trio.abc
import trio.testing

from actors import Actor, AskTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import TaskGroup

    from actors import ActorRef, Interruption


class Doer(Actor[Any, Any, Any]):
    """Replies with what the message, an async function of the actor, returns; to an interrupt, with the interruption."""

    def __init__(self) -> None:
        self.handled: list[Interruption[Any]] = []
        self.log: list[Any] = []

    async def reply(self, message: Any, /) -> Any:
        return await message(self) if callable(message) else message

    async def handle_interrupt(self, message: Any, interruption: Interruption[Any], /) -> Any:
        self.handled.append(interruption)
        return interruption


class Mute(Doer):
    """Has no reply of its own to an interrupt."""

    async def handle_interrupt(self, message: Any, interruption: Interruption[Any], /) -> Any:
        self.handled.append(interruption)
        return await Actor.handle_interrupt(self, message, interruption)


class Teller(Actor[Any, str, str]):
    """Replies word by word: to a list of words and of async functions to be awaited between them."""

    async def reply(self, message: list[Any], /) -> AsyncIterator[str]:
        for word in message:
            if callable(word):
                await word(self)
            else:
                yield word

    def assemble(self, chunks: Any, /) -> str:
        return " ".join(chunks)


class Hang:
    """A message whose reply hangs until it is cut: ``began`` tells that it does, ``cut`` that it was."""

    def __init__(self) -> None:
        self.began = anyio.Event()
        self.cut = False

    async def __call__(self, _actor: object) -> None:
        self.began.set()
        try:
            await anyio.sleep_forever()
        except BaseException:
            self.cut = True
            raise


class Gate:
    """A message whose reply waits until the gate is opened, and then is ``value``; a shielded one cannot be cut.

    tests/conftest.py opens them all at the end of a test, so that one that has failed does not hang as well.
    """

    made: ClassVar[weakref.WeakSet[Gate]] = weakref.WeakSet()

    def __init__(self, value: object = "opened", *, shielded: bool = False) -> None:
        self.made.add(self)
        self.began = anyio.Event()
        self.opened = anyio.Event()
        self.value = value
        self.shielded = shielded

    def open(self) -> None:
        self.opened.set()

    @classmethod
    def open_all(cls) -> None:
        for gate in list(cls.made):
            gate.open()
        cls.made.clear()

    async def __call__(self, _actor: object) -> Any:
        self.began.set()
        with anyio.CancelScope(shield=self.shielded):
            await self.opened.wait()
        return self.value


class Refusing:
    """A message whose reply absorbs each cancellation until it is let go, and counts them."""

    def __init__(self, value: object = "at last") -> None:
        self.began, self.let_go = anyio.Event(), anyio.Event()
        self.absorbed = 0
        self.value = value

    async def __call__(self, _actor: object) -> object:
        self.began.set()
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except anyio.get_cancelled_exc_class():
                self.absorbed += 1
                with anyio.CancelScope(shield=True):
                    await anyio.lowlevel.checkpoint()
        return self.value


class Call:
    """A call in a task of its own. ``await call.result()`` gives what it returned, or raises what it raised.

    It ends in one of three ways, and says which: ``returned``, ``raised``, ``cancelled``.
    """

    def __init__(self, group: TaskGroup, function: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> None:
        self.scope = anyio.CancelScope()
        self.how: str | None = None
        self.value: Any = None
        self._over = anyio.Event()
        group.start_soon(self._run, lambda: function(*args, **options))

    async def _run(self, function: Callable[[], Awaitable[Any]]) -> None:
        try:
            with self.scope:
                self.value = await function()
                self.how = "returned"
        except Exception as error:  # noqa: BLE001 - raised by result()
            self.how, self.value = "raised", error
        finally:
            self.how = self.how or "cancelled"
            self._over.set()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    async def ended(self) -> str:
        await self._over.wait()
        assert self.how is not None
        return self.how

    async def result(self) -> Any:
        how = await self.ended()
        if how == "raised":
            raise self.value
        assert how == "returned", how
        return self.value


def _somebody_can_go_on() -> bool:
    me = asyncio.current_task()
    waiters = [getattr(task, "_fut_waiter", None) for task in asyncio.all_tasks() if task is not me]
    return any(waiter is None or waiter.done() for waiter in waiters)


async def quiet() -> None:
    """Return when every other task waits for something that has not happened: what could happen by itself, has."""
    if trio.lowlevel.in_trio_run():
        with anyio.fail_after(5):
            await trio.testing.wait_all_tasks_blocked()
        return
    calm = 0
    for _ in range(10_000):
        await anyio.lowlevel.checkpoint()
        calm = 0 if _somebody_can_go_on() else calm + 1
        if calm == 3:
            return
    raise AssertionError("some task never comes to rest")


async def expire(scope: anyio.CancelScope, event: anyio.Event) -> None:
    """A timeout that expires when something has happened, rather than after a time that may be too short."""
    await event.wait()
    scope.deadline = anyio.current_time()


async def ask_until_too_late(ref: ActorRef[Any, Any, Any]) -> Hang:
    """Ask with a timeout that expires in the reply. A machine that is busy may need longer to get there."""
    for timeout in (0.005, 0.05, 0.5, 5.0):
        hang = Hang()
        with pytest.raises(AskTimeout):
            await ref.ask(hang, timeout=timeout)
        if hang.began.is_set():
            return hang
    raise AssertionError("the reply never began")


async def turns(count: int) -> None:
    """Let the event loop turn so many times."""
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


class Turns(trio.abc.Instrument):
    """Counts how often the event loop turns while the block lasts."""

    @staticmethod
    def can_be_counted() -> bool:
        """uvloop does not tell."""
        return trio.lowlevel.in_trio_run() or hasattr(asyncio.get_running_loop(), "_selector")

    def __init__(self) -> None:
        self.count = 0
        self._selector: Any = None

    def __enter__(self) -> Self:
        if trio.lowlevel.in_trio_run():
            trio.lowlevel.add_instrument(self)
            return self
        self._selector = asyncio.get_running_loop()._selector
        select = self._selector.select

        def counted(timeout: float | None = None) -> Any:
            self.count += 1
            return select(timeout)

        self._selector.select = counted
        return self

    def __exit__(self, *_: object) -> None:
        if self._selector is None:
            trio.lowlevel.remove_instrument(self)
        else:
            del self._selector.select

    def before_io_wait(self, _timeout: float) -> None:
        self.count += 1
