"""What is due later, such as a lease to renew or counts to write: one thread a process, for all of it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

Act = Callable[[], object]
log = logging.getLogger(__name__)


class Later:
    """Calls each act once, when it is due, in a thread that must not ask the database.

    Whatever an act raises is logged, and stops no other.
    """

    def __init__(self) -> None:
        self._due: dict[Act, float] = {}
        self._changed = threading.Condition()
        self._wakes = 0.0
        self._thread: threading.Thread | None = None

    def call(self, act: Act, seconds: float) -> None:
        """Call `act` in `seconds`; if it was to be called already, then instead of that."""
        due = time.monotonic() + seconds
        with self._changed:
            self._due[act] = due
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="woovi-later", daemon=True)
                self._thread.start()
            elif due < self._wakes:
                self._changed.notify()

    def forget(self, act: Act) -> None:
        """Do not call it, unless that has begun."""
        with self._changed:
            self._due.pop(act, None)

    def _run(self) -> None:
        while True:
            for act in self._next():
                try:
                    act()
                except BaseException:
                    log.exception("%r", act)

    def _next(self) -> list[Act]:
        """What is due; else wait for that, or for something more urgent."""
        with self._changed:
            now = time.monotonic()
            due = [act for act, at in self._due.items() if at <= now]
            for act in due:
                del self._due[act]
            if not due:
                self._wakes = min(self._due.values(), default=now + 3600)
                self._changed.wait(self._wakes - now)
            return due


later = Later()


def _in_child() -> None:
    """A forked child has not got the thread, and what was due is its parent's."""
    later.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_in_child)
