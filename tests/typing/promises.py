"""What the type checkers must know; tests/typing/test_typing.py runs mypy and pyright, both strict, over this file.

Each line that must be an error carries an ignore for each checker, and both report an ignore that is not needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence  # noqa: TC003 - nothing here is run
from typing import Any, Literal, assert_type

import attrs

from actors import (
    Actor,
    ActorContext,
    ActorRef,
    ActorStatistics,
    ActorSystem,
    DeadLetter,
    InMemoryCancellationManager,
    Interrupted,
    Interruption,
    Mailbox,
    MailboxStatistics,
    Pool,
    PoolRef,
    Receipt,
    Run,
    Timer,
    Topic,
    debug,
)


class Adder(Actor[tuple[int, int], int]):
    """A coroutine reply is a proper override."""

    async def reply(self, message: tuple[int, int], /) -> int:
        return message[0] + message[1]


class Speaker(Actor[str, list[str], str]):
    """An async generator is one too, with its chunks and what is assembled of them."""

    async def reply(self, message: str, /) -> AsyncIterator[str]:
        for word in message.split():
            yield word

    def assemble(self, chunks: Sequence[str], /) -> list[str]:
        return list(chunks)

    async def handle_interrupt(self, message: str, interruption: Interruption[str], /) -> list[str]:
        assert_type(interruption.partial, tuple[str, ...])
        return [*interruption.partial, f"({interruption.reason} by {interruption.by})"]


class Emitter(Actor[str, int, bytes]):
    """A coroutine that emits chunks."""

    async def reply(self, message: str, /) -> int:
        assert_type(self.context, ActorContext[str, int, bytes])
        assert_type(self.context.ref, ActorRef[str, int, bytes])
        assert_type(self.context.run, Run[int, bytes] | None)
        self.context.emit(b"chunk")
        self.context.emit("chunk")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        async with self.context.protect():
            pass
        assert_type(await self.context.commit(save, message), float)
        child = await self.context.spawn(Adder(), name="adder")
        assert_type(child, ActorRef[tuple[int, int], int, Any])
        return await child.ask((1, 2))

    async def handle_interrupt(self, message: str, interruption: Interruption[bytes], /) -> int:
        raise self.context.interrupted(message, interruption)


class Careful(Actor[str, int, bytes]):
    """Stashes, becomes, and has timers."""

    async def reply(self, message: str, /) -> int:
        assert_type(self.context.after(1.0, message), Timer)
        assert_type(self.context.every(1.0, message).cancel(), bool)
        self.context.after(1.0, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.context.become(self.other)
        self.context.become(self.chunks)
        self.context.become(self.wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.context.unbecome()
        assert_type(self.context.unstash_all(), int)
        self.context.stash()  # no reply is needed behind it

    async def other(self, message: str, /) -> int:
        return len(message)

    async def chunks(self, message: str, /) -> AsyncIterator[bytes]:
        yield message.encode()

    async def wrong(self, message: int, /) -> int:
        return message


async def save(what: str) -> float:
    return float(what)


class Wrong(Actor[str, int]):
    """A reply of another type is no override."""

    async def reply(self, message: str, /) -> str:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return message


class WrongMessage(Actor[str, int]):
    """Nor is one that takes another message."""

    async def reply(self, message: int, /) -> int:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return message


@attrs.frozen
class Frozen(Actor[str, str]):
    """Attrs classes are actors like others."""

    greeting: str = "hello"

    async def reply(self, message: str, /) -> str:
        return f"{self.greeting}, {message}"


class Several(Actor[str, int | str | None]):
    """Has several kinds of reply."""

    async def reply(self, message: str, /) -> int | str | None:
        return message or None


async def spawning(system: ActorSystem) -> None:
    assert_type(await system.spawn(Adder()), ActorRef[tuple[int, int], int, Any])
    assert_type(await system.spawn(Adder), ActorRef[tuple[int, int], int, Any])
    assert_type(await system.spawn(lambda: Frozen("hi")), ActorRef[str, str, Any])
    assert_type(await system.spawn(Speaker()), ActorRef[str, list[str], str])
    assert_type(await system.spawn(Frozen(greeting="hi"), name="frozen", mailbox=Mailbox(3)), ActorRef[str, str, Any])
    assert_type(await system.spawn(Emitter(), cancellation=InMemoryCancellationManager()), ActorRef[str, int, bytes])
    await system.spawn("no actor")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(system.find("a/b"), ActorRef[Any, Any, Any] | None)


async def grouping(
    system: ActorSystem, adder: ActorRef[tuple[int, int], int], speaker: ActorRef[str, list[str], str]
) -> None:
    pool = await system.spawn(Pool(Adder, 3), mailbox=Mailbox(9, when_full="reject"))
    assert_type(pool, PoolRef[tuple[int, int], int, Any])
    assert_type(await pool.ask((1, 2)), int)
    assert_type(pool.workers, tuple[ActorRef[tuple[int, int], int, Any], ...])
    await pool.ask("x")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    Pool(Adder, route="random")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Mailbox(when_full="explode")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    topic: Topic[str] = Topic("news")
    topic.subscribe(speaker)
    topic.subscribe(adder)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(topic.publish("extra"), int)
    topic.publish(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(pool.statistics().mailbox, MailboxStatistics)
    assert_type(debug.snapshot(system), tuple[debug.ActorSnapshot, ...])
    assert_type(debug.tree(system), str)
    system.dead_letters.subscribe(listen)()


async def asking(adder: ActorRef[tuple[int, int], int], several: ActorRef[str, int | str | None]) -> None:
    assert_type(await adder.ask((1, 2)), int)
    assert_type(await adder.ask((1, 2), timeout=1.0, run_id="mine", detach=True), int)
    assert_type(await several.ask("x"), int | str | None)
    assert_type(await several.ask("x", expect=int), int)
    assert_type(await several.ask("x", expect=str, timeout=1.0), str)
    assert_type(await adder.tell((1, 2)), None)
    assert_type(adder.ask_from_thread((1, 2)), int)
    assert_type(adder.withdraw(), list[tuple[int, int]])
    await adder.ask("x")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    await adder.tell("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    adder.tell_nowait("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def running(speaker: ActorRef[str, list[str], str]) -> None:
    run = await speaker.request("Once upon")
    assert_type(run, Run[list[str], str])
    assert_type(await run, list[str])
    assert_type(run.partial, tuple[str, ...])
    async for chunk in run:
        assert_type(chunk, str)
    async with speaker.stream("a time") as run:
        assert_type(run, Run[list[str], str])
        assert_type([chunk async for chunk in run], list[str])
    status: Literal["no such status"] = run.status  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    assert status


async def interrupting(system: ActorSystem, speaker: ActorRef[str, list[str], str]) -> None:
    receipt = await speaker.interrupt("enough", by="anna", message="shorter", grace=1.0)
    assert_type(receipt, Receipt)
    assert_type(receipt.children, tuple[Receipt, ...])
    assert_type(speaker.interrupt_nowait("enough"), bool)
    assert_type(await system.interrupt("mine", "enough"), Receipt)
    assert_type(speaker.interrupt_from_thread(), Receipt)
    assert_type(speaker.statistics(), ActorStatistics)
    try:
        await speaker.ask("Once upon")
    except Interrupted as error:
        assert_type(error.by, str | None)


def takes_pairs(_ref: ActorRef[tuple[bool, bool], int, object]) -> None: ...


def takes_anything(_ref: ActorRef[object, int, object]) -> None: ...


def wider(adder: ActorRef[tuple[int, int], bool, int]) -> None:
    """A ref can stand where fewer messages are sent and a wider reply is expected, and nowhere else."""
    takes_pairs(adder)
    takes_anything(adder)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def listen(letter: DeadLetter) -> None:
    assert_type(letter.path, str)


ActorSystem("named", on_dead_letter=listen, drain_timeout=1.0)
ActorSystem(on_dead_letter="no function")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
