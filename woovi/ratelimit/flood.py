"""A flood is refused before Django sees it, and by this process alone: no Redis, no thread, no database.

Two counts: requests of each network in a count-min sketch (Cormode and Muthukrishnan, 2005), whose memory does not grow
with the number of senders; and requests of all strangers together in one bucket, for floods that come from everywhere.
"""

from __future__ import annotations

import time

from woovi.ratelimit import metrics
from woovi.ratelimit.policy import MICRO, Policy
from woovi.ratelimit.store import Limits

ROWS, BITS = 4, 12
MASK = (1 << BITS) - 1
CALM = 1.0  # seconds without a refusal after which a flood is over


class Sketch:
    """How often each key came in about the last window. An estimate: sometimes too high, never too low."""

    def __init__(self) -> None:
        self._began = 0.0
        self._now, self._before = _rows(), _rows()

    def add(self, key: str, window: float) -> float:
        """Count a key. Returns how often it came in the last `window` seconds, by the sliding-window estimate."""
        now = time.monotonic()
        age = (now - self._began) / window
        if age >= 1:
            self._before = self._now if age < 2 else _rows()
            self._now = _rows()
            self._began, age = now, 0.0
        mixed = hash(key)  # keyed by Python, so that nobody can choose whom to collide with
        least = float("inf")
        for row, (counts, before) in enumerate(zip(self._now, self._before, strict=True)):
            place = (mixed >> (row * BITS)) & MASK
            counts[place] += 1
            least = min(least, counts[place] + before[place] * (1 - age))
        return least


class Flood:
    """Refuses networks that flood this process, without asking Redis."""

    def __init__(self) -> None:
        self._sketch = Sketch()
        self._full = 0.0
        self._refused = -CALM  # when the process's bucket last refused somebody

    def refuses(self, limits: Limits, network: str) -> float:
        """Seconds to wait, or 0.0 where the request may come in."""
        policy = limits.policy("flood.network")
        if policy.mode != "off" and self._sketch.add(network, policy.per) > policy.limit and _says_no(policy):
            return policy.per
        policy = limits.policy("flood.process")
        if policy.mode != "off":
            now = time.monotonic()
            full = max(self._full, now) + policy.interval / MICRO
            if full - now <= policy.size / MICRO:
                self._full = full
            elif _says_no(policy):
                self._refused = now
                return 1.0
        return 0.0

    def rages(self) -> bool:
        """Whether strangers came faster than this process's limit within the last second."""
        return time.monotonic() - self._refused < CALM


def _says_no(policy: Policy) -> bool:
    metrics.counts[policy.name, "refused" if policy.mode == "enforce" else "shadow"] += 1
    return policy.mode == "enforce"


def _rows() -> list[list[int]]:
    return [[0] * (MASK + 1) for _ in range(ROWS)]
