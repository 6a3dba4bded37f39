"""The main job, in under a minute and without keys: replies of a model are interrupted, in six ways.

    make demo

The model is `model_server.py`, in a process of its own, over real connections; with ``OPENAI_BASE_URL`` and
``OPENAI_API_KEY`` it is yours. Each line that begins with a tick has been checked; the program ends with an error if one
of them is not true.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import attrs
from openai import AsyncOpenAI

from actors import ActorSystem, AskTimeout, Msg
from actors.backends import FileCancellationManager
from local_model import model_endpoint, model_name
from model_agent import ModelAgent
from stage import NotAsToldError, Stage
from talk_show import Host

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentRef, Receipt

CANCEL_RUN = Path(__file__).with_name("cancel_run.py")
BOTH = 2
ENOUGH = 30  # words of both


@attrs.frozen
class Scene:
    """What all acts share."""

    stage: Stage
    system: ActorSystem
    teller: AgentRef
    new_agent: Callable[[str], ModelAgent]


def from_you(text: str) -> Msg:
    """What you say to an agent."""
    return Msg("you", text, "user")


def quoted(text: object, length: int = 60) -> str:
    """The end of a text, in quotation marks."""
    whole = str(text)
    return f"“{whole}”" if len(whole) <= length else f"“… {whole[-length:].partition(' ')[2]}”"


def said_in(receipt: Receipt) -> str:
    """What the reply had produced when it was interrupted."""
    return "".join(map(str, receipt.partial))


async def a_reply_is_interrupted(scene: Scene) -> None:
    """Stop a reply, and get what it had said as the reply."""
    stage = scene.stage
    stage.act("1. A reply is interrupted in the middle of a sentence")
    stage.say("you: A long story about an old fox, please")
    run = await scene.teller.request(from_you("A long story about an old fox, please"))
    await stage.show(aiter(run), "teller", pieces=40)
    stage.say("You press stop: `receipt = await run.interrupt('that is enough', by='you')`")
    receipt = await run.interrupt("that is enough", by="you")
    stage.proves(receipt, f"the receipt: {receipt.outcome}, after {receipt.elapsed * 1000:.1f} ms")
    await stage.server_says("cut by the client")
    reply = await run
    kept = reply.content == said_in(receipt)
    stage.proves(kept, f"`await run` gives a reply all the same: {quoted(reply.content)}")
    marks = {key: reply.metadata.get(key) for key in ("_is_interrupted", "reason", "by")}
    marked = marks == {"_is_interrupted": True, "reason": "that is enough", "by": "you"}
    stage.proves(marked, f"its metadata say what happened: {marks}")


async def the_next_reply_knows(scene: Scene) -> None:
    """Ask on, in the context of what had been said."""
    stage = scene.stage
    stage.act("2. What had been said is kept: the next question is answered in that context")
    stage.say("you: Go on, but shorter")
    run = await scene.teller.request(from_you("Go on, but shorter"))
    await stage.show(aiter(run), "teller")
    reply = await run
    await stage.server_says("started: 3 message(s)")  # the question, what had been said, and the new question
    if stage.has_server:
        knows = str(reply.content).startswith("You stopped me at “")
        stage.proves(knows, "the model knew what it had said, and that it was stopped there")
    stage.proves("_is_interrupted" not in reply.metadata, "this reply is complete")


async def one_interrupt_stops_a_tree(scene: Scene) -> None:
    """Let two agents talk because a third actor asks them to, and interrupt only that one."""
    stage = scene.stage
    stage.act("3. Two agents talk, and one interrupt stops the whole tree")
    ada = await scene.system.spawn(scene.new_agent("ada"))
    ben = await scene.system.spawn(scene.new_agent("ben"))
    host = await scene.system.spawn(Host(ada, ben), name="host")
    show = await host.request("a clock")
    at_once = 0
    async for said in show:
        if ada.statistics().state == ben.statistics().state == "busy":
            at_once += 1
        if at_once > ENOUGH:
            break
        if said.name == "host":
            stage.say(f"host: {said.words}")
        elif not at_once:
            stage.write(said.name, said.words)
    stage.say("Both talk now. You interrupt the host, and nobody else: `await host.interrupt('time is up', by='you')`")
    receipt = await host.interrupt("time is up", by="you")
    stage.proves(receipt, f"the host's run: {receipt.outcome}, after {receipt.elapsed * 1000:.1f} ms")
    stage.proves(len(receipt.children) == BOTH, "the receipt's children, the runs below it:")
    for child in receipt.children:
        stage.proves(child, f"  {child.run_id}: {child.outcome}, after {quoted(said_in(child), 40)}")
    await stage.server_says("cut by the client")
    await stage.server_says("cut by the client")
    reply = await show
    stage.proves("time is up" in reply, f"the reply is what the host's own handle_interrupt made: “{reply}”")


async def another_process_interrupts(scene: Scene) -> None:
    """Cancel a run by its id, from a process that knows nothing but a file."""
    stage = scene.stage
    stage.act("4. Another process interrupts a run, through a JSON file")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "runs.json"
        runs = FileCancellationManager(file)  # for this one agent; there is no global one
        bard = await scene.system.spawn(scene.new_agent("bard"), cancellation=runs)
        stage.say("you: A long story about a ferry")
        run = await bard.request(from_you("A long story about a ferry"), run_id="story-42")
        words = aiter(run)
        await stage.show(words, "bard", pieces=12)
        stage.say("A second process: `FileCancellationManager('runs.json').cancel_run('story-42', ...)`")
        options = ["--reason", "last orders", "--by", "landlord"]
        command = [sys.executable, str(CANCEL_RUN), str(file), run.id, *options]
        async with await anyio.open_process(command, stderr=None) as process:
            await stage.show(words, "bard")
            reply = await run
            ended = time.time()
            assert process.stdout is not None
            cancelled = (await process.stdout.receive()).decode().strip()
        stage.proves("it was registered" in cancelled, cancelled)
        took = 1000 * (ended - float(cancelled.partition(" at ")[2].partition(" ")[0]))
        stage.proves(run.status == "interrupted", f"{took:.0f} ms later the reply was over, in process {os.getpid()}")
        why = (reply.metadata["reason"], reply.metadata["by"])
        stage.proves(why == ("last orders", "landlord"), f"it knows why, and on whose word: {', '.join(why)}")
        await stage.server_says("cut by the client")


async def a_timeout_stays_a_timeout(scene: Scene) -> None:
    """Cancel from outside, which is never turned into a reply."""
    stage, teller = scene.stage, scene.teller
    stage.act("5. A timeout around an ask stays a timeout")
    stage.say("`with anyio.fail_after(0.5): reply = await teller.ask('Tell me everything')`")
    got: object = None
    try:
        with anyio.fail_after(0.5):
            got = await teller.ask(from_you("Tell me everything"))
    except TimeoutError as error:
        got = error
    stage.proves(isinstance(got, TimeoutError), f"whoever asked got a {type(got).__name__}, and not half a reply")
    stage.say("Nobody waits for that reply any more, so it was interrupted on its own:")
    await stage.server_says("cut by the client")
    stage.say("An ask has a timeout of its own, which says more: `await teller.ask('Tell me everything', timeout=0.5)`")
    try:
        got = await teller.ask(from_you("Tell me everything"), timeout=0.5)
    except AskTimeout as error:
        got = error
    stage.proves(isinstance(got, TimeoutError), f"{type(got).__name__}: {str(got).partition('; ')[0]} …")
    await stage.server_says("cut by the client")


async def a_late_interrupt_is_idle(scene: Scene) -> None:
    """Interrupt when there is nothing to interrupt."""
    stage, teller = scene.stage, scene.teller
    stage.act("6. An interrupt belongs to one run: one that comes too late is not kept for the next")
    stage.say("you: A short piece more")
    run = await teller.request(from_you("A short piece more"))
    await stage.show(aiter(run), "teller")
    await run
    receipt = await teller.interrupt("stop", by="you")
    stage.proves(receipt.outcome == "idle", f"you press stop after its last word. The receipt: {receipt.outcome}")
    receipt = await run.interrupt("stop", by="you")
    stage.proves(receipt.outcome == "finished", f"to interrupt that very run, which is over: {receipt.outcome}")
    stage.say("you: And another short piece")
    run = await teller.request(from_you("And another short piece"))
    await stage.show(aiter(run), "teller")
    reply = await run
    whole = run.status == "completed" and "_is_interrupted" not in reply.metadata
    stage.proves(whole, "the next reply was not touched by it")


ACTS = (
    a_reply_is_interrupted,
    the_next_reply_knows,
    one_interrupt_stops_a_tree,
    another_process_interrupts,
    a_timeout_stays_a_timeout,
    a_late_interrupt_is_idle,
)


async def main(delay: float) -> None:
    """Play all acts."""
    began = time.monotonic()
    stage = Stage(has_server=not os.environ.get("OPENAI_BASE_URL"))
    print("Replies that can be interrupted. All of this happens now, for real; ✓ marks what has been checked.")
    async with (
        model_endpoint(delay=delay, on_line=stage.hear_server) as (base_url, api_key),
        AsyncOpenAI(base_url=base_url, api_key=api_key) as client,
        ActorSystem() as system,
    ):
        print(f"The model: {base_url}" + (" (a process of its own)" if stage.has_server else ""))
        new_agent = partial(ModelAgent, client=client, model=await model_name(client))
        scene = Scene(stage, system, await system.spawn(new_agent("teller")), new_agent)
        for act in ACTS:
            await act(scene)
            stage.forget_server()
    print(f"\nAll of it happened as told, in {time.monotonic() - began:.0f} s. Next: README.md, docs/interrupts.md,")
    print("and `.venv/bin/python examples/chat.py`, where Ctrl-C interrupts.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="See replies being interrupted.")
    parser.add_argument("--delay", type=float, default=0.04, help="seconds before each word of the local model")
    try:
        anyio.run(main, parser.parse_args().delay)
    except NotAsToldError as error:
        sys.exit(f"\nThis did not happen as told: {error}")
