"""A chat in the terminal. Ctrl-C interrupts the reply, every time; pressed twice within a second it ends the program.

python examples/chat.py
"""

from __future__ import annotations

import math
import signal
import sys
import threading
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread
import anyio.lowlevel
from openai import AsyncOpenAI, OpenAIError

from actors import ActorSystem, Msg
from local_model import model_endpoint, model_name
from model_agent import ModelAgent

if TYPE_CHECKING:
    from anyio.abc import TaskStatus
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from actors import AgentRef

TWICE = 1.0  # seconds between two presses that end the program


def show(text: str, end: str = "\n") -> None:
    """Print at once."""
    print(text, end=end, flush=True)


async def interrupt_on_ctrl_c(agent: AgentRef, chat: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
    """Turn each Ctrl-C into an interrupt, and a second one within a second into the end of the chat."""
    # With a receiver of its own the signal neither raises KeyboardInterrupt nor, as asyncio has it, cancels the main task.
    with anyio.open_signal_receiver(signal.SIGINT) as presses:
        task_status.started()
        before = -math.inf
        async for _ in presses:
            now = anyio.current_time()
            if now - before < TWICE:
                show("\nBye.")
                chat.cancel()
                return
            before = now
            # Without waiting for the end of the reply: the next press has to be heard whatever the reply does.
            if not agent.interrupt_nowait("Ctrl-C", by="you"):
                show("\n[there is no reply to interrupt; again to leave]\nyou: ", end="")


def typed_lines() -> MemoryObjectReceiveStream[str]:
    """What is typed, line by line, until the end of the input."""
    send, receive = anyio.create_memory_object_stream[str](math.inf)
    token = anyio.lowlevel.current_token()
    # A daemon thread, and a file of its own: a thread that waits for input cannot be cancelled, and must neither keep the
    # program from ending nor hold the lock of sys.stdin when it does.
    threading.Thread(target=read_lines, args=(send, token), daemon=True).start()
    return receive


def read_lines(send: MemoryObjectSendStream[str], token: anyio.lowlevel.EventLoopToken) -> None:
    """Hand each line on to the event loop."""
    try:
        with open(sys.stdin.fileno(), closefd=False, errors="replace") as keyboard:
            for line in keyboard:
                anyio.from_thread.run_sync(send.send_nowait, line.strip(), token=token)
        anyio.from_thread.run_sync(send.close, token=token)
    except (anyio.RunFinishedError, anyio.BrokenResourceError):
        pass  # the chat is over


async def answer(agent: AgentRef, text: str) -> None:
    """Show the reply as it comes, and how it ended if it was interrupted."""
    async with agent.stream(Msg("you", text, "user")) as run:
        show(f"{agent.name}: ", end="")
        async for words in run:
            show(str(words), end="")
        show("" if run.status == "completed" else " … [interrupted]")


async def chat(agent: AgentRef) -> None:
    """Ask what is typed, until the end of the input or a Ctrl-C pressed twice."""
    async with anyio.create_task_group() as group:
        await group.start(interrupt_on_ctrl_c, agent, group.cancel_scope)
        show("Ctrl-C interrupts a reply, and twice within a second it leaves; so does Ctrl-D.\nyou: ", end="")
        async with typed_lines() as lines:
            async for line in lines:
                if line:
                    try:
                        await answer(agent, line)
                    except OpenAIError as error:
                        show(f"\n[the model failed: {error}]")
                show("you: ", end="")
        group.cancel_scope.cancel()


async def main() -> None:
    """Start the model, the agent, and the chat."""
    async with model_endpoint() as (base_url, api_key):
        await talk_to_model(base_url, api_key)


async def talk_to_model(base_url: str, api_key: str) -> None:
    """Start the agent and the chat."""
    async with (
        AsyncOpenAI(base_url=base_url, api_key=api_key) as client,
        ActorSystem() as system,
    ):
        await chat(await system.spawn(ModelAgent("teller", client, await model_name(client))))


if __name__ == "__main__":
    try:
        anyio.run(main)
    except OpenAIError as error:
        sys.exit(f"No model could be asked for: {error}")
