"""Ways in which code is cut from outside: by something around it that is not ours.

Each is an async function ``layer(body, cut)``: it runs the body, tells the test how to cut it, and comes back when the body has
been cut in the way that this layer's users expect. It fails if the body ends otherwise.
"""

import asyncio

import anyio
import pytest

from tests.conftest import LOOPS
from tests.truth_table._replies import timeouts_work, turns


class Cut:
    """Between a layer and the test: call it to cut the body."""

    def __init__(self):
        self.by = None
        self.unwound = False  # the layer has come back, and all was as it should be
        self.count = None  # of native cancellations that the task of the body has seen, where the layer counts them

    def __call__(self):
        self.by()


async def scope(body, cut):
    with anyio.CancelScope() as around:
        cut.by = around.cancel
        await body()
    assert around.cancelled_caught
    cut.unwound = True


async def deadline(body, cut):
    with pytest.raises(TimeoutError), anyio.fail_after(60) as around:  # noqa: PT012 - the layer raises it
        cut.by = lambda: setattr(around, "deadline", anyio.current_time())
        await body()
    cut.unwound = True


async def task_group_abort(body, cut):
    await _abort(anyio.create_task_group(), lambda group: group.start_soon, body, cut)


async def native_cancel(body, cut):
    task = asyncio.create_task(body())
    cut.by = task.cancel
    await asyncio.wait([task])
    assert task.cancelled()
    cut.count = task.cancelling()
    cut.unwound = True


async def native_timeout(body, cut):
    with pytest.raises(TimeoutError):  # noqa: PT012 - the layer raises it
        async with asyncio.timeout(60) as around:
            cut.by = lambda: around.reschedule(asyncio.get_running_loop().time())
            await body()
    await timeouts_work()
    cut.unwound = True


async def native_task_group_abort(body, cut):
    await _abort(asyncio.TaskGroup(), lambda group: lambda function: group.create_task(function()), body, cut)
    await timeouts_work()


class AbortError(Exception):
    pass


async def _abort(group, starter, body, cut):
    """A sibling in the same task group fails."""
    failing = anyio.Event()

    async def sibling():
        await failing.wait()
        raise AbortError

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - the group raises it
        async with group:
            starter(group)(sibling)
            cut.by = failing.set
            await body()
    assert [type(error) for error in caught.value.exceptions] == [AbortError]
    cut.unwound = True


AT_ONCE = {scope, deadline, native_cancel}
"""These cut in the tick in which they are told to; the others need a turn of the event loop before they do."""

ON_ALL_LOOPS = (scope, deadline, task_group_abort)
ON_ASYNCIO = (native_cancel, native_timeout, native_task_group_abort)

every_layer = pytest.mark.parametrize(
    ("anyio_backend", "layer"),
    [
        pytest.param(*loop.values, layer, id=f"{layer.__name__}-{loop.id}")
        for loop in LOOPS
        for layer in (ON_ALL_LOOPS if loop.id == "trio" else ON_ALL_LOOPS + ON_ASYNCIO)
    ],
    indirect=["anyio_backend"],
)
"""All layers on all loops, the native ones on asyncio only."""

CUT_EARLIER = "the cut a turn before the interrupt"
CUT_FIRST = "both in one tick, the cut first"
INTERRUPT_FIRST = "both in one tick, the interrupt first"
WHILE_HANDLING = "the cut while the interrupt is handled"
every_order = pytest.mark.parametrize("order", [CUT_EARLIER, CUT_FIRST, INTERRUPT_FIRST, WHILE_HANDLING])


async def in_order(order, layer, *, cut, interrupt, handling):
    """Do both, in that order.

    Args:
        order: one of the four above.
        layer: what cuts.
        cut: have it do so.
        interrupt: interrupts without waiting.
        handling: an event: the interrupt is being handled.
    """
    if order == INTERRUPT_FIRST:
        interrupt()
    if order == WHILE_HANDLING:
        interrupt()
        await handling.wait()
    cut()
    if order == CUT_EARLIER:
        await turns(1 if layer in AT_ONCE else 4)
        interrupt()
    if order == CUT_FIRST:
        interrupt()
