"""The circuit breaker and the counters of one role at one server.

Each call to a server that does not answer waits for a time-out, and a hundred waiting callers block a process. After
three failures in a row every call is refused at once, in microseconds; every half second one call goes through, and
its answer closes the breaker.
"""

from __future__ import annotations

import time
from typing import TypedDict

from redis import exceptions

FAILURES = 3  # in a row; one slow answer is no outage
PAUSE = 0.5  # seconds between two probes


class BreakerOpen(exceptions.ConnectionError):
    """The server failed just now and is not asked. A ConnectionError, which callers expect already."""


class Counts(TypedDict):
    """What a server's guard has seen."""

    calls: int  # answers, refusals by the server included
    errors: int  # lost connections and time-outs
    refused: int  # by the breaker
    open: bool


class Guard:
    """Needs no lock: under the GIL its comparisons and assignments are not interrupted, and a count may be late."""

    __slots__ = ("calls", "errors", "failures", "is_open", "last", "name", "probe_at", "refused")

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = self.errors = self.refused = self.failures = 0
        self.is_open = False
        self.probe_at = 0.0
        self.last = ""

    def admit(self) -> None:
        """Let the call through, or raise BreakerOpen. Callers look at `is_open` first, which is cheaper."""
        now = time.monotonic()
        if not self.is_open or now >= self.probe_at:
            self.probe_at = now + PAUSE  # the next probe, whatever the result of this one
            return
        self.refused += 1
        raise BreakerOpen(f"{self.name} is not asked for {self.probe_at - now:.1f} s more, after: {self.last}")

    def answered(self) -> None:
        self.calls += 1
        if self.failures:
            self.failures = 0
            self.is_open = False

    def failed(self, error: BaseException) -> None:
        self.errors += 1
        self.failures += 1
        self.last = str(error) or type(error).__name__
        if self.failures >= FAILURES:
            self.is_open = True
            self.probe_at = time.monotonic() + PAUSE

    def counts(self) -> Counts:
        return {"calls": self.calls, "errors": self.errors, "refused": self.refused, "open": self.is_open}


_guards: dict[tuple[str, str], Guard] = {}


def guard(role: str, place: str) -> Guard:
    """This process's guard of `role` at `place`. Threads and event loops share it."""
    return _guards.setdefault((role, place), Guard(f"{role} at {place}"))


def metrics() -> dict[str, dict[str, Counts]]:
    """This process's counts since its start, by role and server."""
    found: dict[str, dict[str, Counts]] = {}
    for (role, place), each in sorted(_guards.items()):
        found.setdefault(role, {})[place] = each.counts()
    return found


def forget() -> None:
    """Forget all breakers and counts, for tests and forked children."""
    _guards.clear()
