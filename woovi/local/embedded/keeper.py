"""The process that owns the engines: starts them, starts one that died again, stops them with their last user.

Run as `python -m woovi.local.embedded.keeper FD`, where FD is a pipe for one line of JSON: what runs, or the error.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO

from woovi.local.embedded.engines import ENGINES, Engine, MissingWheel
from woovi.local.embedded.layout import Layout, in_place, in_use
from woovi.local.embedded.privileges import Unprivileged

# Seconds.
POLL = 0.2
START = 60.0
STOP = 20.0
LINGER = 1.0  # a shell loop of commands should not start and stop the engines for each
RETRY = 1.0


class Keeper:
    """Starts engines, watches them, and stops them once nobody uses them."""

    def __init__(self, layout: Layout, names: list[str]) -> None:
        self.layout = layout
        self.engines = [ENGINES[name](layout) for name in names]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.users = layout.users_lock.open("a")
        self.leaving = False

    def start(self) -> None:
        """Prepare and start every engine. Raises OSError, which TimeoutError is."""
        self.layout.make_sockets()
        for engine in self.engines:
            self._spawn(engine, first=True)
        deadline = time.monotonic() + START
        for engine in self.engines:
            while not engine.ready():
                if self.processes[engine.name].poll() is not None:
                    raise OSError(f"the embedded {engine.name} ended at its start: {_last_line(self.layout.log)}")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the embedded {engine.name} did not answer within {START:.0f} s")
                time.sleep(0.03)

    def watch(self) -> None:
        """Return when no user held the users' lock for a while, with it taken so that none comes in between.

        Or when we are told to leave, or the data directory was removed.
        """
        idle_since: float | None = None
        users = self.users  # not closed: the kernel does that when the keeper has ended
        while not self.leaving and in_place(self.layout.users_lock, users):
            self._revive()
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                idle_since = None
            else:
                idle_since = idle_since or time.monotonic()
                if time.monotonic() - idle_since >= LINGER:
                    return
                fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(POLL)

    def leave(self, _signal: int, _frame: FrameType | None) -> None:
        self.leaving = True

    def stop(self) -> None:
        for engine in self.engines:
            if engine.name in self.processes:
                self.processes[engine.name].send_signal(engine.stop_signal)
        for process in self.processes.values():
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        # Unless it never was ours, or may be the next keeper's of a data directory made anew.
        if self.processes and in_place(self.layout.users_lock, self.users):
            shutil.rmtree(self.layout.sockets, ignore_errors=True)

    def _revive(self) -> None:
        for engine in self.engines:
            if (status := self.processes[engine.name].poll()) is not None:
                print(f"{engine.name} ended with status {status} and is started again", flush=True)
                try:
                    self._spawn(engine)
                except OSError as error:
                    print(f"{engine.name}: {error}", flush=True)
                time.sleep(RETRY)

    def _spawn(self, engine: Engine, first: bool = False) -> None:
        with alone(self.layout.engine_lock(engine.name), engine.stop_signal) as lock:
            if first:
                engine.prepare()
            engine.clean()
            process = engine.spawn(engine.command(), lock)
            lock.truncate(0)
            lock.write(str(process.pid))
            self.processes[engine.name] = process


@contextlib.contextmanager
def alone(path: Path, stop: signal.Signals) -> Iterator[IO[str]]:
    """Hold an engine's lock, which all its processes inherit; whoever holds it still is asked to leave, then made to.

    A process id in a file proves nothing, because ids are used again; together with the held lock it does.
    """
    with path.open("a+") as lock:
        # A killed keeper's engines were told by the kernel, and a killed engine's children see it themselves.
        for patience, action in ((3.0, stop), (STOP, signal.SIGKILL), (3.0, None)):
            if _locked(lock, patience):
                yield lock
                return
            lock.seek(0)
            text = lock.read()
            if action and text.isdigit():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(text), action)
        raise TimeoutError(f"processes of an earlier start still hold {path}")


def _locked(lock: IO[str], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "no word in its log"


def main() -> None:
    """Start the engines named in the call, answer on the given descriptor, and keep them."""
    answer = os.fdopen(int(sys.argv[1]), "w")
    layout = Layout.current()
    names = in_use()
    lock = layout.keeper_lock.open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.truncate(0)
    lock.write(" ".join([str(os.getpid()), *names]))
    lock.flush()
    keeper = None
    try:
        keeper = Keeper(layout, names)
        for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(stop, keeper.leave)
        keeper.start()
        answer.write(json.dumps({"pid": os.getpid()}) + "\n")
        answer.close()
        keeper.watch()
    except (MissingWheel, Unprivileged, OSError, subprocess.SubprocessError) as error:
        if answer.closed:
            raise
        answer.write(json.dumps({"error": str(error)}) + "\n")
    finally:
        if keeper:
            keeper.stop()
        # Before the users' lock, which goes with this process: who gets that one must find no keeper.
        lock.close()


if __name__ == "__main__":
    main()
