"""Programs of steps: how they are made, how they are run, and those that have failed once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from hypothesis import strategies as st

from actors import ActorSystem
from tests.model._world import Advance, End, Interrupt, Leave, Send, Spawn, Watch, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Any

    from tests.model._world import Command

who = st.integers(0, 3)
which = st.integers(0, 12)
policies = st.sampled_from(["none", "restart", "pause", "stop", "team", "asks too"])
kinds = st.sampled_from(["quick", "slow", "hang", "crash", "crash", "stubborn"])

spawns = st.builds(Spawn, policies, st.none() | who)
tells = st.builds(Send, who, kinds)
asks = st.builds(Send, who, kinds, st.sampled_from(["ask", "request"]), st.none() | st.sampled_from([1.0, 8.0]))
interrupts = st.builds(Interrupt, who, st.none() | which)
leaves = st.builds(Leave, which)
ends = st.builds(End, who, st.sampled_from(["stop", "stop now", "kill"]))
watches = st.builds(Watch, who, who, st.sampled_from([False, False, True]))
advances = st.builds(Advance, st.sampled_from([0.01, 1.0, 6.0, 30.0, 100.0]))

commands = spawns | tells | tells | asks | interrupts | leaves | ends | watches | advances
programs = st.builds(
    lambda first, then: first + then,
    st.lists(spawns, min_size=1, max_size=3),
    st.lists(commands, min_size=5, max_size=30),
)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A world, which is at its end behind the block."""
    async with anyio.create_task_group() as group, ActorSystem("model", drain_timeout=50.0) as system:
        made = World(system, group)
        yield made


async def run(program: Sequence[Command], settled: dict[Any, int]) -> None:
    """Take all the steps, and come to the end."""
    async with world() as made:
        for command in program:
            await made.do(command)
    made.check_end(settled)


REGRESSIONS: dict[str, list[Command]] = {  # the last two were errors of the model, and show how a program is kept
    "one restart too many": [Spawn("restart"), Send(0, "crash"), Send(0, "crash"), Send(0, "quick")],
    "the window moves": [Spawn("restart"), Send(0, "crash"), Advance(100.0), Send(0, "crash"), Send(0, "quick", "ask")],
    "a death while the watcher is away": [
        *(Spawn("none"), Spawn("pause"), Watch(0, 1), Send(0, "crash"), End(1, "kill"), Advance(30.0)),
        Send(0, "quick", "ask"),
    ],
    "a stuck reply and its asker": [
        *(Spawn("restart"), Send(0, "stubborn", "request"), Send(0, "quick"), Interrupt(0), Advance(30.0)),
        Send(0, "quick", "ask"),
    ],
    "stopped during the pause": [Spawn("pause"), Send(0, "crash"), Send(0, "quick"), End(0, "stop"), Advance(100.0)],
    "a queued message whose asker leaves": [
        *(Spawn("none"), Send(0, "slow"), Send(0, "quick", "ask"), Leave(0), Advance(30.0)),
    ],
    "an asker leaves a reply that hangs": [Spawn("none"), Send(0, "hang", "ask"), Leave(0)],
    "an ask that restarts the parent of a busy child": [
        *(Spawn("asks too"), Spawn("none", 0), Send(0, "slow", "ask"), Send(1, "crash", "ask")),
    ],
    "a restart seen from outside any loop": [Spawn("restart"), Send(0, "crash")],
}
