"""Renew leases: one thread a process, a call for each lock that is due.

A lock comes here in two cases: it asked for `auto_renew`, or it was handed over by the holder before, which gave it a
short lease only (a waiter may be dead) that is stretched to the one it asked for if it is held longer than a moment.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from woovi.locks.lock import Lock


class Renewer:
    def __init__(self) -> None:
        self._due: dict[Lock, float] = {}
        self._changed = threading.Condition()
        self._wakes = 0.0
        self._thread: threading.Thread | None = None

    def watch(self, lock: Lock, seconds: float) -> None:
        """Renew the lock in `seconds`, if it is held then."""
        due = time.monotonic() + seconds
        with self._changed:
            self._due[lock] = due
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="woovi-locks-renewal", daemon=True)
                self._thread.start()
            elif due < self._wakes:
                self._changed.notify()

    def forget(self, lock: Lock) -> None:
        self._due.pop(lock, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                due = [lock for lock, at in self._due.items() if at <= now]
                for lock in due:
                    del self._due[lock]
                if not due:
                    self._wakes = min(self._due.values(), default=now + 3600)
                    self._changed.wait(self._wakes - now)
                    continue
            for lock in due:
                lock.extend()


renewer = Renewer()


def _in_child() -> None:
    global renewer
    renewer = Renewer()


os.register_at_fork(after_in_child=_in_child)
