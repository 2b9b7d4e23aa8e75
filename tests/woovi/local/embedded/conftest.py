from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.liveness import alive, eventually
from woovi.local.embedded.client import keeper_runs, wait_gone
from woovi.local.embedded.layout import Layout

# A user of the engines: becomes one on each line that it is sent, and leaves when its input ends.
USER = """
import sys
from woovi.local import embedded
for line in sys.stdin:
    embedded.ensure()
    print("ready", flush=True)
"""


class User:
    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.ask()

    def ask(self) -> None:
        """Let it call `ensure()`."""
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.process.stdin.write("ensure\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer == "ready\n", self.process.stderr.read()

    def leave(self) -> None:
        self.process.communicate(timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)


class Engines:
    """The engines of one data directory, seen from outside. Without `postgres`, only Valkey is embedded."""

    def __init__(self, data: Path, postgres: bool = False) -> None:
        self.layout = Layout.of(data)
        self.environment = {**os.environ, "WOOVI_DATA_DIR": str(data), "DATABASE_URL": "" if postgres else "set"}
        self.users: list[User] = []

    def user(self) -> User:
        self.users.append(User(self.environment))
        return self.users[-1]

    def keeper(self) -> int:
        return int(self.layout.keeper_lock.read_text().split()[0])

    def engine(self, name: str) -> int:
        return int(self.layout.engine_lock(name).read_text() or 0)

    def run(self) -> bool:
        return keeper_runs(self.layout)

    def close(self) -> None:
        for user in self.users:
            if user.process.poll() is None:
                user.kill()
        if self.run():
            os.kill(self.keeper(), signal.SIGTERM)
        assert wait_gone(self.layout)
        for name in ("postgres", "valkey"):
            if self.layout.engine_lock(name).exists():
                pid = self.engine(name)
                eventually(lambda pid=pid: not alive(pid))


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Engines]:
    """The embedded Valkey alone, because it starts in no time."""
    engines = Engines(tmp_path / "data")
    yield engines
    engines.close()


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Engines]:
    engines = Engines(tmp_path / "data", postgres=True)
    yield engines
    engines.close()
