"""What happened to each cache: counted here in plain integers, added up over all processes in Redis every few seconds.

Under the GIL a count may be lost when two threads meet; a lock would cost a hit more than the figure is worth.
"""

from __future__ import annotations

import time
from typing import Any

from redis.exceptions import RedisError

from woovi import redis

WHAT = ("hit", "local", "stale", "miss", "negative", "wait", "bypass", "error", "refused")
EDGES = [2 ** (step / 2) / 1000 for step in range(36)]  # upper ends of load times, in seconds: 1 ms to 3 minutes
HOUR = 3600


class Counts:
    """A cache's counts in this process.

    hit: served from Redis; local: from the process; stale: past its freshness; miss: loads; negative: of those served, "there is none";
    wait: for another's load; bypass: without Redis; error: loads that failed; refused: fills that came too late.
    """

    __slots__ = (*WHAT, "loads", "name", "told")

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
        self.told: dict[str, int] = {}

    def loaded(self, seconds: float) -> None:
        for step, edge in enumerate(EDGES):
            if seconds <= edge or step == len(EDGES) - 1:
                self.loads[step] += 1
                return

    def read(self) -> dict[str, int]:
        """This process's counts since it began; "load:N" how many loads took at most EDGES[N]."""
        found = {what: getattr(self, what) for what in WHAT}
        return found | {f"load:{step}": count for step, count in enumerate(self.loads) if count}


_counts: dict[str, Counts] = {}


def counts(name: str) -> Counts:
    return _counts.setdefault(name, Counts(name))


def read() -> dict[str, dict[str, int]]:
    """This process's counts, by cache."""
    return {name: each.read() for name, each in _counts.items()}


def flush() -> None:
    """Add what is new to the fleet's counts of this hour. Nothing is lost by a failure: the next time takes it along."""
    client: Any = redis.client("cache")
    for each in list(_counts.values()):
        now = each.read()
        new = {what: count - each.told.get(what, 0) for what, count in now.items()}
        key = _key(each.name, 0)
        try:
            for what, count in new.items():
                if count:
                    client.hincrby(key, what, count)
                    each.told[what] = now[what]
            if any(new.values()):
                client.expire(key, 3 * HOUR)
        except RedisError:
            return


def fleet(name: str) -> dict[str, Any]:
    """All processes' counts of this hour and the one before; `hit_rate` (of 1) and `p99` of loads (seconds), or None.

    Raises redis.exceptions.RedisError.
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
