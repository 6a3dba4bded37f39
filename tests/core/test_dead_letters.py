"""Promise 17, R54: nothing is dropped silently; each undeliverable message is a dead letter with a reason."""

from __future__ import annotations

import anyio
import pytest

from tests._support import Call, Doer, Gate, Hang, quiet


async def test_a_tell_to_an_actor_that_has_ended_is_a_dead_letter(system):
    ref = await system.spawn(Doer(), name="gone")
    await ref.stop()
    message = object()
    await ref.tell(message)
    ref.tell_nowait(message)
    letters = list(system.dead_letters)
    assert [(letter.path, letter.message) for letter in letters] == [("system/gone", message)] * 2
    assert all("stopped" in letter.reason for letter in letters)
    assert system.dead_letters.count == 2


@pytest.mark.parametrize("end", ["stop now", "kill", "leave", "fail to start"])
async def test_tells_that_were_queued_when_their_actor_ended_are_dead_letters_in_their_order(new_system, end):
    class Starting(Doer):
        async def on_start(self):
            if end == "fail to start":
                await gate(self)
                raise ZeroDivisionError

    gate = Gate()
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            async with new_system() as system:
                spawn = Call(group, system.spawn, Starting(), name="it")
                if end == "fail to start":
                    await gate.began.wait()
                    ref = system.find("it")
                else:
                    ref = await spawn.result()
                    hang = Hang()
                    await ref.tell(hang)
                    await hang.began.wait()
                for number in range(3):
                    await ref.tell(number)
                match end:
                    case "stop now":
                        await ref.stop(drain=False)
                    case "kill":
                        await ref.kill()
                    case "leave":
                        scope.cancel()
                        await anyio.sleep_forever()
                    case _:
                        gate.open()
                        assert await spawn.ended() == "raised"
    assert [letter.message for letter in system.dead_letters] == [0, 1, 2]
    assert {letter.path for letter in system.dead_letters} == {"system/it"}


async def test_a_listener_hears_of_each_and_its_failure_changes_nothing(new_system, caplog):
    """R58."""
    heard = []

    def listen(letter):
        heard.append(letter.message)
        raise ZeroDivisionError

    async with new_system(on_dead_letter=listen) as system:
        ref = await system.spawn(Doer())
        await ref.stop()
        await ref.tell("one")
        ref.tell_nowait("two")
    assert heard == ["one", "two"]
    assert [letter.message for letter in system.dead_letters] == ["one", "two"]
    events = [record.event for record in caplog.records]
    assert events.count("message.dead_letter") == 2
    assert events.count("dead_letter.listener_failed") == 2


async def test_a_message_whose_asker_is_told_is_no_dead_letter(system):
    """Somebody knows: the asker, or who took it back."""
    ref = await system.spawn(Doer())
    hang = Hang()
    async with anyio.create_task_group() as group:
        calls = [Call(group, ref.ask, hang)]
        await hang.began.wait()
        for send, message in ((ref.ask, "asked"), (ref.request, "requested")):
            calls.append(Call(group, send, message))
            await quiet()
        await ref.tell("taken back")
        assert ref.withdraw() == ["asked", "requested", "taken back"]
        calls += [Call(group, ref.ask, "asked")]
        await quiet()
        await ref.stop(drain=False)
        assert [await call.ended() for call in calls] == ["returned", "raised", "returned", "raised"]
    assert list(system.dead_letters) == []


async def test_only_the_last_thousand_are_kept_and_all_are_counted(system):
    """R23: memory stays bounded."""
    ref = await system.spawn(Doer())
    await ref.stop()
    for number in range(1500):
        ref.tell_nowait(number)
    letters = [letter.message for letter in system.dead_letters]
    assert letters == list(range(500, 1500))
    assert system.dead_letters.count == 1500


async def test_the_log_names_the_actor_and_the_kind_of_message_but_not_its_content(system, caplog):
    """R43: messages can be private."""
    ref = await system.spawn(Doer(), name="gone")
    await ref.stop()
    await ref.tell("a secret")
    (record,) = [record for record in caplog.records if record.event == "message.dead_letter"]
    assert (record.fields["actor"], record.fields["kind"]) == ("system/gone", "str")
    assert "secret" not in record.getMessage()
