"""Servers that are killed, paused, cut off and slowed down at random, while runs are registered, end, and are cancelled.

    make soak                                      # five minutes, a third of it for each kind of server
    make soak ARGS="--seconds 600 --kind redis --seed 7"

Each cancel that was accepted must end its run, and nothing else may. At the end it says how many runs, cancels and faults there
were, how many cancels were lost, and how long the slowest took after the last fault. Exit code 1 if anything was lost or failed.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
from collections import Counter
from uuid import uuid4

import anyio
import attrs

from actors import Actor, ActorSystem, DuplicateRunError, ManagerError
from tests.servers.kinds import KINDS, find_program
from tests.servers.managers import MANAGERS
from tests.servers.proxy import proxy_to

WORKERS = 20
GRACE = 30.0
"""Seconds without a fault after which an accepted cancel that has not arrived is lost."""
PROMISED = 2.0
"""Seconds within which a stored cancel is to be delivered when the server can be reached again."""


class Worker(Actor):
    """Works for some time, or until it is stopped."""

    async def reply(self, seconds, /):
        await anyio.sleep(seconds)
        return "done"

    async def handle_interrupt(self, seconds, interruption, /):
        return interruption


@attrs.define
class Soak:
    """One kind of server, for some time."""

    kind: str
    seconds: float
    chance: random.Random
    server: object = None
    way: object = None
    namespace: str = attrs.field(factory=lambda: f"soak-{uuid4().hex[:8]}")
    counts: Counter = attrs.field(factory=Counter)
    faults: Counter = attrs.field(factory=Counter)
    delays: list = attrs.field(factory=list)
    problems: list = attrs.field(factory=list)
    well_since: float = 0.0
    over: bool = False

    async def run(self) -> None:
        with KINDS[self.kind](find_program(self.kind)) as self.server:
            async with proxy_to(self.server.port) as self.way:
                manager = MANAGERS[self.kind](self.way.url(self.server.url), namespace=self.namespace)
                elsewhere = MANAGERS[self.kind](self.server.url, namespace=self.namespace)
                async with elsewhere, ActorSystem(cancellation=manager) as system, anyio.create_task_group() as group:
                    self.well_since = anyio.current_time()
                    group.start_soon(self.disturb)
                    async with anyio.create_task_group() as workers:
                        for number in range(WORKERS):
                            workers.start_soon(self.work, system, elsewhere, number)
                        await anyio.sleep(self.seconds)
                        self.over = True
                    group.cancel_scope.cancel()
                self.heal()
                await self.count_what_is_left(elsewhere)

    async def count_what_is_left(self, elsewhere) -> None:
        """Whatever the system has not undone is left to its lease; that is no loss, and is told."""
        async with elsewhere:
            self.counts["left to their lease"] = len(await elsewhere.aget_active_runs())

    # ---- runs and cancels ---------------------------------------------------------------------------------------------------

    async def work(self, system, elsewhere, number) -> None:
        ref = await system.spawn(Worker())
        life = 0
        while not self.over:
            life += 1
            await self.one(ref, elsewhere, f"run-{number}-{life}")

    async def one(self, ref, elsewhere, run_id) -> None:
        """A run that is cancelled before it begins, or while it works, or never."""
        how = self.chance.choice(["before", "while", "while", "never"])
        self.counts["runs"] += 1
        if how == "before":
            await self.cancel(elsewhere, run_id, None)
        run = await ref.request(0.05 if how == "never" else 3600.0, run_id=run_id)
        if how == "while":
            await anyio.sleep(self.chance.uniform(0, 0.2))
            await self.cancel(elsewhere, run_id, run)
        accepted = anyio.current_time()
        answer = await self.answer(run, run_id, how)
        if how == "never":
            if answer != "done":
                self.problems.append(f"{run_id} was to end by itself, and ended with {answer!r}")
        elif answer is not None:
            self.delays.append(anyio.current_time() - max(accepted, self.well_since))

    async def cancel(self, elsewhere, run_id, run) -> None:
        """Until it is accepted. A try that raised may have been carried out all the same."""
        raised = False
        while run is None or not run.status.startswith(("completed", "interrupted", "failed")):
            try:
                result = await elsewhere.request_cancel(run_id, reason="soak", by="elsewhere")
            except ManagerError:
                raised = True
                self.counts["cancels that raised"] += 1
                await anyio.sleep(0.05)
                continue
            if result.outcome in ("registered", "stored"):
                self.counts["cancels"] += 1
                return
            if not raised or result.outcome != "finished":
                self.problems.append(f"the cancel of {run_id} was answered {result.outcome}")
            return

    async def answer(self, run, run_id, how):
        """What the run came to; None if it had to be given up."""
        while True:
            with anyio.move_on_after(1):
                try:
                    return await run
                except DuplicateRunError as error:
                    self.problems.append(f"{run_id}: {error}")
                    return None
                except Exception as error:  # noqa: BLE001 - counted
                    self.problems.append(f"{run_id} failed: {error!r}")
                    return None
            if anyio.current_time() - self.well_since > GRACE:
                self.counts["lost"] += 1
                self.problems.append(f"the cancel of {run_id} ({how}) was lost")
                await run.interrupt("lost")
                return None

    # ---- faults -------------------------------------------------------------------------------------------------------------

    async def disturb(self) -> None:
        faults = [self.kill, self.pause, self.cut, self.silence, self.slow_down]
        while not self.over:
            await anyio.sleep(self.chance.uniform(0.1, 4.0))
            fault = self.chance.choice(faults)
            self.faults[fault.__name__] += 1
            self.well_since = float("inf")
            try:
                await fault()
            finally:
                self.heal()
                self.well_since = anyio.current_time()

    def heal(self) -> None:
        self.way.silent, self.way.refusing, self.way.delay = False, False, 0.0
        self.server.well()

    async def kill(self) -> None:
        self.server.kill()
        await anyio.sleep(self.chance.choice([0.0, 0.3, 1.5]))
        self.server.start()

    async def pause(self) -> None:
        self.server.pause()
        await anyio.sleep(self.chance.uniform(0.05, 4.0))

    async def cut(self) -> None:
        self.way.refusing = self.chance.random() < 0.5
        self.way.cut()
        await anyio.sleep(self.chance.uniform(0, 1.5))

    async def silence(self) -> None:
        self.way.silent = True
        await anyio.sleep(self.chance.uniform(0.1, 4.0))

    async def slow_down(self) -> None:
        self.way.delay = self.chance.uniform(0.01, 0.3)
        await anyio.sleep(self.chance.uniform(0.5, 3.0))

    # ---- the report ---------------------------------------------------------------------------------------------------------

    def report(self) -> bool:
        """Say what has come of it. Returns whether all is well."""
        faults = ", ".join(f"{count} times {name}" for name, count in sorted(self.faults.items()))
        late = sum(delay > PROMISED for delay in self.delays)
        slowest = max(self.delays, default=0.0)
        print(
            f"{self.kind}: {self.seconds:.0f} s, {self.counts['runs']} runs, {self.counts['cancels']} cancels accepted "
            f"({self.counts['cancels that raised']} tries raised first), {sum(self.faults.values())} faults ({faults}); "
            f"lost: {self.counts['lost'] or 'none'}; "
            f"slowest {slowest:.2f} s after the last fault, {late} later than {PROMISED:g} s; "
            f"left to their lease: {self.counts['left to their lease']}",
            flush=True,
        )
        for problem in self.problems[:20]:
            print(f"  {problem}")
        return not self.problems and not self.counts["lost"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="for all kinds together (300)")
    parser.add_argument(
        "--kind", action="append", choices=sorted(KINDS), help="of server; several times for several (all)"
    )
    parser.add_argument("--seed", type=int, default=None, help="repeats the order of faults, if not their moments")
    arguments = parser.parse_args()
    logging.getLogger("actors").setLevel(logging.CRITICAL)  # thousands of warnings, all of them expected
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    kinds = arguments.kind or list(KINDS)
    print(f"seed {seed}", flush=True)
    well = True
    for kind in kinds:
        soak = Soak(kind, arguments.seconds / len(kinds), random.Random(seed))  # noqa: S311 - nothing is secret here
        anyio.run(soak.run)
        well &= soak.report()
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
