"""A program with a system, to which signals are sent; tests/ending/test_signals.py runs it.

    python _program.py LOOP KIND

It says what happens, one line each: ``ready`` when it can be signalled, and at the end what is left.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import anyio
import anyio.lowlevel

from actors import Actor, ActorSystem, stop_on_signals


def eager_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


LOOPS = {  # as in tests/conftest.py, which takes long to load
    "asyncio": {},
    "uvloop": {"use_uvloop": True},
    "eager": {"loop_factory": eager_loop},
    "trio": {},
}


def tasks() -> int:
    """How many tasks there are."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        import trio  # noqa: PLC0415 - only there

        return trio.lowlevel.current_statistics().tasks_living


def say(*words: object) -> None:
    print(*words, flush=True)


class Worker(Actor[str, str]):
    """Each message takes it a while."""

    async def reply(self, message: str, /) -> str:
        if message == "slow":
            say("working")
            await anyio.sleep(0.3)
        elif message == "endless":
            say("working")
            await anyio.sleep_forever()
        say("answered", message)
        return message

    async def handle_interrupt(self, message, interruption, /):
        say("interrupted", message, interruption.reason)
        return message

    async def on_stop(self) -> None:
        say("stopped")


async def main(kind: str) -> None:
    before = tasks()
    system = ActorSystem(drain_timeout=0.2 if kind == "short" else 60.0)
    try:
        async with system:
            worker = await system.spawn(Worker)
            if kind == "plain":
                await use(worker, "endless")
            else:
                async with stop_on_signals(system) as stopping:
                    await use(worker, "slow" if kind == "drains" else "endless")
                say("first signal:", stopping.signal.name if stopping.signal is not None else None)
    finally:
        say("left queued:", *(f"{left.count} {left.kinds}" for left in system.left_queued))
        say("left tasks:", tasks() - before)
    say("went on")


async def use(worker, first: str) -> None:
    for message in (first, "one", "two"):
        await worker.tell(message)
    await anyio.lowlevel.checkpoint()
    say("ready")
    await anyio.sleep_forever()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell runs in the background has it ignored
    loop, kind = sys.argv[1:]
    anyio.run(main, kind, backend="trio" if loop == "trio" else "asyncio", backend_options=LOOPS[loop])
