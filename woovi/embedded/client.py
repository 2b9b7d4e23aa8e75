"""What a process does to have the engines: hold the users' lock, start the keeper where none runs, wait."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from woovi.embedded.layout import Layout, in_use

START_SECONDS = 60.0

_held: IO[str] | None = None


class EmbeddedUnavailable(SystemExit):
    """The engines could not be started; the message says why and which URL to set instead."""


def ensure() -> None:
    """Make the embedded engines run until this process ends. Does nothing where the URLs are set.

    Raises:
        EmbeddedUnavailable: no wheel for this platform, or an engine refused to start.
    """
    global _held
    if not in_use() or _held is not None:
        return
    layout = Layout.current()
    layout.data.mkdir(parents=True, exist_ok=True)
    users = layout.users_lock.open("a")
    # Blocks only while a keeper that saw no users holds it to shut down.
    fcntl.flock(users, fcntl.LOCK_SH)
    _held = users
    with (layout.data / "start.lock").open("a") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        if not _keeper_runs(layout):
            _start_keeper(layout)


def _keeper_runs(layout: Layout) -> bool:
    with layout.keeper_lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _start_keeper(layout: Layout) -> None:
    """Start the keeper detached and wait for its one line of answer."""
    read, write = os.pipe()
    with layout.log.open("a") as log:
        subprocess.Popen(
            [sys.executable, "-m", "woovi.embedded.keeper", str(write)],
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "WOOVI_DATA_DIR": str(layout.data)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write],
            start_new_session=True,
        )
    os.close(write)
    with os.fdopen(read) as answer:
        line = answer.readline()
    reply = json.loads(line) if line else {"error": "the keeper of the embedded engines ended without a word"}
    if "error" in reply:
        raise EmbeddedUnavailable(f"{reply['error']} (log: {layout.log})")


def wait_gone(layout: Layout, seconds: float = 30.0) -> bool:
    """Wait until no keeper of this layout runs. Returns whether it went in time."""
    deadline = time.monotonic() + seconds
    while _keeper_runs(layout):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
