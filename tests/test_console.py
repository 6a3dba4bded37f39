"""What an agent writes on standard output."""

from __future__ import annotations

import io
import os
import sys

import pytest

from actors import Msg
from actors.agents._console import DISABLED, Console, wanted


def shown(*pieces: Msg) -> None:
    console = Console()
    for piece in pieces:
        console.show(piece)
    console.end_line()


def test_pieces_of_one_message_go_on_in_one_line_and_another_begins_a_new_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = Msg("anna", "one ", "assistant"), Msg("ben", "three", "assistant")
    shown(first, first, second, first)
    assert capsys.readouterr().out == "anna: one one \nben: three\nanna: one \n"


def test_thinking_and_tools_and_media_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    message = Msg(
        "anna",
        [
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "look"},
            {"type": "tool_use", "id": "1", "name": "search", "input": {"what": object()}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 1000}},
            {"type": "text", "text": "a cat"},
        ],
        "assistant",
    )
    shown(message)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["anna(thinking): hm", "anna: look", "anna: {"]
    assert '    "name": "search",' in lines
    assert lines[-2:] == ["anna: [image]", "anna: a cat"]


@pytest.mark.parametrize("value", ["1", "true", "TRUE ", "yes", "on"])
def test_the_environment_switches_the_console_off_unless_the_agent_says_otherwise(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DISABLED, raising=False)
    assert wanted(None)
    monkeypatch.setenv(DISABLED, value)
    assert not wanted(None)
    assert wanted(choice=True)
    monkeypatch.setenv(DISABLED, "0")
    assert wanted(None)
    assert not wanted(choice=False)


def test_a_console_that_nobody_reads_is_given_up_and_fails_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", buffering=1) as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        shown(Msg("anna", "one\n", "assistant"), Msg("anna", "two\n", "assistant"))
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            pipe.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)
    assert [record.message.split()[0] for record in caplog.records] == ["console.given_up"]


def test_a_console_that_knows_no_umlauts_gets_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    shown(Msg("anna", "schön", "assistant"))
    assert narrow.buffer.getvalue() == b"anna: sch\\xf6n\n"  # type: ignore[attr-defined]


def test_a_process_without_a_console_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    shown(Msg("anna", "one", "assistant"))
