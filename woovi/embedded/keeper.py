"""The process that owns the engines: starts them, restarts one that dies, stops them with their last user."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time

from woovi.embedded.engines import ENGINES, Engine, MissingWheel
from woovi.embedded.layout import Layout, in_use

POLL_SECONDS = 0.2
START_SECONDS = 60.0
# A shell loop of commands should not start and stop the engines for each.
LINGER_SECONDS = 2.0


class Keeper:
    def __init__(self, layout: Layout, names: list[str]) -> None:
        self.layout = layout
        self.engines: list[Engine] = [ENGINES[name](layout) for name in names]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Prepare and start every engine; raises TimeoutError or CalledProcessError."""
        self.layout.sockets.mkdir(mode=0o711, parents=True, exist_ok=True)
        for engine in self.engines:
            engine.prepare()
            self._spawn(engine)
        deadline = time.monotonic() + START_SECONDS
        for engine in self.engines:
            while not engine.ready():
                if self.processes[engine.name].poll() is not None or time.monotonic() > deadline:
                    raise TimeoutError(f"the embedded {engine.name} did not start")
                time.sleep(0.03)

    def watch(self) -> None:
        """Return when no user has held the lock for a while, with the lock taken so that none comes in between."""
        idle_since: float | None = None
        with self.layout.users_lock.open("a") as users:
            while True:
                for engine in self.engines:
                    if self.processes[engine.name].poll() is not None:
                        print(f"{engine.name} died and is started again", flush=True)
                        self._spawn(engine)
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    idle_since = None
                else:
                    idle_since = idle_since or time.monotonic()
                    if time.monotonic() - idle_since >= LINGER_SECONDS:
                        self.stop()
                        return
                    fcntl.flock(users, fcntl.LOCK_UN)
                time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        for engine in self.engines:
            if engine.name in self.processes:
                self.processes[engine.name].send_signal(engine.stop_signal)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def _spawn(self, engine: Engine) -> None:
        self.processes[engine.name] = subprocess.Popen(
            engine.command(), preexec_fn=engine.demote(), stdin=subprocess.DEVNULL
        )


def main() -> None:
    answer = os.fdopen(int(sys.argv[1]), "w")
    layout = Layout.current()
    lock = layout.keeper_lock.open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the users; the keeper leaves when they have left
    keeper = None
    try:
        keeper = Keeper(layout, in_use())
        keeper.start()
    except (MissingWheel, TimeoutError, OSError, subprocess.CalledProcessError) as error:
        if keeper:
            keeper.stop()
        json.dump({"error": str(error)}, answer)
        return
    json.dump({"pid": os.getpid()}, answer)
    answer.write("\n")
    answer.close()
    keeper.watch()


if __name__ == "__main__":
    main()
