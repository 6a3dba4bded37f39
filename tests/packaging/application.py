"""An application that has a `backends` of its own, and a try whether it and bargein leave each other alone."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

MAIN = """
import sys

if sys.argv[1] == "ours first":
    from actors.backends import FileCancellationManager
    import backends.store
else:
    import backends.store
    from actors.backends import FileCancellationManager
import backends as again
from backends.store import OWNER

import actors
import actors.backends

assert OWNER == "the application", OWNER
assert list(again.__path__) == [sys.argv[2]], again.__path__
assert not hasattr(again, "FileCancellationManager")
assert FileCancellationManager.__module__.startswith("actors.backends."), FileCancellationManager.__module__
assert actors.__file__, "a folder with nothing but the backends"
assert actors.backends is sys.modules["actors.backends"]
assert actors.backends.FileCancellationManager is FileCancellationManager
assert "FileCancellationManager" in dir(actors.backends)
print(actors.backends.__file__)
"""

ALONE = """
from importlib.util import find_spec

from actors.backends import FileCancellationManager

for name in ("backends", "benchmarks", "docs", "examples", "tests", "tools"):
    assert find_spec(name) is None, f"bargein brings a top-level {name}"
import actors.backends

print(actors.backends.__file__)
"""

WAYS = {
    "as a script": ["app/main.py"],  # sys.path[0] is the application's folder
    "as a module": ["-m", "main"],  # the working folder is, by way of sys.path[0] == cwd
    "from its folder": ["-c", "import runpy; runpy.run_module('main')"],  # sys.path[0] is '', the working folder
}


def write_application(folder: Path, *, regular: bool) -> None:
    """Write it into `folder`; its `backends` is a package with an ``__init__.py`` (`regular`), or without."""
    backends = folder / "app" / "backends"
    backends.mkdir(parents=True)
    if regular:
        (backends / "__init__.py").touch()
    (backends / "store.py").write_text('OWNER = "the application"\n', encoding="utf-8")
    (folder / "app" / "main.py").write_text(MAIN, encoding="utf-8")


def run_application(python: Path, folder: Path, way: str, order: str) -> str:
    """Run it and return where it found our backends."""
    app = folder / "app"
    return _run(python, [*WAYS[way], order, str(app / "backends")], folder if way == "as a script" else app)


def run_alone(python: Path, folder: Path) -> str:
    """Run a program that has no `backends` of its own, and return where it found ours."""
    return _run(python, ["-c", ALONE], folder)


def _run(python: Path, arguments: list[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{python} {arguments} in {folder}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def main() -> None:
    """Try every application with the Python of an environment into which bargein was installed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("python", type=Path)
    parser.add_argument("folder", type=Path, help="an empty folder to write them to")
    arguments = parser.parse_args()
    found = {run_alone(arguments.python, arguments.folder)}
    for regular in (True, False):
        folder = arguments.folder / ("regular" if regular else "namespace")
        write_application(folder, regular=regular)
        for way in WAYS:
            for order in ("ours first", "theirs first"):
                found.add(run_application(arguments.python, folder, way, order))
    print(f"{2 * len(WAYS) * 2 + 1} programs found our backends at", *found)
    sys.exit(len(found) != 1)


if __name__ == "__main__":
    main()
