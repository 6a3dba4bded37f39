"""Every `async def test_...` runs on each of these event loops."""

import asyncio
import sys

import pytest
import uvloop


def eager_loop() -> asyncio.AbstractEventLoop:
    """A loop on which a task takes its first step inside `create_task`, before its creator goes on."""
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


LOOPS = [
    pytest.param(("asyncio", {}), id="asyncio"),
    pytest.param(("asyncio", {"loop_factory": uvloop.new_event_loop}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
]
if sys.version_info >= (3, 12):
    LOOPS.append(pytest.param(("asyncio", {"loop_factory": eager_loop}), id="eager"))


@pytest.fixture(params=LOOPS)
def anyio_backend(request):
    """What anyio's pytest plugin asks for: a backend and its options."""
    return request.param
