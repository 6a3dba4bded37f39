"""Promise 17, R39: what a system has not answered when it ends is reported, whichever way it ends."""

from __future__ import annotations

import anyio
import pytest

from actors import LeftQueued
from tests._support import Doer, Hang


@pytest.mark.parametrize("how", ["drain timeout", "exception", "cancellation"])
async def test_what_was_queued_is_in_the_record_and_in_the_log(new_system, caplog, how):
    system = new_system(drain_timeout=0.01)

    async def use():
        async with system:
            for name in "ab":
                ref = await system.spawn(Doer(), name=name)
                if name == "a":
                    hang = Hang()
                    await ref.tell(hang)
                    await hang.began.wait()
                    for message in (1, "two", 3):
                        await ref.tell(message)
            match how:
                case "exception":
                    raise ZeroDivisionError
                case "cancellation":
                    scope.cancel()
                    await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        if how == "exception":
            with pytest.raises(ZeroDivisionError):
                await use()
        else:
            await use()
    assert system.left_queued == (LeftQueued("system/a", 3, {"int": 2, "str": 1}),)
    (fields,) = [record.fields for record in caplog.records if record.event == "system.left_queued"]
    assert (fields["actor"], fields["count"], fields["kinds"]) == ("system/a", 3, {"int": 2, "str": 1})
    assert [letter.message for letter in system.dead_letters] == [1, "two", 3]


async def test_a_system_that_has_answered_all_reports_nothing(new_system):
    async with new_system() as system:
        ref = await system.spawn(Doer())
        for number in range(5):
            await ref.tell(number)
    assert system.left_queued == ()
