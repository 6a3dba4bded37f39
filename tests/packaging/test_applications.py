"""The wheel and an editable install, each inside an application that has a `backends/` of its own.

Both go into an environment of their own. Their dependencies come from the environment of the tests, so that nothing is
fetched; `.ci/run` does the same with real installs.
"""

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.packaging.application import WAYS, run_alone, run_application, write_application

ROOT = Path(__file__).parent.parent.parent


def run(*command, cwd=ROOT):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def build(target, folder, root=ROOT):
    run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder, cwd=root)
    (built,) = folder.iterdir()
    return built


def python_with(project, folder):
    """Make an environment with `project` in it, which sees the dependencies of this one but not its bargein."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # A .pth file puts a folder on sys.path without looking at the .pth files in it, and ours is one of those.
    Path(purelib, "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    quiet = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "--python", python, "install", "--ignore-installed", *quiet, *project)
    return python


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def python_with_wheel(wheel, tmp_path_factory):
    return python_with([wheel], tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="session")
def python_with_checkout(tmp_path_factory):
    return python_with(["--editable", ROOT], tmp_path_factory.mktemp("environment"))


@pytest.fixture(params=["wheel", "checkout"])
def python(request):
    return request.getfixturevalue(f"python_with_{request.param}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("regular", [True, False], ids=["regular", "namespace"])
def test_an_application_and_bargein_each_find_their_own_backends(python, tmp_path, regular, way):
    write_application(tmp_path, regular=regular)
    for order in ("ours first", "theirs first"):
        run_application(python, tmp_path, way, order)


def test_an_installed_bargein_has_one_top_level_package(python, tmp_path):
    run_alone(python, tmp_path)


def test_a_wheel_and_a_checkout_differ_in_where_the_backends_are(python_with_wheel, python_with_checkout, tmp_path):
    assert run_alone(python_with_wheel, tmp_path).endswith("site-packages/actors/backends/__init__.py")
    assert run_alone(python_with_checkout, tmp_path) == str(ROOT / "backends" / "__init__.py")


def sources(*packages):
    return {
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_both_folders_as_one_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    packaged = {name for name in names if ".dist-info/" not in name}
    assert packaged == sources("actors") - {"actors/backends.py"} | {f"actors/{name}" for name in sources("backends")}
    assert {"actors/py.typed", "actors/backends/__init__.py", "actors/backends/_file.py"} <= packaged


def test_the_wheel_says_what_it_is(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_string(archive.read(name).decode())
    assert (metadata["Name"], metadata["License-Expression"]) == ("bargein", "Apache-2.0")
    assert metadata["License-File"] == "LICENSE"
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    core = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert sorted(line.split(">=")[0] for line in core) == ["anyio", "attrs", "structlog", "typing-extensions"]


def test_a_wheel_built_from_the_sdist_is_the_same(wheel, tmp_path):
    sdist = build("sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = build("wheel", tmp_path / "wheel", root=unpacked)
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


PROGRAM = """
from actors.backends import FileCancellationManager

reveal_type(FileCancellationManager)
from actors.backends import Nonsense
"""


@pytest.mark.parametrize("where", ["wheel", "checkout"])
def test_a_type_checker_knows_the_backends(where, python_with_wheel, tmp_path):
    write_application(tmp_path, regular=True)
    folder = tmp_path / "app" if where == "wheel" else tmp_path  # a checkout is checked by itself, see `make types`
    python = python_with_wheel if where == "wheel" else sys.executable
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    options = ["--strict", "--config-file", "", "--cache-dir", tmp_path / "cache", "--python-executable", python]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *map(str, options), str(folder / "program.py")],
        cwd=folder if where == "wheel" else ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if "program.py:" in line]
    assert len(found) == 2, done.stdout
    package = "actors.backends" if where == "wheel" else "backends"
    assert f"{package}._file.FileCancellationManager" in found[0], done.stdout
    assert 'has no attribute "Nonsense"' in found[1], done.stdout
