"""What the documents say is so: their programs run and print what stands below them, their links and names exist."""

from __future__ import annotations

import ast
import importlib
import re
from functools import partial
from typing import TYPE_CHECKING

import anyio
import attrs
import pytest

from tests.examples._scripts import EXAMPLES, ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PUBLIC_MODULES = [
    "actors",
    "actors.agents",
    "actors.abc",
    "actors.backends",
    "actors.debug",
    "actors.events",
    "actors.testing",
]


@attrs.frozen
class Block:
    """A block of Python, and the block of output that follows it at once, if one does."""

    path: Path
    line: int
    code: str
    output: str | None

    @property
    def place(self) -> str:
        return f"{self.path.name}-{self.line}"

    @property
    def is_program(self) -> bool:
        return "anyio.run(" in self.code


def blocks_in(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    pattern = r"^```python\n(.*?)^```$(?:\n+(?:It prints:\n+)?^```text\n(.*?)^```$)?"
    found = re.finditer(pattern, text, re.MULTILINE | re.DOTALL)
    return [Block(path, text[: each.start()].count("\n") + 1, each[1], each[2]) for each in found]


BLOCKS = [block for path in DOCUMENTS for block in blocks_in(path)]
PROGRAMS = [pytest.param(block, id=block.place) for block in BLOCKS if block.is_program]
FRAGMENTS = [pytest.param(block, id=block.place) for block in BLOCKS if not block.is_program]


def alike(output: str) -> list[str]:
    """What does not change from run to run."""
    return [re.sub(r"[\d.]+ ms", "some ms", line.rstrip()) for line in output.splitlines()]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("block", PROGRAMS)
def test_a_program_in_the_documents_prints_what_stands_below_it(
    block: Block, backend: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(anyio, "run", partial(anyio.run, backend=backend))
    exec(compile(block.code, block.place, "exec"), {"__name__": "__main__"})  # noqa: S102 - our own documents
    assert block.output is not None, "there is no output below it"
    assert alike(capsys.readouterr().out) == alike(block.output)


@pytest.mark.parametrize("block", FRAGMENTS)
def test_a_fragment_in_the_documents_is_python(block: Block) -> None:
    compile(block.code, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_documents_have_programs() -> None:
    assert len(PROGRAMS) >= 8


def test_the_readme_has_the_quickstart_as_it_is() -> None:
    quickstart = (EXAMPLES / "quickstart.py").read_text(encoding="utf-8")
    assert [block for block in BLOCKS if block.path.name == "README.md" and block.code == quickstart]


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_the_documents_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        destination = path.parent / file if file else path
        assert destination.exists(), target
        if anchor:
            assert anchor in anchors(destination.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_the_reference_lists_every_public_name_and_no_other(module: str) -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    section = text.partition(f"## `{module}`\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \| \S", section, re.MULTILINE)
    assert listed == sorted(importlib.import_module(module).__all__)


def test_the_reference_knows_every_public_module() -> None:
    """Those whose names have no underscore; another test says which there are."""
    folder = ROOT / "actors"
    files = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    names = {f"actors.{name}" for name in files if not name.startswith("_")}
    assert {"actors"} | names == set(PUBLIC_MODULES)


def test_the_design_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|actors|backends|examples|tools)/[\w/.]+)`", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_each_promise_says_where_it_is_tested() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = text.partition("## The promises\n")[2].partition("\n## ")[0]
    promises = re.split(r"^(?=\d+\. )", section, flags=re.MULTILINE)[1:]
    assert [promise.partition(".")[0] for promise in promises] == [str(number) for number in range(1, 21)]
    assert [promise for promise in promises if "`tests/" not in promise] == []
