"""An actor with a long mailbox: does everybody else still get a turn?"""

from __future__ import annotations

from time import perf_counter, thread_time
from typing import TYPE_CHECKING

import anyio

from benchmarks._bodies import Counts
from benchmarks._measure import Figure, Figures, Measure

if TYPE_CHECKING:
    from benchmarks._stage import Stage


async def flood(stage: Stage, count: int) -> Figures:
    """``count`` tells are in the mailbox of one actor; how long does another task wait for its turn at most?

    By the clock, and by the processor time of the thread: on a machine that does other things as well, the former includes
    what those took.
    """
    done = anyio.Event()
    ref = await stage.spawn(stage.make(Counts, done=done.set))
    await stage.native.suspend()
    for number in reversed(range(count)):
        ref.tell_nowait(number)
    pause = work = 0.0
    suspend, over = stage.native.suspend, done.is_set
    now, worked = perf_counter(), thread_time()
    while not over():
        await suspend()
        before, before_worked = now, worked
        now, worked = perf_counter(), thread_time()
        pause, work = max(pause, now - before), max(work, worked - before_worked)
    return {"pause": pause, "pause-work": work}


MEASURES = (
    Measure(
        "flood",
        500_000,
        flood,
        (
            Figure("pause", "longest pause of the loop while 500,000 tells wait"),
            Figure("pause-work", "the same in processor time"),
        ),
        floors=("tells",),
        quick=False,
        rare=True,
    ),
)
