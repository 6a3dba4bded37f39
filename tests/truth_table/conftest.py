"""No test of this folder passes without having reached its end.

On asyncio a stray CancelledError may end a task group, and the assertions in it, without a trace (P1). So each test calls
``reached()`` after its last assertion, and one that comes back without having called it has failed.
"""

from functools import partial

import pytest

from tests.truth_table._replies import set_the_stage

REACHED = pytest.StashKey[bool]()


@pytest.fixture
def reached(request):
    """To be called where the last assertion of a test has held."""

    def note():
        request.node.stash[REACHED] = True

    return note


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail what ended without an error and without having reached its end."""
    outcome = yield
    if not item.stash.get(REACHED, False):
        pytest.fail("the test came back without having called reached(): was it cancelled half way?")
    return outcome


@pytest.fixture
def stage(new_system):
    """``async with stage() as scene:`` an actor to interrupt; see tests/truth_table/_replies.py."""
    return partial(set_the_stage, new_system)
