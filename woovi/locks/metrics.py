"""Counters of locks by label (a model's, such as "payments.account"), in this process and in all processes.

Counting touches neither Redis nor the database. A few seconds later this process writes its totals of the hour to Redis,
into a field of its own, so that nothing is added twice. The figures are for a page; nothing is decided by them.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from woovi import redis
from woovi.locks.names import process
from woovi.locks.timer import timer

HOURS = 24  # that are kept
EVERY = 5.0  # seconds between two writes
# Refused: LockNotAvailable. Lost: a lease ended, or was forced to, before its release. Stale: a claim or a write came too
# late. Fallbacks: locked by the database alone, because Redis did not answer. Times in seconds.
WHAT = ("taken", "refused", "waited", "longest_wait", "held", "longest_hold", "lost", "stale", "fallbacks")

Counts = dict[str, float]
_hours: dict[int, dict[str, Counts]] = {}
_unwritten: set[int] = set()  # hours
_mutex = threading.Lock()


def count(labels: Iterable[str], what: str) -> None:
    """Add one to the counter `what` (of WHAT) of each label."""
    add(labels, **{what: 1})


def add(labels: Iterable[str], **amounts: float) -> None:
    """Add amounts to counters of each label. Of the `longest_...` ones the greatest is kept."""
    hour = _hour()
    with _mutex:
        if not _unwritten:
            timer.call(write, EVERY)
        _unwritten.add(hour)
        of_hour = _hours.setdefault(hour, {})
        for label in labels:
            if label not in of_hour:
                of_hour[label] = dict.fromkeys(WHAT, 0)
            _add(of_hour[label], amounts)


def read() -> dict[str, Counts]:
    """This process's counts of the last HOURS hours, by label."""
    with _mutex:
        return _sum(_hours.values())


def everywhere() -> tuple[dict[str, Counts], int]:
    """All processes' counts of the last HOURS hours by label, and the number of processes. Raises RedisError."""
    client: Any = redis.client("locks")
    written: list[tuple[bytes, bytes]] = []
    for hour in range(_hour() - HOURS + 1, _hour() + 1):
        written += client.hgetall(_key(hour)).items()
    return _sum(json.loads(text) for _, text in written), len({name for name, _ in written})


def write() -> None:
    """Write this process's changed hours to Redis. After an error it tries again after EVERY seconds."""
    with _mutex:
        for hour in [hour for hour in _hours if hour <= _hour() - HOURS]:
            del _hours[hour]
        texts = {hour: json.dumps(_hours[hour]) for hour in _unwritten & _hours.keys()}
        _unwritten.clear()
    try:
        client = redis.client("locks")
        for hour, text in texts.items():
            client.hset(_key(hour), process(), text)
            client.expire(_key(hour), HOURS * 3600)
    except Exception:  # Redis is away, or the client was closed under us: it is written the next time
        with _mutex:
            _unwritten.update(texts)
        timer.call(write, EVERY)


def _sum(parts: Iterable[Mapping[str, Counts]]) -> dict[str, Counts]:
    total: defaultdict[str, Counts] = defaultdict(lambda: dict.fromkeys(WHAT, 0))
    for part in parts:
        for label, counts in part.items():
            _add(total[label], counts)
    return dict(total)


def _add(total: Counts, amounts: Mapping[str, float]) -> None:
    for what, amount in amounts.items():
        total[what] = max(total[what], amount) if what[:7] == "longest" else total[what] + amount


def _hour() -> int:
    return int(time.time()) // 3600


def _key(hour: int) -> str:
    return f"lk:counts:{hour}"


def _in_child() -> None:
    """A forked child has counted nothing."""
    global _mutex
    _mutex = threading.Lock()
    _hours.clear()
    _unwritten.clear()


os.register_at_fork(after_in_child=_in_child)
