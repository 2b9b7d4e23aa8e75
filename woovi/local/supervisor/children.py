"""Start child processes, read their output, restart those that end, and stop them all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from woovi.local.supervisor.guard import PATIENCE, kill_group
from woovi.local.supervisor.log import Log

# Seconds: the wait before a start doubles from the first to the last, and begins anew after a steady life.
FIRST_WAIT, LAST_WAIT, STEADY = 0.5, 30.0, 20.0
BASE = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Child:
    """A process to keep. `inherits` are descriptors that it is handed, `env` goes over this process's own."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    inherits: tuple[int, ...] = ()


@dataclass
class _Place:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    reader: threading.Thread | None = None
    started: float = 0.0
    due: float = 0.0
    wait: float = FIRST_WAIT


class Supervisor:
    """Keeps the children of a table. Single-threaded but for the readers of their lines: call `tick` often.

    `changed(pids)` is called with the process ids by name whenever one is started. `lock` is held by the guard too,
    so that whoever waits for it finds no child of ours. The guard removes `mark` if this process is killed.
    """

    def __init__(
        self, children: Sequence[Child], log: Log, changed: Callable[[dict[str, int]], None], mark: Path, lock: IO[str]
    ) -> None:
        self._places = [_Place(child) for child in children]
        self._log = log
        self._changed = changed
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "woovi.local.supervisor.guard", str(mark)],
            cwd=BASE,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock.fileno()],
            start_new_session=True,
        )

    @property
    def pids(self) -> dict[str, int]:
        return {place.child.name: place.process.pid for place in self._places if place.process}

    def tick(self) -> None:
        """Start what is not running and due."""
        for place in self._places:
            if place.process is not None and (status := place.process.poll()) is not None:
                self._ended(place, status)
            if place.process is None and time.monotonic() >= place.due:
                self._start(place)

    def stop(self) -> None:
        """Ask every child to end; kill, with all that they started, those that have not after seven seconds."""
        running = [place.process for place in self._places if place.process]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0))
        for place in self._places:
            if place.process:
                kill_group(place.process.pid)
                place.process.wait()
                self._finish(place)
        assert self._guard.stdin
        with contextlib.suppress(OSError):
            self._guard.stdin.close()
        self._guard.wait()

    def _start(self, place: _Place) -> None:
        child = place.child
        place.started = time.monotonic()
        place.process = subprocess.Popen(
            list(child.command),
            cwd=BASE,
            env={**os.environ, **child.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=child.inherits,
            start_new_session=True,
        )
        self._tell_guard(f"+{place.process.pid}\n")
        assert place.process.stdout
        place.reader = threading.Thread(target=self._read, args=(child.name, place.process.stdout), daemon=True)
        place.reader.start()
        self._changed(self.pids)

    def _ended(self, place: _Place, status: int) -> None:
        assert place.process
        kill_group(place.process.pid)  # processes that the child started and left behind
        self._finish(place)
        now = time.monotonic()
        if now - place.started > STEADY:
            place.wait = FIRST_WAIT
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self._log.line(place.child.name, f"{how}; it is started again in {place.wait:g} s")
        place.due = now + place.wait
        place.wait = min(place.wait * 2, LAST_WAIT)

    def _finish(self, place: _Place) -> None:
        assert place.process
        assert place.reader
        place.reader.join(1)
        self._tell_guard(f"-{place.process.pid}\n")
        place.process = None

    def _read(self, name: str, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._log.line(name, line.decode(errors="replace").rstrip())

    def _tell_guard(self, line: str) -> None:
        assert self._guard.stdin
        with contextlib.suppress(OSError):  # the guard matters only if this process is killed too
            self._guard.stdin.write(line.encode())
            self._guard.stdin.flush()
