"""Each guard of tests/_leaks.py is seen to fail: a test that leaks is run by a pytest of its own, with our conftest.py."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from actors import ActorSystem
from tests._leaks import left_in
from tests._support import Doer, Hang

ROOT = Path(__file__).parent.parent

LEAKY = """
import asyncio
import anyio, pytest, trio
from actors import Actor
from tests.conftest import anyio_backend

class Echo(Actor):
    async def reply(self, message, /):
        return message

def on_asyncio(anyio_backend):
    if anyio_backend[0] != "asyncio":
        pytest.skip("asyncio only")

kept = []

async def test_clean(system):
    echo = await system.spawn(Echo())
    assert await echo.ask(1) == 1

async def test_task(anyio_backend):
    if anyio_backend[0] == "trio":
        trio.lowlevel.spawn_system_task(trio.sleep_forever)
    else:
        kept.append(asyncio.create_task(asyncio.Event().wait()))

async def test_timer(anyio_backend):
    on_asyncio(anyio_backend)
    asyncio.get_running_loop().call_later(1000, print)

async def test_cancelling(anyio_backend):
    on_asyncio(anyio_backend)
    asyncio.current_task().cancel()
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        pass

async def test_future(anyio_backend):
    on_asyncio(anyio_backend)
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ZeroDivisionError())

async def test_coroutine():
    asyncio.sleep(0)

async def test_unraisable():
    class Bad:
        def __del__(self):
            raise ZeroDivisionError
    Bad()

async def test_run(new_system):
    async with new_system() as system:
        system.runs._by_id["x"] = None

async def test_actor(system):
    echo = Echo()
    kept.append(echo)
    await system.spawn(echo)

async def test_actor_of_a_factory(system):
    def make():
        kept.append(Echo())
        return kept[-1]
    await system.spawn(make)

@pytest.mark.may_leave("actors", reason="that is what this one is about")
async def test_allowed(system):
    echo = Echo()
    kept.append(echo)
    await system.spawn(echo)
"""

FAILS = {  # a test of LEAKY: what the guard says, and on which loops it can
    "test_task": ("tasks:", {"asyncio", "uvloop", "trio"}),
    "test_timer": ("timers:", {"asyncio"}),
    "test_cancelling": ("cancelling:", {"asyncio", "uvloop"}),
    "test_future": ("errors: Future exception was never retrieved", {"asyncio", "uvloop"}),
    "test_coroutine": ("was never awaited", {"asyncio", "uvloop", "trio"}),
    "test_unraisable": ("errors: unraisable: ZeroDivisionError", {"asyncio", "uvloop", "trio"}),
    "test_run": ("is still live", {"asyncio", "uvloop", "trio"}),
    "test_actor": ("actors: a Echo is held by: list", {"asyncio", "uvloop", "trio"}),
    "test_actor_of_a_factory": ("actors: a Echo is held by: list", {"asyncio", "uvloop", "trio"}),
    "test_clean": ("", set()),
    "test_allowed": ("", set()),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[tuple[str, str], str]:
    """What a run of LEAKY said for each of its tests, by name and loop; empty for one that passed."""
    folder = tmp_path_factory.mktemp("leaky")
    (folder / "test_leaky.py").write_text(LEAKY, encoding="utf-8")
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", ROOT / "pyproject.toml"]
    command += ["--rootdir", ROOT, "--junit-xml", report, "-p", "no:cacheprovider", folder / "test_leaky.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert report.exists(), done.stdout + done.stderr
    said: dict[tuple[str, str], str] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own file
        name, loop = case.get("name", "").rstrip("]").split("[")
        found = [(part.text or "") for part in case if part.tag in ("failure", "error")]
        said[name, loop] = said.get((name, loop), "") + "".join(found)
    return said


@pytest.mark.parametrize("name", FAILS)
def test_a_leak_fails_its_test_and_nothing_else_does(verdicts, name):
    words, loops = FAILS[name]
    seen = {loop for (test, loop), verdict in verdicts.items() if test == name and verdict}
    assert seen - {"eager"} == loops
    for (test, loop), verdict in verdicts.items():
        if test == name and loop in loops:
            assert words in verdict


async def test_a_system_that_is_open_has_left_something():
    """Not in LEAKY: the event loop's own end would wait for it."""
    async with ActorSystem("unclosed") as system:
        doer = await system.spawn(Doer(), name="doer")
        run = await doer.request(Hang(), run_id="a run")
        assert [what.split(" ")[0] for what in left_in(system)] == ["the", "<Run", "unclosed/doer"]
        await run.interrupt()
    assert list(left_in(system)) == []
