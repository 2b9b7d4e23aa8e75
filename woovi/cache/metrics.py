"""Counters of each cache: plain integers in this process, added to the totals of all processes in Redis every few seconds.

They take no lock, so a count may be lost when two threads add at once. A lock would make every hit slower.
"""

from __future__ import annotations

import time
from typing import Any

from redis.exceptions import RedisError

from woovi import redis

WHAT = ("hit", "local", "stale", "miss", "negative", "wait", "bypass", "error", "refused")
EDGES = [2 ** (step / 2) / 1000 for step in range(36)]  # seconds: upper bounds of load times, 1 ms to 3 min
HOUR = 3600


class Counts:
    """A cache's counts in this process.

    hit: served from Redis. local: served from this process. stale: served past `ttl`. miss: loads. negative: served
    "there is none". wait: waits for another caller's load. bypass: loads without Redis. error: failed loads. refused:
    values that Redis did not take, because they came too late.
    """

    __slots__ = (*WHAT, "flushed", "loads", "name")

    hit: int
    local: int
    stale: int
    miss: int
    negative: int
    wait: int
    bypass: int
    error: int
    refused: int

    def __init__(self, name: str) -> None:
        self.name = name
        for what in WHAT:
            setattr(self, what, 0)
        self.loads = [0] * len(EDGES)
        self.flushed: dict[str, int] = {}  # the part that Redis has

    def loaded(self, seconds: float) -> None:
        """Add a load of so many seconds to the histogram."""
        for step, edge in enumerate(EDGES):
            if seconds <= edge or step == len(EDGES) - 1:
                self.loads[step] += 1
                return

    def read(self) -> dict[str, int]:
        """This process's counts since it began. "load:N" counts loads of at most EDGES[N] seconds."""
        found = {what: getattr(self, what) for what in WHAT}
        return found | {f"load:{step}": count for step, count in enumerate(self.loads) if count}


_counts: dict[str, Counts] = {}


def counts(name: str) -> Counts:
    """This process's counts of the cache `name`."""
    return _counts.setdefault(name, Counts(name))


def read() -> dict[str, dict[str, int]]:
    """This process's counts, by cache."""
    return {name: each.read() for name, each in _counts.items()}


def flush() -> None:
    """Add what is new to all processes' counts of this hour. After an error the next call adds it."""
    client: Any = redis.client("cache")
    for each in list(_counts.values()):
        now = each.read()
        new = {what: count - each.flushed.get(what, 0) for what, count in now.items()}
        key = _key(each.name, 0)
        try:
            for what, count in new.items():
                if count:
                    client.hincrby(key, what, count)
                    each.flushed[what] = now[what]
            if any(new.values()):
                client.expire(key, 3 * HOUR)
        except RedisError:
            return


def fleet(name: str) -> dict[str, Any]:
    """All processes' counts of this hour and the one before, with `hit_rate` (0 to 1) and `p99` of load times (seconds).

    The last two are None where nothing was asked or loaded. Raises redis.exceptions.RedisError.
    """
    client: Any = redis.client("cache")
    total: dict[str, int] = dict.fromkeys(WHAT, 0)
    for ago in (0, 1):
        for what, count in client.hgetall(_key(name, ago)).items():
            total[what.decode()] = total.get(what.decode(), 0) + int(count)
    served = total["hit"] + total["local"] + total["stale"]
    asked = served + total["miss"] + total["wait"] + total["bypass"]
    return {**total, "hit_rate": served / asked if asked else None, "p99": _p99(total)}


def _p99(total: dict[str, int]) -> float | None:
    steps = [total.get(f"load:{step}", 0) for step in range(len(EDGES))]
    left = 0.99 * sum(steps)
    for count, edge in zip(steps, EDGES, strict=True):
        left -= count
        if count and left <= 1e-9:
            return edge
    return None


def _key(name: str, ago: int) -> str:
    return f"c:m:{name}:{int(time.time() // HOUR) - ago}"
