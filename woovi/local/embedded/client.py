"""How a process gets the engines: hold the users' lock, start the keeper unless it runs, wait."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from woovi.local.embedded.layout import ROOT, Layout, in_place, in_use

LOG_SIZE = 10_000_000  # bytes: a longer log is put aside when the engines start

# The users' locks of this process, by data directory. A forked child shares them, one that executes another
# program does not (the descriptor is closed there) and calls ensure() itself.
_held: dict[Path, IO[str]] = {}
# Keepers that this process started. They outlive it; one that was killed must not stay its zombie.
_started: list[subprocess.Popen[bytes]] = []


class EmbeddedUnavailable(SystemExit):
    """The engines could not be started; the message says why and what to do."""


def ensure() -> None:
    """Make the embedded engines run until this process ends. Does nothing where the URLs are set.

    May be called again at any time: a keeper that was killed is then replaced.

    Raises:
        EmbeddedUnavailable: no wheel for this platform, or an engine refused to start.
    """
    wanted = in_use()
    if not wanted:
        return
    layout = Layout.current()
    try:
        layout.data.mkdir(parents=True, exist_ok=True)
        _become_user(layout)
        with layout.start_lock.open("a") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            if not keeper_runs(layout):
                _start_keeper(layout)
            kept = layout.keeper_lock.read_text().split()[1:]
    except OSError as error:
        raise EmbeddedUnavailable(f"the embedded engines cannot use {layout.data}: {error}") from error
    if missing := set(wanted) - set(kept):
        raise EmbeddedUnavailable(
            f"the engines of {layout.data} were started without {' and '.join(missing)}, by a process that has "
            "a URL for it: stop that one, or give this one the URL too"
        )


def release() -> bool:
    """Stop using the engines before this process ends. Returns whether they have stopped, as they do after the last user.

    For tests, which remove the data directory before they end.
    """
    gone = True
    while _held:
        data, users = _held.popitem()
        users.close()
        gone = wait_gone(Layout.of(data), 10) and gone
    return gone


def keeper_runs(layout: Layout) -> bool:
    """Whether a keeper of this data directory lives."""
    if not layout.keeper_lock.exists():
        return False
    with layout.keeper_lock.open() as lock:
        try:
            fcntl.flock(
                lock, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # shared, so that two processes that look at once do not block each other
        except BlockingIOError:
            return True
    return False


def wait_gone(layout: Layout, seconds: float = 30.0) -> bool:
    """Wait until no keeper of this data directory lives. Returns whether it went in time."""
    deadline = time.monotonic() + seconds
    while keeper_runs(layout):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _become_user(layout: Layout) -> None:
    if layout.data not in _held or not in_place(layout.users_lock, _held[layout.data]):
        users = layout.users_lock.open("a")
        fcntl.flock(users, fcntl.LOCK_SH)  # blocks only while a keeper without users stops
        _held[layout.data] = users


def _start_keeper(layout: Layout) -> None:
    """Start the keeper, away from our terminal and its Ctrl-C, and wait for its one line of answer."""
    if layout.log.exists() and layout.log.stat().st_size > LOG_SIZE:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    read, write = os.pipe()
    with layout.log.open("a") as log:
        _started[:] = [keeper for keeper in _started if keeper.poll() is None]
        keeper = subprocess.Popen(
            [sys.executable, "-m", "woovi.local.embedded.keeper", str(write)],
            cwd=ROOT,
            env={**os.environ, "WOOVI_DATA_DIR": str(layout.data)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write],
            start_new_session=True,
        )
        _started.append(keeper)
    os.close(write)
    with os.fdopen(read) as answer:
        line = answer.readline()
    reply = json.loads(line) if line else {"error": "the keeper of the embedded engines ended without a word"}
    if "error" in reply:
        raise EmbeddedUnavailable(f"{reply['error']} (log: {layout.log})")
