"""Proves a cancellation manager: runs its whole contract."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, get_args

import anyio

from actors.testing._bench import Bench, Feature
from actors.testing._manager_crowd import CROWD_CLAUSES, MOST_BOGUS
from actors.testing._manager_loop import LOOP_CLAUSES
from actors.testing._manager_processes import PROCESS_CLAUSES
from actors.testing._manager_store import STORE_CLAUSES
from actors.testing._manager_times import TIME_CLAUSES
from actors.testing._manager_use import USE_CLAUSES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from actors._cancellation._manager import CancellationManager
    from actors.testing._bench import Clause

LONGEST_WAIT = 5.0

CLAUSES = (
    *STORE_CLAUSES,
    *TIME_CLAUSES,
    *USE_CLAUSES,
    *CROWD_CLAUSES,
    *LOOP_CLAUSES,
)
"""The whole contract, but for what takes several processes."""


async def check_cancellation_manager(
    factory: Callable[[], CancellationManager],
    *,
    lacks: Collection[Feature] = (),
    advance: Callable[[float], Awaitable[None]] | None = None,
    break_connection: Callable[[CancellationManager], Awaitable[None]] | None = None,
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
            ``tombstones``, ``expiry``, ``leases`` and ``capacity`` is seen by its own attributes; that bogus run ids are bounded
            is tried with a ``capacity`` of up to two hundred, and not less than 120, which other clauses need.
        advance: makes that many seconds pass for the manager, if its clock can be set. None: they are waited for.
        break_connection: breaks the connection of an open manager, as a network does (close its socket, have the server drop
            it), for the clause about what was cancelled while nobody was listening.

    Returns:
        The clauses that were run, as sentences.

    Raises:
        AssertionError: a clause is broken; the text begins with the clause.
        ValueError: the manager's times are too long to wait for.
    """
    sample = factory()
    times: dict[Feature, float | None] = {
        "tombstones": sample.tombstone,
        "expiry": sample.intent_ttl,
        "leases": sample.lease,
    }
    bounded = (sample.capacity or math.inf) <= MOST_BOGUS
    has = _features(lacks, {**times, "capacity": bounded, "breakable": break_connection})
    if advance is None and any(LONGEST_WAIT < (seconds or 0) < math.inf for seconds in times.values()):
        raise ValueError(
            f"make the manager with times up to {LONGEST_WAIT:g} s, or pass advance=; its times are {times}"
        )
    return await _run(
        CLAUSES,
        lambda first, second: Bench(
            first,
            second,
            has,
            advance or anyio.sleep,
            time_is_set=advance is not None,
            break_connection=break_connection,
        ),
        factory,
        has,
    )


async def check_between_processes(
    factory: Callable[[], CancellationManager], *, lacks: Collection[Feature] = ()
) -> tuple[str, ...]:
    """Run the part of the contract that takes several processes: two that write at once, several that watch, one that is killed.

    Args:
        factory: makes an unopened manager, here and in processes that are started with asyncio and the same ``sys.path``. It is
            pickled for that: a class, a function of a module, or a ``functools.partial`` of one. Times that really pass: an
            ``intent_ttl`` of at least ten seconds, since some cancels come early, and a ``lease`` of one or two.
        lacks: as for ``check_cancellation_manager``.

    Returns:
        The clauses that were run, as sentences.

    Raises:
        AssertionError: a clause is broken; the text begins with the clause.
    """
    has = _features(lacks, {"leases": factory().lease})
    return await _run(
        PROCESS_CLAUSES, lambda first, second: Bench(first, second, has, anyio.sleep, factory=factory), factory, has
    )


def _features(lacks: Collection[Feature], given: Mapping[Feature, object]) -> frozenset[Feature]:
    """What to insist on: everything but what it lacks, and what is not given."""
    return frozenset[Feature](get_args(Feature)) - {*lacks} - {feature for feature, value in given.items() if not value}


async def _run(
    clauses: Collection[tuple[Clause, Collection[Feature]]],
    bench_of: Callable[[CancellationManager, CancellationManager], Bench],
    factory: Callable[[], CancellationManager],
    has: frozenset[Feature],
) -> tuple[str, ...]:
    done: list[str] = []
    for clause, needs in clauses:
        if not has.issuperset(needs):
            continue
        sentence = clause.__name__.replace("_", " ")
        first = factory()
        second = factory() if "shared" in has else first
        async with first, second:
            bench = bench_of(first, second)
            broken: AssertionError | None = None
            try:
                await clause(bench)
            except* AssertionError as group:  # also from inside of a task group
                broken = _first_of(group)
            if broken is not None:
                raise AssertionError(f"{sentence}: {broken}") from broken
            await bench.tidy_up()
            left = {*bench.used} & {*await first.aget_active_runs()}
            if left:
                raise AssertionError(f"{sentence}: still active after acleanup_run(): {left}")
        done.append(sentence)
    return tuple(done)


def _first_of(group: ExceptionGroup[AssertionError]) -> AssertionError:
    error: AssertionError | ExceptionGroup[AssertionError] = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
