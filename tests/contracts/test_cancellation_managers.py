"""The contract of cancellation managers, over every implementation there is."""

import time
from functools import partial
from itertools import count

import anyio
import anyio.lowlevel
import pytest

from actors import DuplicateRunError, InMemoryCancellationManager
from actors.abc import CancellationManager, InlineCancellationManager, adapt
from actors.backends import ChainedCancellationManager, FileCancellationManager, SQLiteCancellationManager
from actors.testing import _manager_cuts, check_between_processes, check_cancellation_manager
from actors.testing._manager_check import CLAUSES
from actors.testing._manager_processes import PROCESS_CLAUSES
from tests.conftest import LOOPS
from tests.contracts.agno_like import AsyncOnlyManager, CookbookFileManager, InMemoryRunManager, SyncOnlyManager
from tests.contracts.remote_like import RemoteManager, Server

CAPACITY = 125
SHORT = {"lease": 0.4, "tombstone": 0.3, "intent_ttl": 0.5}


class Clock:
    """Time that passes only when told to."""

    def __init__(self):
        self.now = 1_000_000_000.0

    def __call__(self):
        return self.now

    async def advance(self, seconds):
        self.now += seconds


def every_clause_without(*features):
    """The sentences of the contract that say something of a manager which lacks these features."""
    return {clause.__name__.replace("_", " ") for clause, needs in CLAUSES if not {*needs} & {*features}}


async def test_the_memory_manager_keeps_the_contract():
    """R22, R23, R26: the in-memory manager, on a clock that is set by hand."""
    clock = Clock()
    one = InMemoryCancellationManager(clock=clock, capacity=CAPACITY)
    done = await check_cancellation_manager(
        lambda: one,  # memory is shared by being the same manager
        advance=clock.advance,
    )
    assert "a late cancel is answered finished and stores nothing" in done
    assert "a lease that nobody renews ends the registration" not in done  # who holds it lives as long as the memory


async def test_the_file_manager_keeps_the_contract(tmp_path):
    """R22, R26, R30, R31: two managers on one file, on a clock that is set by hand."""
    clock = Clock()
    done = await check_cancellation_manager(
        partial(FileCancellationManager, tmp_path / "runs.json", poll_period=0.005, clock=clock, capacity=CAPACITY),
        advance=clock.advance,
    )
    assert {*done} == every_clause_without("breakable")


async def test_the_file_manager_keeps_the_contract_in_real_time(tmp_path):
    """R22, R30: the same with short times that really pass."""
    done = await check_cancellation_manager(
        partial(FileCancellationManager, tmp_path / "runs.json", poll_period=0.005, **SHORT)
    )
    assert {*done} == every_clause_without("capacity", "breakable")


async def test_the_sqlite_manager_keeps_the_contract(tmp_path):
    """R22, R26, R30: two managers on one database, on a clock that is set by hand."""
    clock = Clock()
    done = await check_cancellation_manager(
        partial(SQLiteCancellationManager, tmp_path / "runs.db", poll_period=0.005, clock=clock, capacity=CAPACITY),
        advance=clock.advance,
    )
    assert {*done} == every_clause_without("breakable")


async def test_the_sqlite_manager_keeps_the_contract_in_real_time(tmp_path):
    """R22, R30: the same with short times that really pass."""
    times = {"lease": 0.4, "tombstone": 0.3, "intent_ttl": 0.3}
    await check_cancellation_manager(
        partial(SQLiteCancellationManager, tmp_path / "runs.db", poll_period=0.005, **times)
    )


async def test_a_chain_keeps_the_contract(tmp_path):
    """R22, R26: each with a memory of its own, and one behind, over a network, that both share."""
    clock = Clock()
    server = Server(clock=clock)

    async def cut(_manager):
        server.cut_off()

    done = await check_cancellation_manager(
        lambda: ChainedCancellationManager(InMemoryCancellationManager(clock=clock), RemoteManager(server), patience=5),
        advance=clock.advance,
    )
    assert "a late cancel is answered finished and stores nothing" in done
    assert "the synchronous twins do the same" in done
    assert server.connections == 0


@pytest.mark.parametrize("local", ["memory", "sqlite"])
@pytest.mark.parametrize("anyio_backend", [LOOPS[0], LOOPS[2]])  # the others prove the parts
async def test_a_chain_keeps_the_contract_with_leases(local, tmp_path):
    """R30: also with a database in front of a database."""
    clock, files = Clock(), count()
    options = {"poll_period": 0.005, "clock": clock, "capacity": CAPACITY}

    def chain():
        front = InMemoryCancellationManager(clock=clock)
        if local == "sqlite":
            front = SQLiteCancellationManager(tmp_path / f"{next(files)}.db", **options)
        return ChainedCancellationManager(
            front, SQLiteCancellationManager(tmp_path / "behind.db", **options), patience=5
        )

    done = await check_cancellation_manager(chain, advance=clock.advance)
    assert {*done} == every_clause_without("breakable")


@pytest.mark.parametrize("kind", [FileCancellationManager, SQLiteCancellationManager])
@pytest.mark.parametrize("anyio_backend", [LOOPS[0]])  # the other processes run on asyncio anyway
async def test_the_managers_of_this_machine_keep_the_contract_between_processes(kind, tmp_path):
    """R26, R30, R31: two that write three hundred times each lose nothing, each that watches is told, a killed one is noticed."""
    done = await check_between_processes(partial(kind, tmp_path / "runs", poll_period=0.005, lease=2.0, timeout=30))
    assert len(done) == len(PROCESS_CLAUSES)


@pytest.mark.parametrize("kind", [InMemoryRunManager, SyncOnlyManager, AsyncOnlyManager, CookbookFileManager])
async def test_managers_written_for_agno_keep_what_they_can_of_the_contract(kind, tmp_path):
    """Design, section 4: managers written for agno plug in as they are."""
    wrapped = kind(tmp_path / "state.json")
    lacks = {"reasons", "shared", "intents_apart"}
    if kind is InMemoryRunManager:  # the one that agno had first: it forgets the cancel of a run it does not know
        lacks.add("early_cancels")
    if kind is AsyncOnlyManager:
        lacks.add("synchronous")
    done = await check_cancellation_manager(lambda: adapt(wrapped, poll_period=0.005), lacks=lacks)
    assert "watching tells of each cancelled run once" in done
    assert "a second registration is refused" in done


async def test_a_manager_over_a_network_keeps_the_contract_with_what_the_base_class_derives():
    """Design, section 4: a new backend implements a handful of methods."""
    clock = Clock()
    server = Server(clock=clock)

    async def cut(_manager):
        server.cut_off()

    done = await check_cancellation_manager(partial(RemoteManager, server), advance=clock.advance, break_connection=cut)
    assert "what was cancelled while the connection was broken is told" in done
    assert "the synchronous twins do the same" in done
    assert server.connections == 0


class Broken(InMemoryCancellationManager):
    """A manager with one fault, for the checker to find."""

    def __init__(self, fault, clock):
        super().__init__(clock=clock)
        self.fault = fault

    def enroll_nowait(self, run_id, cancelled=None, *, owner=""):
        try:
            intent = super().enroll_nowait(run_id, cancelled, owner=owner)
        except DuplicateRunError:
            if self.fault == "accepts duplicates":
                return None
            raise
        if self.fault == "loses early cancels":
            self._cancelled.pop(run_id, None)
            return None
        return intent

    def release_nowait(self, run_id):
        super().release_nowait(run_id)
        if self.fault == "keeps no tombstone":
            self._finished.discard(run_id)

    def request_cancel_sync(self, run_id, *, reason="", by=None):
        if self.fault == "drops the reason":
            reason = ""
        if self.fault == "replaces the reason":
            self._cancelled.pop(run_id, None)
        if self.fault == "hints nothing and reads nothing":
            self._listeners.clear()
        return super().request_cancel_sync(run_id, reason=reason, by=by)

    def get_active_runs(self):
        if self.fault == "lists intents as active":
            return {**super().get_active_runs(), **dict.fromkeys(self._early._young, True)}
        return super().get_active_runs()

    def cleanup_run(self, run_id, *, owner=""):
        super().cleanup_run(run_id, owner="" if self.fault == "cleans up for anybody" else owner)


@pytest.mark.parametrize(
    ("fault", "clause"),
    [
        ("accepts duplicates", "a second registration is refused"),
        ("loses early cancels", "a cancel that comes before its run is kept for it"),
        ("keeps no tombstone", "a late cancel is answered finished and stores nothing"),
        ("drops the reason", "reason and author come with a cancel"),
        ("replaces the reason", "cancelling again changes nothing"),
        ("lists intents as active", "a cancel without a run is no run"),
        ("cleans up for anybody", "nobody cleans up the run of another owner"),
    ],
)
async def test_the_checker_names_the_clause_that_a_manager_breaks(fault, clause):
    """The checker itself: a manager with one fault fails, and the text begins with the broken clause."""
    clock = Clock()
    one = Broken(fault, clock)
    with pytest.raises(AssertionError, match=f"^{clause}: "):
        await check_cancellation_manager(lambda: one, advance=clock.advance)


class Careless(RemoteManager):
    """What people write first: one connection, which is not given back when its user is cancelled."""

    free = True

    async def enroll(self, run_id, *, owner=""):
        while not self.free:  # noqa: ASYNC110 - simple, too
            await anyio.sleep(0.001)
        self.free = False
        try:
            return await super().enroll(run_id, owner=owner)
        finally:
            await anyio.lowlevel.checkpoint()  # does not get beyond here when it is cancelled
            self.free = True


async def test_the_checker_finds_what_goes_wrong_when_a_call_is_cut(monkeypatch):
    """Issue 4: a manager that is usable only as long as nobody is cancelled; and the checker itself does not hang."""
    monkeypatch.setattr(_manager_cuts, "PATIENCE", 0.2)
    clock = Clock()
    server = Server(clock=clock)
    clause = "a cancellation in the middle of an operation leaves the manager usable"
    with pytest.raises(AssertionError, match=f"^{clause}: nothing is answered any more"):
        await check_cancellation_manager(lambda: Careless(server), lacks={"synchronous"}, advance=clock.advance)


async def test_the_checker_refuses_times_that_are_too_long_to_wait_for():
    """A checker that slept for an hour would never be run."""
    with pytest.raises(ValueError, match="3600"):
        await check_cancellation_manager(InMemoryCancellationManager, lacks={"shared"})


def test_adapting_says_which_of_agnos_methods_is_missing():
    """Design, section 4: any object with agno's methods will do, and nothing else."""
    with pytest.raises(TypeError, match="neither register_run"):
        adapt(object())


def test_adapting_one_of_ours_gives_it_back():
    manager = InMemoryCancellationManager()
    assert adapt(manager) is manager
    assert isinstance(manager, InlineCancellationManager | CancellationManager)


def test_time_of_day_is_what_an_intent_is_stamped_with():
    """Design, section 4: an intent crosses processes, whose monotonic clocks have nothing in common."""
    before = time.time()
    result = InMemoryCancellationManager().request_cancel_sync("run")
    assert before <= result.intent.requested_at <= time.time()
