"""Promise 3: a running reply is cut, and ``handle_interrupt`` makes the reply to whoever asked."""

from __future__ import annotations

from contextvars import ContextVar

import anyio
import anyio.lowlevel
import pytest

from actors import Interrupted
from tests._support import Call, Doer, Gate, Hang, Mute, quiet, turns

color: ContextVar[str] = ContextVar("color", default="none")


async def hanging(ref, **options):
    """A run that has begun and hangs, and the message that it hangs in."""
    hang = Hang()
    run = await ref.request(hang, **options)
    await hang.began.wait()
    return run, hang


async def test_the_value_of_handle_interrupt_is_the_reply_to_whoever_asked(system):
    """R1, R41."""
    actor = Doer()
    ref = await system.spawn(actor)
    hang = Hang()
    async with anyio.create_task_group() as group:
        call = Call(group, ref.ask, hang)
        await hang.began.wait()
        receipt = await ref.interrupt("enough", by="anna")
        reply = await call.result()
    assert hang.cut
    assert actor.handled == [reply]
    assert receipt
    assert (receipt.outcome, receipt.reason, receipt.by) == ("interrupted", "enough", "anna")
    assert receipt.run_id == reply.run_id


async def test_handle_interrupt_is_told_who_why_and_what_had_been_said(system):
    """R16, R18: what the reply had produced is in `partial`."""
    ref = await system.spawn(Doer())
    began = anyio.Event()

    async def speak(actor):
        actor.context.emit("Once")
        actor.context.emit("upon")
        began.set()
        await anyio.sleep_forever()

    before = anyio.current_time()
    run = await ref.request(speak)
    await began.wait()
    receipt = await ref.interrupt("too long", by="anna", message="shorter please")
    interruption = await run
    assert (interruption.run_id, interruption.reason, interruption.by) == (run.id, "too long", "anna")
    assert (interruption.source, interruption.message, interruption.started) == ("caller", "shorter please", True)
    assert interruption.partial == run.partial == receipt.partial == ("Once", "upon")
    assert before <= interruption.requested_at <= anyio.current_time()
    assert run.status == "interrupted"


@pytest.mark.parametrize("through", ["ref", "run", "run id", "system", "nowait"])
async def test_every_way_to_interrupt_does_the_same(system, through):
    """R2."""
    ref = await system.spawn(Doer())
    run, _ = await hanging(ref)
    match through:
        case "ref":
            receipt = await ref.interrupt("why", by="who", message="what")
        case "run":
            receipt = await run.interrupt("why", by="who", message="what")
        case "run id":
            receipt = await ref.interrupt("why", by="who", message="what", run_id=run.id)
        case "system":
            receipt = await system.interrupt(run.id, "why", by="who", message="what")
        case _:
            assert ref.interrupt_nowait("why", by="who", message="what") is True
            receipt = None
    interruption = await run
    assert (interruption.reason, interruption.by, interruption.message) == ("why", "who", "what")
    assert interruption.source == "caller"
    assert receipt is None or receipt.outcome == "interrupted"


async def test_handle_interrupt_can_wait(system):
    """R42, P3: it runs outside the cancelled scope, where each await would raise again."""

    class Careful(Doer):
        async def handle_interrupt(self, message, interruption, /):
            await turns(5)
            with anyio.fail_after(10):
                await anyio.sleep(0.001)
            async with anyio.create_task_group() as group:
                call = Call(group, turns, 3)
                assert await call.ended() == "returned"
            return "in order"

    ref = await system.spawn(Careful())
    run, _ = await hanging(ref)
    assert (await ref.interrupt()).outcome == "interrupted"
    assert await run == "in order"


async def test_handle_interrupt_belongs_to_the_turn_of_the_reply(system):
    """R49: the next message waits until it has ended."""
    order = []

    class Slow(Doer):
        async def handle_interrupt(self, message, interruption, /):
            order.append("handling")
            await turns(10)
            order.append("handled")

    ref = await system.spawn(Slow())
    await hanging(ref)

    async def next_message(_actor):
        order.append("next")

    ref.tell_nowait(next_message)
    assert ref.interrupt_nowait()
    await ref.ask("last")
    assert order == ["handling", "handled", "next"]


async def test_a_second_interrupt_joins_the_first(system):
    """R41: one handle_interrupt, with the words of the first; every receipt is true, with the words of its own."""
    actor = Doer()
    ref = await system.spawn(actor)
    run, hang = await hanging(ref, run_id="mine")
    async with anyio.create_task_group() as group:
        receipts = [Call(group, ref.interrupt, f"number {number}") for number in range(3)]
        receipts.append(Call(group, run.interrupt, "number 3"))
        receipts.append(Call(group, system.interrupt, "mine", "number 4"))
        first = f"number {(await run).reason[-1]}"
        results = [await receipt.result() for receipt in receipts]
    assert hang.cut
    assert [receipt.outcome for receipt in results] == ["interrupted"] * 5
    assert [receipt.reason for receipt in results] == [f"number {number}" for number in range(5)]
    assert [interruption.reason for interruption in actor.handled] == [first]


async def test_the_first_of_two_interrupts_in_a_row_is_the_one_that_counts(system):
    """R2: both found the run, and said so."""
    actor = Doer()
    ref = await system.spawn(actor)
    run, _ = await hanging(ref)
    assert ref.interrupt_nowait("first", by="anna", message="a")
    assert ref.interrupt_nowait("second", by="bert", message="b")
    interruption = await run
    assert (interruption.reason, interruption.by, interruption.message) == ("first", "anna", "a")
    assert actor.handled == [interruption]


async def test_handle_interrupt_is_not_interruptible(system):
    """Promise 3: an interrupt that comes meanwhile waits for its end, and changes nothing."""
    gate = Gate()

    class Careful(Doer):
        async def handle_interrupt(self, message, interruption, /):
            self.handled.append(interruption)
            return await gate(self)

    actor = Careful()
    ref = await system.spawn(actor)
    run, _ = await hanging(ref)
    async with anyio.create_task_group() as group:
        first = Call(group, ref.interrupt, "first")
        await gate.began.wait()
        assert run.status == "interrupting"
        assert (await ref.interrupt("impatient", grace=0.001)).outcome == "handling"
        assert ref.interrupt_nowait("again")
        second = Call(group, run.interrupt, "second")
        await quiet()
        assert not run.settled
        gate.open()
        assert [(await call.result()).outcome for call in (first, second)] == ["interrupted", "interrupted"]
    assert await run == "opened"
    assert [interruption.reason for interruption in actor.handled] == ["first"]


async def test_handle_interrupt_has_a_time_limit(system):
    """Promise 3: over it the asker gets the partial reply in `Interrupted`, and the actor goes on."""

    class Endless(Doer):
        async def handle_interrupt(self, message, interruption, /):
            self.handled.append(interruption)
            await anyio.sleep_forever()

    actor = Endless()
    ref = await system.spawn(actor, interrupt_timeout=0.02)
    began = anyio.Event()

    async def speak(actor):
        actor.context.emit("so far")
        began.set()
        await anyio.sleep_forever()

    run = await ref.request(speak)
    await began.wait()
    receipt = await ref.interrupt("enough", by="anna")
    with pytest.raises(Interrupted) as caught:
        await run
    assert receipt.outcome == run.status == "interrupted"
    error = caught.value
    assert (error.partial, error.reason, error.by, error.source) == (("so far",), "enough", "anna", "caller")
    assert (error.ref, error.run_id, error.message) == (ref, run.id, speak)
    assert len(actor.handled) == 1
    assert await ref.ask("alive") == "alive"


async def test_a_reply_has_no_time_limit(system):
    """Promise 3: `interrupt_timeout` is about handle_interrupt."""
    ref = await system.spawn(Doer(), interrupt_timeout=0.001)

    async def slow(_actor):
        await anyio.sleep(0.02)
        return "done"

    assert await ref.ask(slow) == "done"


async def test_the_base_handle_interrupt_gives_the_asker_interrupted(system):
    """R16: the outcome *interrupted*, with the partial reply; never a failure."""
    ref = await system.spawn(Mute())
    run, _ = await hanging(ref)
    receipt = await ref.interrupt("enough", by="anna")
    assert receipt.outcome == "interrupted"
    assert run.status == "interrupted"
    with pytest.raises(Interrupted, match="interrupted by anna: enough") as caught:
        await run
    assert (caught.value.reason, caught.value.by, caught.value.source) == ("enough", "anna", "caller")
    assert (ref.statistics().interrupted, ref.statistics().failed) == (1, 0)


async def test_an_interrupted_that_handle_interrupt_makes_itself_is_the_outcome_interrupted(system):
    """Promise 3: raising `Interrupted` asks for that, whoever made it."""

    class Terse(Doer):
        async def handle_interrupt(self, message, interruption, /):
            raise Interrupted("no comment")

    ref = await system.spawn(Terse())
    run, _ = await hanging(ref)
    assert (await ref.interrupt("enough")).outcome == "interrupted"
    with pytest.raises(Interrupted) as caught:
        await run
    assert (caught.value.reason, caught.value.run_id) == ("enough", run.id)


async def test_an_error_in_handle_interrupt_goes_to_the_asker(system):
    """Promise 6: then the run has failed, and the receipt says so."""

    class Broken(Doer):
        async def handle_interrupt(self, message, interruption, /):
            await turns(1)
            raise ZeroDivisionError

    ref = await system.spawn(Broken())
    run, _ = await hanging(ref)
    receipt = await ref.interrupt()
    assert receipt.outcome == "failed"
    assert not receipt
    assert run.status == "failed"
    with pytest.raises(ZeroDivisionError):
        await run
    assert await ref.ask("alive") == "alive"


async def test_a_message_that_nobody_waits_for_is_handled_too(system):
    """semantics.md, 4: the state has to be put in order for a tell as well."""
    actor = Doer()
    ref = await system.spawn(actor)
    hang = Hang()
    await ref.tell(hang)
    await hang.began.wait()
    receipt = await ref.interrupt("enough")
    assert receipt.outcome == "interrupted"
    assert [interruption.reason for interruption in actor.handled] == ["enough"]


async def test_handle_interrupt_sees_the_context_variables_of_the_asker(system):
    """Promise 13, semantics.md decision 2."""

    class Colorful(Doer):
        async def handle_interrupt(self, message, interruption, /):
            return color.get()

    ref = await system.spawn(Colorful())
    color.set("green")
    run, _ = await hanging(ref)
    color.set("red")
    assert ref.interrupt_nowait()
    assert await run == "green"


async def test_an_interrupt_ends_every_task_that_the_reply_started(system):
    """R51: nothing of the reply runs beside handle_interrupt."""
    inside = [Hang(), Hang(), Hang()]

    class Careful(Doer):
        async def handle_interrupt(self, message, interruption, /):
            return [hang.cut for hang in inside]

    async def many(actor):
        async with anyio.create_task_group() as group:
            for hang in inside:
                group.start_soon(hang, actor)

    ref = await system.spawn(Careful())
    run = await ref.request(many)
    for hang in inside:
        await hang.began.wait()
    assert (await ref.interrupt()).outcome == "interrupted"
    assert await run == [True, True, True]


async def test_the_actor_goes_on_after_an_interrupt(system):
    """R5: many times in a row; nothing is left for the next reply."""
    actor = Doer()
    ref = await system.spawn(actor)
    for number in range(20):
        run, _ = await hanging(ref)
        assert (await ref.interrupt(str(number))).outcome == "interrupted"
        assert (await run).reason == str(number)

        async def uses_scopes(_actor):
            with anyio.move_on_after(10) as scope:
                await turns(2)
            return scope.cancelled_caught

        assert await ref.ask(uses_scopes) is False
    assert len(actor.handled) == 20


async def test_interrupting_from_inside_the_reply_cuts_it_at_its_next_await(system):
    """Promise 12: awaiting one's own interrupt returns at once."""
    actor = Doer()
    ref = await system.spawn(actor)

    async def stop_myself(actor):
        receipt = await actor.context.ref.interrupt("I have heard enough")
        actor.log.append(receipt.outcome)
        await anyio.lowlevel.checkpoint()
        actor.log.append("never")

    interruption = await ref.ask(stop_myself)
    assert interruption.reason == "I have heard enough"
    assert actor.log == ["deferred"]
