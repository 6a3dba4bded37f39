"""A pool of workers behind one ref: who gets a message, how many there are, and what becomes of one that dies."""

from __future__ import annotations

import anyio
import pytest

from actors import (
    Actor,
    ActorStopped,
    AskCycleError,
    InMemoryCancellationManager,
    Mailbox,
    MailboxFull,
    Pool,
    SpawnError,
    UsageError,
)
from tests._support import Call, Doer, Gate, Hang, Teller, quiet


class Worker(Doer):
    """Does what it is told, and notes what that was; replies to "who" with its name."""

    made = 0

    async def reply(self, message, /):
        self.log.append(message)
        if message == "who":
            return self.context.ref.name
        return await super().reply(message)


async def names(pool, count, message="who"):
    return [await pool.ask(message) for _ in range(count)]


# -- who gets a message


async def test_by_turns_each_worker_gets_one_message_after_the_other(system):
    pool = await system.spawn(Pool(Worker, 3), name="pool")
    assert await names(pool, 6) == ["2", "3", "1", "2", "3", "1"]
    assert [ref.path for ref in pool.workers] == ["system/pool/1", "system/pool/2", "system/pool/3"]
    assert pool.path == "system/pool"
    assert system.find("pool") is pool
    assert system.find("pool/2") is pool.workers[1]


async def test_the_least_busy_worker_gets_the_next_message(system):
    pool = await system.spawn(Pool(Worker, 3, route="least_busy"))
    gates = [Gate() for _ in range(3)]
    for gate in gates:
        await pool.tell(gate)
        await gate.began.wait()
    gates[1].open()
    await quiet()
    (free,) = [ref.name for ref in pool.workers if ref.statistics().state == "idle"]
    assert await names(pool, 5) == [free] * 5


async def test_messages_with_the_same_key_go_to_the_same_worker(system):
    """R49: so their order holds."""
    pool = await system.spawn(Pool(Worker, 3, route=lambda message: message))
    for number in range(30):
        await pool.tell(number % 6)
    await quiet()
    logs = [ref._cell.actor.log for ref in pool.workers]
    assert sum(map(len, logs)) == 30
    for key in range(6):
        assert [log.count(key) for log in logs].count(5) == 1


async def test_what_a_key_raises_goes_to_the_sender(system):
    pool = await system.spawn(Pool(Worker, 2, route=lambda message: 1 / message))
    for send in (pool.ask, pool.tell, pool.request):
        with pytest.raises(ZeroDivisionError):
            await send(0)
    assert await pool.ask(1) == 1


async def test_the_workers_work_at_the_same_time(system):
    """And each of them at one message at a time."""
    pool = await system.spawn(Pool(Worker, 3))
    gates = [Gate(number) for number in range(6)]
    runs = [await pool.request(gate) for gate in gates]
    await quiet()
    assert [gate.began.is_set() for gate in gates] == [True] * 3 + [False] * 3
    assert pool.statistics().queued == 3
    assert pool.statistics().state == "busy"
    for gate in gates:
        gate.open()
    assert [await run for run in runs] == list(range(6))
    seen = pool.statistics()
    assert (seen.completed, seen.queued, seen.state, seen.path) == (6, 0, "idle", pool.path)


async def test_every_form_of_sending_goes_to_the_workers(system):
    pool = await system.spawn(Pool(Teller, 2))
    assert await pool.ask(["a"]) == "a"
    assert await (await pool.request(["b"])) == "b"
    async with pool.stream(["c", "d"]) as run:
        assert [chunk async for chunk in run] == ["c", "d"]
    await pool.tell(["e"])
    pool.tell_nowait(["f"])
    assert await anyio.to_thread.run_sync(pool.ask_from_thread, ["g"]) == "g"
    await quiet()
    assert [ref.statistics().completed for ref in pool.workers] == [3, 3]


async def test_what_spawn_is_given_for_the_pool_is_given_to_each_worker(system):
    manager = InMemoryCancellationManager()
    pool = await system.spawn(Pool(Worker, 2), mailbox=Mailbox(1, when_full="reject"), cancellation=manager)
    gates = [Gate() for _ in range(4)]
    for gate in gates:
        await pool.request(gate)
        await quiet()
    assert len(manager.get_active_runs()) == 2
    with pytest.raises(MailboxFull):
        await pool.tell("too much")
    assert pool.statistics().mailbox.capacity == 2
    assert pool.statistics().mailbox.rejected == 1
    for gate in gates:
        gate.open()


async def test_a_worker_that_asks_its_own_pool_may_meet_itself(system):
    """R52: it is told at once."""
    pool = await system.spawn(Pool(Worker, 1))
    with pytest.raises(AskCycleError):
        await pool.ask(lambda _: pool.ask("who"))


async def test_a_message_that_comes_while_the_pool_starts_is_answered(system):
    class Slow(Worker):
        async def on_start(self):
            await gate(self)

    gate = Gate()
    async with anyio.create_task_group() as group:
        spawning = Call(group, system.spawn, Pool(Slow, 2), name="pool")
        await quiet()
        early = Call(group, system.find("pool").ask, "early")
        await quiet()
        assert not spawning.over
        assert not early.over
        gate.open()
        assert await early.result() == "early"


# -- interrupting


async def test_one_run_is_interrupted_by_its_id_and_no_other(system):
    """Promise 2."""
    pool = await system.spawn(Pool(Worker, 3))
    hangs = [Hang() for _ in range(3)]
    runs = [await pool.request(hang, run_id=str(number)) for number, hang in enumerate(hangs)]
    for hang in hangs:
        await hang.began.wait()
    receipt = await pool.interrupt("enough", run_id="1")
    assert (receipt.outcome, receipt.run_id) == ("interrupted", "1")
    assert [hang.cut for hang in hangs] == [False, True, False]
    assert (await runs[1]).reason == "enough"
    assert (await pool.interrupt(run_id="1")).outcome == "finished"
    assert pool.interrupt_nowait(run_id="0")
    assert not pool.interrupt_nowait(run_id="1")
    assert (await runs[0]).run_id == "0"
    other = await system.spawn(Doer())
    gate = Gate()
    await other.request(gate, run_id="other")
    assert (await pool.interrupt(run_id="other")).outcome == "finished"
    gate.open()


async def test_all_that_runs_now_is_interrupted_at_once_and_what_is_queued_is_not(system):
    pool = await system.spawn(Pool(Worker, 3))
    hangs = [Hang() for _ in range(3)]
    runs = [await pool.request(hang) for hang in hangs]
    for hang in hangs:
        await hang.began.wait()
    queued = await pool.request("queued")
    receipt = await pool.interrupt("enough", by="anna")
    assert receipt.outcome == "interrupted"
    assert [child.outcome for child in receipt.children] == ["interrupted"] * 3
    assert {(await run).by for run in runs} == {"anna"}
    assert await queued == "queued"
    assert (await pool.interrupt()).outcome == "idle"
    assert not pool.interrupt_nowait()


async def test_the_receipt_of_all_says_the_worst_that_came_of_one(system):
    """R29: never a success while one still runs."""
    pool = await system.spawn(Pool(Worker, 2))
    hang, gate = Hang(), Gate(shielded=True)
    await pool.tell(hang)
    run = await pool.request(gate)
    await hang.began.wait()
    await gate.began.wait()
    receipt = await pool.interrupt(grace=0.05)
    assert (receipt.outcome, bool(receipt)) == ("stuck", False)
    assert sorted(child.outcome for child in receipt.children) == ["interrupted", "stuck"]
    assert "Gate.__call__" in receipt.where
    gate.open()
    assert await run == "opened"


async def test_messages_are_withdrawn_from_all_workers(system):
    pool = await system.spawn(Pool(Worker, 2))
    gates = [Gate() for _ in range(2)]
    for gate in gates:
        await pool.tell(gate)
    await quiet()
    for number in range(4):
        await pool.tell(number)
    assert sorted(pool.withdraw()) == [0, 1, 2, 3]
    for gate in gates:
        gate.open()


# -- workers that die


@pytest.mark.parametrize("end", ["stop", "stop now", "kill"])
async def test_a_worker_that_dies_is_replaced_in_its_place_and_under_its_name(system, end):
    """At once: whoever asks in that very moment finds it there."""
    pool = await system.spawn(Pool(Worker, 2))
    before = pool.workers[0]
    await {"stop": before.stop, "stop now": lambda: before.stop(drain=False), "kill": before.kill}[end]()
    after = pool.workers[0]
    assert after is not before
    assert after.path == before.path
    assert sorted(await names(pool, 2)) == ["1", "2"]
    assert len(pool.workers) == 2
    with pytest.raises(ActorStopped):
        await before.ask("who")


async def test_what_a_dying_worker_had_in_its_mailbox_is_settled_and_not_moved(system, settlements):
    """Promise 8: at most one delivery, nothing is retried behind anybody's back."""
    pool = await system.spawn(Pool(Worker, 1))
    hang = Hang()
    running = await pool.request(hang)
    await hang.began.wait()
    queued = await pool.request("queued")
    await pool.tell("told")
    await pool.workers[0].kill()
    for run in (running, queued):
        with pytest.raises(ActorStopped):
            await run
    assert [letter.message for letter in system.dead_letters] == ["told"]
    assert await pool.ask("new") == "new"
    assert set(settlements.values()) == {1}


async def test_while_a_worker_drains_others_get_its_messages(system):
    pool = await system.spawn(Pool(Worker, 2, route=lambda _: 0))
    gate = Gate()
    await pool.tell(gate)
    await gate.began.wait()
    leaving = pool.workers[0]
    async with anyio.create_task_group() as group:
        group.start_soon(leaving.stop)
        await quiet()
        assert await names(pool, 2) == ["2", "2"]
        gate.open()
    assert await names(pool, 2) == ["1", "1"]


async def test_a_replacement_takes_its_messages_before_it_has_started(system):
    """None is lost in between."""

    class Slow(Worker):
        async def on_start(self):
            Slow.made += 1
            if Slow.made > 1:
                await gate(self)

    gate = Gate()
    pool = await system.spawn(Pool(Slow, 1))
    await pool.workers[0].kill()
    run = await pool.request("early")
    await gate.began.wait()
    assert run.status == "queued"
    gate.open()
    assert await run == "early"


async def test_one_at_a_time_the_pool_survives_the_death_of_all(system):
    pool = await system.spawn(Pool(Worker, 3))
    for _ in range(5):
        for ref in pool.workers:
            await ref.kill()
        assert sorted(await names(pool, 3)) == ["1", "2", "3"]
    assert len(pool._cell.children) == 3


# -- how many there are


async def test_a_pool_grows_and_shrinks(system):
    """Those that go answer first what they have."""
    pool = await system.spawn(Pool(Worker, 2))
    await pool.resize(4)
    assert sorted(await names(pool, 4)) == ["1", "2", "3", "4"]
    gates = [Gate(number) for number in range(4)]
    runs = [await pool.request(gate) for gate in gates]
    runs += [await pool.request(number) for number in range(4)]
    async with anyio.create_task_group() as group:
        resizing = Call(group, pool.resize, 1)
        await quiet()
        assert len(pool.workers) == 1
        assert not resizing.over
        for gate in gates:
            gate.open()
        await resizing.result()
    assert [await run for run in runs] == [0, 1, 2, 3, 0, 1, 2, 3]
    await quiet()
    assert list(pool._cell.children) == ["1"]
    assert await names(pool, 2) == ["1", "1"]


@pytest.mark.parametrize("size", [0, -1, True])
async def test_a_size_that_cannot_be_is_refused(system, size):
    pool = await system.spawn(Pool(Worker, 1))
    with pytest.raises(UsageError, match="at least one worker"):
        await pool.resize(size)
    with pytest.raises(SpawnError, match="at least one worker"):
        Pool(Worker, size)


async def test_a_pool_that_cannot_be_is_refused(system):
    with pytest.raises(SpawnError, match="route is one of round_robin, least_busy"):
        Pool(Worker, route="random")
    with pytest.raises(SpawnError, match="a function or class that makes a worker"):
        Pool(Worker())


async def test_a_pool_that_stops_is_not_resized(system):
    pool = await system.spawn(Pool(Worker, 1))
    await pool.stop()
    with pytest.raises(ActorStopped):
        await pool.resize(2)


# -- its life


@pytest.mark.parametrize("drain", [True, False])
async def test_stopping_the_pool_stops_its_workers_and_replaces_none(system, drain):
    """R51: and whoever asks afterwards is told."""
    pool = await system.spawn(Pool(Worker, 3), name="pool")
    gate = Gate("done", shielded=True)
    run = await pool.request(gate)
    await gate.began.wait()
    workers = pool.workers
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: pool.stop(drain=drain))
        await quiet()
        with pytest.raises(ActorStopped, match="system/pool is stopping"):
            await pool.ask("late")
        gate.open()
    assert await run == "done"
    assert [ref.statistics().state for ref in workers] == ["dead"] * 3
    assert system.find("pool") is None
    await pool.tell("late")
    assert [(letter.path, letter.message) for letter in system.dead_letters] == [("system/pool", "late")]


async def test_killing_the_pool_kills_its_workers(system):
    pool = await system.spawn(Pool(Worker, 2))
    hang = Hang()
    run = await pool.request(hang)
    await hang.began.wait()
    await pool.kill()
    with pytest.raises(ActorStopped):
        await run
    await pool.join()


async def test_leaving_the_system_ends_the_pool(new_system):
    """R51."""
    async with new_system() as system:
        pool = await system.spawn(Pool(Worker, 3))
        runs = [await pool.request(number) for number in range(9)]
    assert [await run for run in runs] == list(range(9))
    assert system.roots == {}


async def test_a_pool_can_be_a_child_and_its_workers_can_have_children(system):
    class Parent(Worker):
        async def on_start(self):
            await self.context.spawn(Worker(), name="child")

    async def start(self):
        return await self.context.spawn(Pool(Parent, 2), name="pool")

    above = await system.spawn(Doer(), name="above")
    pool = await above.ask(start)
    assert system.find("above/pool/2/child") is not None
    await pool.workers[1].kill()
    await pool.ask("who")
    assert await system.find("above/pool/2/child").ask("alive") == "alive"
    await above.stop()


async def test_a_pool_whose_workers_cannot_start_does_not_start(system):
    class Broken(Actor[str, str]):
        async def on_start(self):
            raise ZeroDivisionError

        async def reply(self, message, /):
            return message

    with pytest.raises(ZeroDivisionError):
        await system.spawn(Pool(Broken, 3), name="pool")
    assert system.find("pool") is None
