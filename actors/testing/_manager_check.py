"""Proves a cancellation manager: runs its whole contract."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, get_args

import anyio

from actors.testing._bench import Bench, Feature
from actors.testing._manager_store import STORE_CLAUSES
from actors.testing._manager_times import TIME_CLAUSES
from actors.testing._manager_use import USE_CLAUSES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from actors._cancellation._manager import CancellationManager

LONGEST_WAIT = 5.0


async def check_cancellation_manager(
    factory: Callable[[], CancellationManager],
    *,
    lacks: Collection[Feature] = (),
    advance: Callable[[float], Awaitable[None]] | None = None,
) -> tuple[str, ...]:
    """Run the whole contract of a cancellation manager against one implementation, on the event loop that runs.

    A test of a new backend is this call, on each event loop that it supports::

        async def test_the_manager_keeps_the_contract(url):
            await check_cancellation_manager(lambda: MyManager(url, tombstone=0.2, intent_ttl=0.4, lease=0.4))

    Args:
        factory: makes an unopened manager; each call another one, over the same store. Runs that others keep there do not
            matter. Times (``tombstone``, ``intent_ttl``, ``lease``) short enough to wait for, unless there is ``advance``.
        lacks: features that this manager does not have, and whose clauses are left out: ``reasons``, ``early_cancels``,
            ``intents_apart`` (agno's list the cancel of an unknown run among the active ones), ``duplicates``, ``shared``
            (two managers do not see the same store: then each clause works with one), ``synchronous``. Whether it has
            ``tombstones``, ``expiry`` and ``leases`` is seen by its own attributes.
        advance: makes that many seconds pass for the manager, if its clock can be set. None: they are waited for.

    Returns:
        The clauses that were run, as sentences.

    Raises:
        AssertionError: a clause is broken; the text begins with the clause.
        ValueError: the manager's times are too long to wait for.
    """
    sample = factory()
    times = {"tombstones": sample.tombstone, "expiry": sample.intent_ttl, "leases": sample.lease}
    has = frozenset(get_args(Feature)) - {*lacks} - {feature for feature, seconds in times.items() if not seconds}
    if advance is None and any(LONGEST_WAIT < (seconds or 0) < math.inf for seconds in times.values()):
        raise ValueError(
            f"make the manager with times up to {LONGEST_WAIT:g} s, or pass advance=; its times are {times}"
        )
    done: list[str] = []
    for clause, needs in (*STORE_CLAUSES, *TIME_CLAUSES, *USE_CLAUSES):
        if not has.issuperset(needs):
            continue
        sentence = clause.__name__.replace("_", " ")
        first = factory()
        second = factory() if "shared" in has else first
        async with first, second:
            bench = Bench(first, second, has, advance or anyio.sleep, time_is_set=advance is not None)
            try:
                await clause(bench)
            except AssertionError as error:
                raise AssertionError(f"{sentence}: {error}") from error
            await bench.tidy_up()
            left = {*bench.used} & {*await first.aget_active_runs()}
            if left:
                raise AssertionError(f"{sentence}: still active after acleanup_run(): {left}")
        done.append(sentence)
    return tuple(done)
