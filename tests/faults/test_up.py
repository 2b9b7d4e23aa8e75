"""`manage.py up`: it starts, says where things are, starts what dies again, and leaves nothing behind."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.liveness import alive, eventually, using
from woovi.local.embedded.layout import Layout

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "manage.py", "up"]


class Platform:
    """A running `up` of its own data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.mark = data / "run.json"
        self.output = data.parent / "output"
        inherited = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
        self.environment = {**inherited, "WOOVI_ENV": "development", "WOOVI_DATA_DIR": str(data), "PORT": "0"}

    def start(self, command: list[str] = COMMAND, **environment: str) -> None:
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        eventually(self._up, 90)

    def _up(self) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        return self.mark.exists()

    @property
    def run(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.mark.read_text())
        return answer

    def healthy(self) -> bool:
        try:
            return bool(httpx.get(f"{self.run['web']}/healthz", timeout=5).json()["status"] == "ok")
        except httpx.TransportError:
            return False

    def gone(self) -> bool:
        return not using(self.data)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        eventually(self.gone)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One data directory for all of these tests, which run in their order: each start after the first is a quick one."""
    up = Platform(tmp_path_factory.mktemp("up") / "data")
    up.start()
    yield up
    up.close()


def test_it_says_where_everything_is_and_everything_is_there(platform: Platform) -> None:
    run = platform.run
    assert set(run) == {"web", "admin", "bank", "docs", "app_id", "merchant", "operator", "pids"}
    workers = {"worker", "bank-worker", "pix-worker", "batch-worker"}
    assert set(run["pids"]) == workers | {"up", "web", "relay", "bank"}
    assert all(map(alive, run["pids"].values()))
    assert set(run["merchant"]) == set(run["operator"]) == {"user", "password"}
    assert platform.mark.stat().st_mode & 0o777 == 0o600
    assert platform.healthy()
    for url in (run["web"], run["admin"], run["docs"], run["bank"]):
        assert httpx.get(url, follow_redirects=True).status_code == 200


def test_the_printed_command_creates_a_charge(platform: Platform) -> None:
    block = platform.output.read_text()
    command = shlex.split(block[block.index("curl") : block.index("Ctrl-C")].replace("\\\n", ""))
    assert command[0] == "curl"
    headers = dict(word.split(": ", 1) for flag, word in itertools.pairwise(command) if flag == "-H")
    answer = httpx.post(command[1], headers=headers, content=command[-1], timeout=30)
    assert answer.status_code == 200
    assert answer.json()["charge"]["value"] == 1000


def test_a_bank_that_is_started_again_kept_its_port(platform: Platform) -> None:
    """Whoever asks meanwhile waits for it: nobody else can listen there, or answer in its place."""
    os.kill(platform.run["pids"]["bank"], signal.SIGKILL)
    assert httpx.get(f"{platform.run['bank']}/sim/faults", timeout=60).status_code == 200


def test_a_second_one_is_refused(platform: Platform) -> None:
    second = subprocess.run(
        COMMAND, cwd=ROOT, env=platform.environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert second.returncode == 1
    assert second.stderr == (
        f"CommandError: it runs already for {platform.data} (process {platform.run['pids']['up']})\n"
    )


@pytest.mark.parametrize("name", ["web", "worker", "bank-worker", "pix-worker", "batch-worker", "relay", "bank"])
def test_a_killed_process_comes_back(platform: Platform, name: str) -> None:
    old = platform.run["pids"][name]
    os.kill(old, signal.SIGKILL)
    eventually(lambda: platform.run["pids"].get(name, old) != old)
    assert alive(platform.run["pids"][name])
    assert f"{name:<12} | was ended by SIGKILL" in platform.output.read_text()
    eventually(platform.healthy)


def test_a_killed_keeper_of_the_engines_comes_back(platform: Platform) -> None:
    keeper_lock = Layout.of(platform.data).keeper_lock
    old = keeper_lock.read_text()
    os.kill(int(old.split()[0]), signal.SIGKILL)
    eventually(lambda: keeper_lock.read_text() not in {"", old})
    eventually(platform.healthy, 40)


def test_ctrl_c_ends_everything(platform: Platform) -> None:
    platform.process.send_signal(signal.SIGINT)
    assert platform.process.wait(60) == 0  # three seconds, and what a busy machine adds
    assert not platform.mark.exists()
    eventually(platform.gone)


def test_killed_with_9_it_leaves_no_orphan(platform: Platform) -> None:
    platform.start()
    platform.process.kill()
    platform.process.wait()
    eventually(lambda: not platform.mark.exists())
    eventually(platform.gone)


def test_it_goes_with_the_make_that_started_it(platform: Platform) -> None:
    platform.start(["sh", "-c", f"{shlex.join(COMMAND)}; true"], MAKELEVEL="1")
    platform.process.kill()
    platform.process.wait()
    eventually(platform.gone)
    assert not platform.mark.exists()
