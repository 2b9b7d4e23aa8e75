"""One background thread a process, which calls functions when they are due: leases to renew, metrics to write."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

Act = Callable[[], object]
log = logging.getLogger(__name__)


class Timer:
    """Calls each function once, when it is due. The functions must not use the database: they share one thread.

    An exception in one is logged and stops no other.
    """

    def __init__(self) -> None:
        self._due: dict[Act, float] = {}
        self._changed = threading.Condition()
        self._wakes_at = 0.0
        self._thread: threading.Thread | None = None

    def call(self, act: Act, seconds: float) -> None:
        """Call `act` in `seconds`. A second request for the same function replaces the first."""
        due = time.monotonic() + seconds
        with self._changed:
            self._due[act] = due
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="woovi-timer", daemon=True)
                self._thread.start()
            elif due < self._wakes_at:
                self._changed.notify()

    def cancel(self, act: Act) -> None:
        """Do not call `act`, unless its call has begun."""
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
        """The functions that are due. If there are none, wait until one is or a new one is added, and return []."""
        with self._changed:
            now = time.monotonic()
            due = [act for act, at in self._due.items() if at <= now]
            for act in due:
                del self._due[act]
            if not due:
                self._wakes_at = min(self._due.values(), default=now + 3600)
                self._changed.wait(self._wakes_at - now)
            return due


timer = Timer()


def _in_child() -> None:
    """A forked child has no timer thread, and its parent's functions are not its own."""
    timer.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_in_child)
