"""Find the running system of a data directory, or run one while it is needed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 180.0
STOP_SECONDS = 20.0
ROOT = Path(__file__).resolve().parents[2]


class DidNotStartError(Exception):
    """`manage.py up` ended, or did not answer in time; the message names its log."""


@dataclass(frozen=True)
class System:
    """What `run.json` says: `web`, `bank` and the others are URLs, `pids` are those of the processes."""

    data: Path
    facts: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    def pids(self) -> dict[str, int]:
        """The processes as they are now: one that died has been replaced by another."""
        return dict(json.loads((self.data / "run.json").read_text())["pids"])

    def manage(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` on this system's data."""
        command = [sys.executable, "manage.py", *arguments]
        everything = {**os.environ, "WOOVI_DATA_DIR": str(self.data), **env}
        return subprocess.run(command, cwd=ROOT, env=everything, capture_output=True, text=True, check=False)


def find(data: Path) -> System | None:
    """The system that runs on `data`, if one does."""
    try:
        facts = json.loads((data / "run.json").read_text())
        os.kill(facts["pids"]["up"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return System(data, facts)


@contextlib.contextmanager
def started(data: Path, **env: str) -> Iterator[System]:
    """Run `manage.py up` on `data` with these variables, and stop it afterwards.

    Raises:
        DidNotStartError: it ended or did not answer within START_SECONDS.
    """
    data.mkdir(parents=True, exist_ok=True)
    log = data / "up.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env={**os.environ, "WOOVI_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1", **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield _wait(process, data, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], data: Path, log: Path) -> System:
    deadline = time.monotonic() + START_SECONDS
    while not (system := find(data)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise DidNotStartError(f"the system did not start: see {log}\n{log.read_text()[-2000:]}")
        time.sleep(0.1)
    return system
