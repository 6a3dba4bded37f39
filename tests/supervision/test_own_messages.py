"""A restart, and what an actor does about its own messages: stash, behaviour, timers, pools, mailboxes without room."""

from __future__ import annotations

from actors import Actor, Mailbox, Pool, events, one_for_one
from tests._support import quiet
from tests.supervision._team import AT_ONCE, BrokenError, restarted

SUPERVISION = one_for_one(backoff=AT_ONCE, times=None)


class Keeper(Actor):
    born = 0

    def __init__(self):
        type(self).born += 1
        self.number = type(self).born

    async def other(self, message):
        return "other", message

    async def reply(self, message, /):
        if message == "fail":
            self.context.every(1000, "tick")
            self.context.become(self.other)
            raise BrokenError
        if message == "aside" and self.number == 1:
            self.context.stash()
        return self.number, message


class Worker(Keeper):
    born = 0


async def test_a_restart_takes_up_what_was_stashed_and_forgets_timers_and_behaviour(system):
    """R28, promise 15: whoever asked for a stashed message is answered by the new instance."""
    Keeper.born = 0
    ref = await system.spawn(Keeper, supervision=SUPERVISION)
    run = await ref.request("aside")
    await quiet()
    assert ref.statistics().stashed == 1
    await ref.tell("fail")
    assert await run == (2, "aside")
    assert await ref.ask("now") == (2, "now")
    assert (ref.statistics().stashed, ref._cell.timers) == (0, None)


async def test_a_worker_of_a_supervised_pool_is_restarted_and_keeps_its_mailbox(system):
    """What spawn is given for the pool is given to each."""
    Worker.born = 0
    pool = await system.spawn(lambda: Pool(Worker, 1), supervision=SUPERVISION)
    (worker,) = pool.workers
    await pool.tell("fail")
    run = await pool.request("kept")
    assert await run == (2, "kept")
    assert pool.workers == (worker,)
    assert pool.statistics().restarts == 1


async def test_a_pool_that_is_restarted_has_new_workers_and_loses_no_message_meanwhile(system):
    """Its ref stays, and what comes meanwhile waits in its own mailbox."""
    Worker.born = 0
    pool = await system.spawn(lambda: Pool(Worker, 2), supervision=SUPERVISION)
    old = pool.workers
    pool._cell.supervised.obey("restart", BrokenError())
    run = await pool.request("meanwhile")
    assert (await run)[1] == "meanwhile"
    await restarted(pool)
    assert len(pool.workers) == 2
    assert not set(pool.workers) & set(old)
    assert [worker.path for worker in pool.workers] == [worker.path for worker in old]
    assert (await pool.ask("after"))[0] > 2


async def test_a_mailbox_without_room_is_an_event_and_so_is_the_dead_letter_with_its_sender(system):
    """R33: those who watch the system hear of it."""
    ref = await system.spawn(Keeper, mailbox=Mailbox(1, when_full="drop_newest"))
    with system.events(events.Overflow, events.DeadLetter) as told:
        ref.tell_nowait("first")
        ref.tell_nowait("second")
        overflow, letter = told.pending()
    assert (overflow.path, overflow.policy, overflow.queued) == (ref.path, "drop_newest", 1)
    assert (letter.path, letter.message, letter.sender) == (ref.path, "second", None)
