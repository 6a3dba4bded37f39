"""The evening in the kitchen: each kind of failure, and what comes of it."""

from __future__ import annotations

from tests.examples._scripts import run_example

TOLD = """\
1. An error in an ask is the answer, and the cook goes on.
    soup, number 1 of the cook
    the guest hears: there is no such dish
    pie, number 2 of the cook
2. An error in a tell goes to the supervision: a new cook takes over the queue, without what was burnt.
    the cook leaves
    the cook is replaced, because of BurntError
    soup, number 1 of the cook
3. A reply that refuses to end is left to itself; its late effects are nobody's.
    the receipt says: stuck
    the guest hears: it was stuck
    the cook is replaced, because of ReplyStuckError
    pie, number 1 of the cook
4. Who works with what another one makes goes with him: rest_for_one.
    sauce leaves
    plates leaves
    sauce is replaced, because of BurntError
    plates is replaced, because of BurntError
    steak, number 1 of grill
    steak, number 1 of sauce
    steak, number 1 of plates
5. One restart too many: it is given up, and whoever watches hears of it.
    the cook leaves
    the cook is replaced, because of BurntError
    the cook is replaced, because of OSError
    the head waiter hears: doomed has failed
The evening is over. Restarted: kitchen/cook, kitchen/cook, kitchen/sauce, kitchen/plates
    plates leaves
    sauce leaves
    grill leaves
    the cook leaves
"""


def test_the_evening_goes_on_whatever_fails() -> None:
    done = run_example("supervision.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == TOLD
