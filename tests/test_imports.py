"""Imports point one way: from the top of the framework to its bottom."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parent.parent

# The modules of actors/, from bottom to top: each may import those above it in this list, and none below. A subpackage
# stands here under its own name, and its modules share its place. A new module goes below the last one it imports.
LAYERS = """
    _compat
    _waiter
    _errors
    _interruption
    _fatal
    _logging
    _event_loop
    _where
    _step
    _current
    _drive
    _note
    _events
    events
    _backoff
    _restart_budget
    _supervision
    _death_watch
    _mailbox
    _mailbox_policy
    _sentinel
    _thread_check
    _statistics
    _snapshot
    _alarm
    _background
    _runs
    _log_limit
    _dead_letters
    _timetable
    _from_thread
    _waiting
    _cancellation
    _memory_manager
    abc
    _registrar
    testing
    _chunk_reader
    _run
    _reply
    _left_queued
    _interrupt
    _stash
    _behaviour
    _managers
    _outcomes
    _protect
    _stream
    _commit
    _ending
    _nameless
    _overflow
    _sending
    _timers
    _incarnation
    _worker
    _executor
    _cell
    _watchdog
    _hanging
    _lifetime
    _context
    _asking
    _ref
    _topic
    _actor
    _making
    _restart
    _supervisor
    _spawn
    _crew
    _pool
    agents
    _system
    _signals
    debug
    __init__
    _command_line
    __main__
""".split()  # noqa: SIM905 - one below the other, without the quotes
STAND_IN = "actors.backends"  # stands in for ../backends in a checkout, and belongs to no layer
# The one module of the core that reaches the backends: inside a function, when the command line is told of a store.
DOOR = "actors._command_line._store"

# What may be imported when a module is, beside the standard library.
CORE_NEEDS = {"anyio", "attrs", "structlog", "typing_extensions"}
# What may be imported inside a function, because it may be missing.
OPTIONAL = {
    "a2a",
    "agno",
    "anthropic",
    "asyncpg",
    "mcp",
    "nats",
    "openai",
    "opentelemetry",
    "pydantic_ai",
    "redis",
    "trio",
    "uvloop",
}


@attrs.frozen
class Import:
    importer: str
    target: str  # a dotted name; for `from a import b` it is "a.b" where that is one of our modules, else "a"
    line: int
    inside_function: bool

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}: imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for package in ("actors", "backends") for path in (ROOT / package).rglob("*.py")}


class Imports(ast.NodeVisitor):
    """Collects what a module imports at run time."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.found: list[Import] = []
        self.functions = 0

    def visit_If(self, node: ast.If) -> None:
        test = ast.unparse(node.test)
        for child in [
            *(node.body if test not in {"TYPE_CHECKING", "typing.TYPE_CHECKING"} else []),
            *(node.orelse if test not in {"not TYPE_CHECKING", "not typing.TYPE_CHECKING"} else []),
        ]:
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self.functions += 1
        self.generic_visit(node)
        self.functions -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name is ast's
    visit_Lambda = visit_FunctionDef  # noqa: N815

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        origin = node.module or ""
        if node.level:
            package = self.module.split(".")
            is_package = FILES[self.module].name == "__init__.py"
            above = package[: len(package) - node.level + is_package]
            origin = ".".join([*above, *filter(None, [node.module])])
        for alias in node.names:
            submodule = f"{origin}.{alias.name}"
            self.add(submodule if submodule in FILES else origin, node)

    def add(self, target: str, node: ast.stmt) -> None:
        found = Import(self.module, target, node.lineno, inside_function=bool(self.functions))
        if found not in self.found:
            self.found.append(found)


def imports_of(module: str) -> list[Import]:
    visitor = Imports(module)
    visitor.visit(ast.parse(FILES[module].read_text(encoding="utf-8")))
    return visitor.found


IMPORTS = [found for module in FILES for found in imports_of(module)]


def layer(module: str) -> int:
    name = module.split(".")[1] if "." in module else "__init__"
    return LAYERS.index(name) if name in LAYERS else len(LAYERS)


def listing(imports: list[Import]) -> str:
    return "\n".join(map(str, imports))


def package(module: str) -> str:
    return module.partition(".")[0]


def test_each_module_of_the_core_stands_in_a_layer():
    known = {STAND_IN, *(f"actors.{name}" for name in LAYERS), "actors"}
    strangers = [name for name in FILES if package(name) == "actors" and ".".join(name.split(".")[:2]) not in known]
    assert not strangers, f"add {strangers} to LAYERS in tests/test_imports.py, just below the last thing they import"


def test_the_core_imports_downwards_only():
    inside = [
        found
        for found in IMPORTS
        if package(found.importer) == package(found.target) == "actors" and found.target != STAND_IN
    ]
    upwards = [found for found in inside if layer(found.target) > layer(found.importer)]
    assert not upwards, f"against the order of LAYERS in tests/test_imports.py:\n{listing(upwards)}"


def test_no_imports_go_in_a_circle():
    targets = {module: [found.target for found in IMPORTS if found.importer == module] for module in FILES}
    done: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            for target in targets[module]:
                if target in FILES:
                    walk(target, (*way, module))
            done.add(module)

    for module in FILES:
        walk(module, ())


def test_the_core_never_imports_the_backends_but_through_one_door():
    guilty = [
        found
        for found in IMPORTS
        if package(found.importer) == "actors"
        and (package(found.target) == "backends" or found.target.startswith(STAND_IN))
    ]
    assert [(found.importer, found.inside_function) for found in guilty] == [(DOOR, True)], listing(guilty)


def test_importing_the_core_loads_neither_backends_nor_anything_optional():
    names = sorted(name for name in FILES if package(name) == "actors" and name != STAND_IN and "__main__" not in name)
    program = f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert not loaded & {"backends", STAND_IN, *OPTIONAL}


@pytest.mark.parametrize("name", [STAND_IN, "backends"])
def test_the_door_to_the_backends_loads_no_backend(name):
    program = f"import sys, {name}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert name in loaded
    assert not loaded & OPTIONAL
    assert not [module for module in loaded if module.startswith(f"{name}.")]


def test_only_what_may_be_missing_is_imported_inside_a_function():
    hidden = [
        found
        for found in IMPORTS
        if found.inside_function and package(found.target) not in OPTIONAL and found.importer != DOOR
    ]
    assert not hidden, listing(hidden)


def test_nothing_optional_is_imported_with_its_module():
    allowed = {*sys.stdlib_module_names, *CORE_NEEDS, "actors", "backends"}
    eager = [found for found in IMPORTS if not found.inside_function and package(found.target) not in allowed]
    assert not eager, listing(eager)


def test_a_backend_names_its_package_only_relatively():
    """By name it would be found under one of its two names only, or be an application's own."""
    by_name = [
        line
        for module, path in FILES.items()
        if package(module) == "backends"
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(from|import) (actors\.)?backends\b", line)
    ]
    assert not by_name
