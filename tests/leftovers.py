"""Ends what a test run leaves behind when it is interrupted or killed, which gives pytest no time to stop its servers.

`watch()` starts this file as a process of its own, whose standard input ends when pytest does, however that ends. What the
tests started bears the run's mark in its environment, which children inherit whatever group, session or parent they take.
Linux's parent-death signal would reach children alone. Where there is no /proc nothing is ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from woovi.local.embedded.layout import Layout

NAME = "TEST_RUN"
PATIENCE = 10.0  # seconds for engines to stop in their order: a PostgreSQL that is killed leaves shared memory behind


def watch(data: str) -> subprocess.Popen[bytes]:
    """Mark this process's children to come, and have them ended and the folder `data` removed once this process is gone."""
    mark = f"{os.getpid()}-{time.time_ns()}"
    command = [sys.executable, "-m", "tests.leftovers", mark, data]
    unmarked = {name: value for name, value in os.environ.items() if name != NAME}  # also by who started this process
    watcher = subprocess.Popen(command, env=unmarked, stdin=subprocess.PIPE, start_new_session=True)
    os.environ[NAME] = mark
    return watcher


def marked(mark: str) -> list[int]:
    """Processes of the run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{NAME}={mark}\0".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def end(mark: str) -> None:
    """Ask the run's processes to end; kill them after `PATIENCE`, and whatever they may have started meanwhile."""
    deadline, asked = time.monotonic() + PATIENCE, set[int]()
    while left := marked(mark):
        late = time.monotonic() > deadline
        for pid in left if late else set(left) - asked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        asked.update(left)
        time.sleep(0.1)


def main() -> None:
    mark, data = sys.argv[1:]
    sys.stdin.read()
    end(mark)
    shutil.rmtree(data, ignore_errors=True)
    shutil.rmtree(Layout.of(Path(data)).sockets, ignore_errors=True)


if __name__ == "__main__":
    main()
