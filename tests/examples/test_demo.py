"""`make demo`: it happens as told, and it would say so if it did not."""

from __future__ import annotations

import re
import subprocess
import sys

import anyio
import pytest

from examples.stage import NotAsToldError, Stage
from tests.examples._scripts import EXAMPLES, environment, run_example

TOLD = [
    r"1\. A reply is interrupted in the middle of a sentence",
    r"✓ the receipt: interrupted, after [\d.]+ ms",
    r"✓ the model server says: stream story-1 cut by the client after 4\d chunks",
    r"✓ `await run` gives a reply all the same: “… .* they wanted to hear\s+what”",
    r"✓ its metadata say what happened: {'_is_interrupted': True, 'reason': 'that is enough', 'by':\s+'you'}",
    r"2\. What had been said is kept",
    r"You stopped me at “wanted to hear what”",
    r"✓ the model server says: stream story-2 started: 3 message\(s\)",
    r"3\. Two agents talk, and one interrupt stops the whole tree",
    r"✓ the host's run: interrupted",
    r"✓   (ada-2|ben-3): interrupted, after “",
    r"✓   (ada-2|ben-3): interrupted, after “",
    r"✓ the model server says: stream story-[56] cut",
    r"✓ the model server says: stream story-[56] cut",
    r"made: “The show about a clock was stopped by\s+you: time is up\.”",
    r"4\. Another process interrupts a run, through a JSON file",
    r"✓ process \d+ called cancel_run at [\d.]+ \(seconds since 1970\): it was registered",
    r"✓ \d+ ms later the reply was over, in process \d+",
    r"✓ it knows why, and on whose word: last orders, landlord",
    r"5\. A timeout around an ask stays a timeout",
    r"✓ whoever asked got a TimeoutError, and not half a reply",
    r"✓ the model server says: stream story-8 cut",
    r"✓ AskTimeout: .*system/teller.*0\.5 s",
    r"6\. An interrupt belongs to one run",
    r"The receipt: idle",
    r"which is over: finished",
    r"✓ the next reply was not touched by it",
    r"All of it happened as told, in \d+ s\.",
]


def test_the_demo_happens_as_told() -> None:
    done = run_example("demo.py", "--delay", "0.02")
    assert done.returncode == 0, done.stderr
    rest = done.stdout
    for line in TOLD:
        found = re.search(line, rest)
        assert found, f"{line!r} is missing in\n{rest}"
        rest = rest[found.end() :]
    assert done.stderr == ""


def test_the_demo_runs_with_a_model_of_the_users_own() -> None:
    server = [sys.executable, str(EXAMPLES / "model_server.py"), "--port", "0", "--delay", "0.01"]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()) as model:
        assert model.stdin is not None
        assert model.stdout is not None
        url = model.stdout.readline().strip().removeprefix("listening on ")
        done = run_example("demo.py", OPENAI_BASE_URL=url)
        model.stdin.close()
    assert done.returncode == 0, done.stderr or done.stdout
    assert url in done.stdout
    assert "(The model is your own." in done.stdout
    assert "All of it happened as told" in done.stdout


def test_what_did_not_happen_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage(has_server=True)
    with pytest.raises(NotAsToldError, match="the moon is green"):
        stage.proves(truth=False, text="the moon is green")
    assert capsys.readouterr().out == ""


async def test_a_line_that_the_server_does_not_say_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.stage.PATIENCE", 0.01)
    stage = Stage(has_server=True)
    stage.hear_server("stream story-1 completed")
    with pytest.raises(NotAsToldError, match="cut by the client"):
        await stage.server_says("cut by the client")


async def test_a_line_that_the_server_says_later_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage(has_server=True)
    async with anyio.create_task_group() as group:
        group.start_soon(stage.server_says, "cut")
        await anyio.lowlevel.checkpoint()
        stage.hear_server("stream story-1 started")
        await anyio.lowlevel.checkpoint()
        stage.hear_server("stream story-1 cut")
    assert capsys.readouterr().out == "   ✓ the model server says: stream story-1 cut\n"
