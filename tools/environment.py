"""Set up a virtual environment for the Makefile: ``python tools/environment.py --venv .venv GROUP...``.

The project goes in editable, its dependencies and the named dependency groups of pyproject.toml at the versions of
constraints.txt. It takes nothing but Python: uv is fetched into the environment and used when it can be had, pip
otherwise; virtualenv steps in where the venv module is missing or broken.

What has been installed is stamped, so that a second run does nothing. An environment in which a set-up was cut off is
made anew.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import tomllib
except ImportError:
    sys.exit(f"bargein needs Python 3.11 or newer, and this is {sys.version.split()[0]}: make PYTHON=python3.12 ...")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
EDITABLE = "build"  # the group that an editable install of the project needs
SERVERS = "servers"  # the group of packages that are only unpacked, for the programs in them


def main() -> None:
    """Bring the environment up to what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="the folder of the environment (.venv)")
    parser.add_argument("--bare", action="store_true", help="only make the environment, install nothing")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="a dependency group of pyproject.toml")
    arguments = parser.parse_args()
    os.environ.setdefault("UV_SYSTEM_CERTS", "1")  # uv trusts whom the machine trusts, as pip does
    environment = Environment(arguments.venv.absolute())
    try:
        with one_at_a_time():
            if arguments.bare:
                environment.make()
            else:
                environment.provide(arguments.groups)
    except KeyboardInterrupt:
        sys.exit(130)


class Environment:
    """A virtual environment and the stamps in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.servers = folder / "servers"
        self.stamps = folder / ".bargein"
        self.unfinished = self.stamps / "unfinished"

    def provide(self, groups: list[str]) -> None:
        """Install the project and these groups, as far as they are not there yet."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        self._provide(project, [EDITABLE, *(group for group in groups if group != SERVERS)])
        if SERVERS in groups:
            self._fetch_servers(requirements(project, SERVERS))

    def _provide(self, project: dict[str, Any], groups: list[str]) -> None:
        wanted = {group: requirements(project, group) for group in groups}
        stamps = {group: fingerprint(project, wanted[group]) for group in wanted}
        if self.python.exists() and not self.unfinished.exists() and not self._stale(stamps):
            return
        self.make()
        stale = self._stale(stamps)
        self.unfinished.touch()
        needed = {name for group in stale for name in wanted[group]}
        say(f"installing bargein with the dependency groups {', '.join(stale)}")
        self._install({*project["project"]["dependencies"], *needed})
        for group in stale:
            (self.stamps / group).write_text(stamps[group], encoding="utf-8")
        self.unfinished.unlink()

    def _fetch_servers(self, wanted: list[str]) -> None:
        """Unpack the programs of these packages, away from where Python looks for modules: nothing here imports them.

        Their wheels may ask for another Python than this one, which is nothing to a program. Where one cannot be had, the
        tests that need it say so.
        """
        stamp, text = self.stamps / SERVERS, "\n".join(wanted)
        if self.servers.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == text:
            return
        say(f"fetching the servers for the tests: {', '.join(wanted)}")
        stamp.unlink(missing_ok=True)
        shutil.rmtree(self.servers, ignore_errors=True)
        only_unpack = ["--no-deps", "--only-binary", ":all:", "--python-version", "3.12", "--target", self.servers]
        for installer in self._installers():
            # pip would look at its own Python's version once more, after it has chosen for the one named
            lenient = [] if "uv" in installer else ["--ignore-requires-python"]
            done = run(*installer, *only_unpack, *lenient, *wanted)
            if done.returncode == 0:
                stamp.write_text(text, encoding="utf-8")
                return
            say(f"{installer[2]} could not fetch them:\n{done.stdout}{done.stderr}")
            shutil.rmtree(self.servers, ignore_errors=True)

    def make(self) -> None:
        """Make the environment, unless there is a sound one."""
        fault = "is left over from a set-up that was cut off" if self.unfinished.exists() else self._fault()
        if fault is not None:
            if self.folder.exists() and any(self.folder.iterdir()):
                if not self.stamps.exists():
                    sys.exit(f"{self.folder} was not made here and {fault}; remove it, or name another: VENV=...")
                say(f"{self.folder} {fault}: making it anew")
            failures = []
            for maker in (by_venv, by_virtualenv, by_uv):
                self._clear()
                failures.append(f"{maker.__name__}: {maker(self.folder) or self._fault()}")
                if self._fault() is None:
                    break
            else:
                sys.exit("\n".join([f"cannot make {self.folder}; python3-venv or virtualenv would help", *failures]))
            self.unfinished.unlink()
        self.stamps.mkdir(exist_ok=True)

    def _stale(self, stamps: dict[str, str]) -> list[str]:
        paths = {group: self.stamps / group for group in stamps}
        return [group for group, path in paths.items() if not path.exists() or path.read_text("utf-8") != stamps[group]]

    def _fault(self) -> str | None:
        """Say what is wrong with the environment."""
        with contextlib.suppress(OSError):
            found = run(self.python, "-c", "import sys, pip; print(sys.version_info[:2])")
            if found.returncode == 0:
                return None if found.stdout == f"{sys.version_info[:2]}\n" else "is for another version of Python"
        return "has no Python with pip that runs"

    def _clear(self) -> None:
        """Empty the folder in such an order that it is known as unfinished whenever this is cut off."""
        self.stamps.mkdir(parents=True, exist_ok=True)
        self.unfinished.touch()
        for path in [*self.folder.iterdir(), *self.stamps.iterdir()]:
            if path in {self.stamps, self.unfinished}:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _installers(self) -> list[list[object]]:
        """What can install packages here, the quickest first."""
        pip: list[object] = [self.python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        uv: list[object] = [self.python, "-m", "uv", "pip", "install", "--quiet", "--python", self.python]
        there = run(*uv[:3], "--version").returncode == 0 or run(*pip, *pins(), "uv").returncode == 0
        return [uv, pip] if there else [pip]

    def _install(self, names: set[str]) -> None:
        for installer in self._installers():
            done = run(*installer, *pins(), *sorted(names))
            if done.returncode == 0:
                # The build tools are in the environment now, pinned like the rest: no isolated build fetches others.
                done = run(*installer, "--no-deps", "--no-build-isolation", "--editable", ROOT)
            if done.returncode == 0:
                return
            say(f"{installer[2]} could not install it:\n{done.stdout}{done.stderr}")
        sys.exit("set-up failed (if constraints.txt is behind pyproject.toml, `make lock` renews it)")


def by_venv(folder: Path) -> str:
    """Make an environment with the standard library; return what went wrong."""
    return complaint(run(sys.executable, "-m", "venv", folder))


def by_virtualenv(folder: Path) -> str:
    """Make one with virtualenv: the installed one, else one fetched by pip for this once."""
    command = shutil.which("virtualenv")
    if run(sys.executable, "-m", "virtualenv", "--version").returncode == 0:
        return complaint(run(sys.executable, "-m", "virtualenv", folder))
    if command is not None:
        return complaint(run(command, "--python", sys.executable, folder))
    with tempfile.TemporaryDirectory() as fetched:
        done = run(sys.executable, "-m", "pip", "install", "--quiet", "--target", fetched, *pins(), "virtualenv")
        if done.returncode != 0:
            return complaint(done)
        return complaint(run(sys.executable, "-m", "virtualenv", folder, env={**os.environ, "PYTHONPATH": fetched}))


def by_uv(folder: Path) -> str:
    """Make one with a uv that is installed."""
    command = shutil.which("uv")
    if command is None:
        return "not installed"
    return complaint(run(command, "venv", "--seed", "--allow-existing", "--python", sys.executable, folder))


def pins() -> list[object]:
    """Return the options that hold an installer to constraints.txt."""
    return ["--constraint", CONSTRAINTS] if CONSTRAINTS.exists() else []


def requirements(project: dict[str, Any], group: str) -> list[str]:
    """Return what a dependency group asks for, included groups too."""
    if group not in project["dependency-groups"]:
        sys.exit(f"pyproject.toml has no dependency group {group!r}")
    names: list[str] = []
    for entry in project["dependency-groups"][group]:
        names += [entry] if isinstance(entry, str) else requirements(project, entry["include-group"])
    return names


def fingerprint(project: dict[str, Any], names: list[str]) -> str:
    """Return a text that changes when what is installed would change."""
    metadata = {key: value for key, value in project["project"].items() if key not in {"classifiers", "keywords"}}
    packaging = [project["build-system"], project.get("tool", {}).get("hatch")]
    pins = CONSTRAINTS.read_text(encoding="utf-8") if CONSTRAINTS.exists() else ""
    everything = json.dumps([names, metadata, packaging, pins, sys.version_info[:2], str(ROOT)], sort_keys=True)
    return hashlib.sha256(everything.encode()).hexdigest()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep two set-ups, as of a ``make -j``, out of each other's way."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def run(*command: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, quietly."""
    return subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, env=env)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command that failed had to say."""
    return (done.stderr or done.stdout or f"exit code {done.returncode}").strip() if done.returncode else ""


def say(text: str) -> None:
    """Tell whoever ran make."""
    print(f"set-up: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
