"""What happened to locks, by label (a model's, as "payments.account"): in this process, and in all of them.

To count touches neither Redis nor the database. A thread writes what this process counted to Redis, a few seconds
later, so that one page can add up all processes: a hash an hour, a field a process, written whole, so that nothing is
ever added twice. They are figures, not facts: what Redis forgets of earlier hours is gone.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from woovi import redis
from woovi.locks import wake

HOURS = 24  # that are kept
EVERY = 5.0  # seconds between two writes


@dataclass
class Counts:
    """What happened to one label's locks. Times in seconds."""

    taken: int = 0
    refused: int = 0  # LockNotAvailable
    waited: float = 0.0
    longest_wait: float = 0.0
    held: float = 0.0
    longest_hold: float = 0.0
    lost: int = 0  # leases that ended, or were forced to, before their release
    stale: int = 0  # claims and writes that came too late
    fallbacks: int = 0  # locked by the database alone, because Redis did not answer

    def add(self, more: dict[str, Any]) -> None:
        """Add another process's or hour's counts, as `asdict` gives them."""
        for field in fields(self):
            join = max if field.name.startswith("longest") else sum
            setattr(self, field.name, join([getattr(self, field.name), more.get(field.name, 0)]))


_counts: dict[int, defaultdict[str, Counts]] = {}  # by hour
_unwritten: set[int] = set()  # hours
_mutex = threading.Lock()
_writer: threading.Thread | None = None


def count(labels: Iterable[str], what: str) -> None:
    """Add one to `what` ("taken", "refused", "lost", "stale", "fallbacks") of each label."""
    with _mutex:
        for counts in _of(labels):
            setattr(counts, what, getattr(counts, what) + 1)


def waited(labels: Iterable[str], seconds: float) -> None:
    with _mutex:
        for counts in _of(labels):
            counts.taken += 1
            counts.waited += seconds
            counts.longest_wait = max(counts.longest_wait, seconds)


def held(labels: Iterable[str], seconds: float) -> None:
    with _mutex:
        for counts in _of(labels):
            counts.held += seconds
            counts.longest_hold = max(counts.longest_hold, seconds)


def read() -> dict[str, dict[str, float]]:
    """This process's counts of the last HOURS hours, by label."""
    found: defaultdict[str, Counts] = defaultdict(Counts)
    with _mutex:
        for of_hour in _counts.values():
            for label, counts in of_hour.items():
                found[label].add(asdict(counts))
    return {label: asdict(counts) for label, counts in found.items()}


def everywhere() -> tuple[dict[str, Counts], int]:
    """All processes' counts of the last HOURS hours, by label, and how many processes that were. Raises RedisError."""
    client: Any = redis.client("locks")
    found: defaultdict[str, Counts] = defaultdict(Counts)
    processes = set()
    for hour in range(_hour() - HOURS + 1, _hour() + 1):
        for process, text in client.hgetall(_key(hour)).items():
            processes.add(process)
            for label, counts in json.loads(text).items():
                found[label].add(counts)
    return dict(found), len(processes)


def write() -> None:
    """Write what is new. The writer's thread does, every few seconds."""
    with _mutex:
        for hour in [hour for hour in _counts if hour <= _hour() - HOURS]:
            del _counts[hour]
        texts = {
            hour: json.dumps({label: asdict(counts) for label, counts in of_hour.items()})
            for hour, of_hour in _counts.items()
            if hour in _unwritten
        }
        _unwritten.clear()
    try:
        client: Any = redis.client("locks")
        for hour, text in texts.items():
            client.hset(_key(hour), wake.listener.process, text)
            client.expire(_key(hour), HOURS * 3600)
    except Exception:  # Redis is away, or the client was closed under us: it is written the next time
        with _mutex:
            _unwritten.update(texts)


def _of(labels: Iterable[str]) -> list[Counts]:
    """The counts of this hour. The mutex is held."""
    global _writer
    hour = _hour()
    of_hour = _counts.get(hour)
    if of_hour is None:
        of_hour = _counts[hour] = defaultdict(Counts)
    _unwritten.add(hour)
    if _writer is None:
        _writer = threading.Thread(target=_write_on, name="woovi-locks-metrics", daemon=True)
        _writer.start()
    return [of_hour[label] for label in labels]


def _write_on() -> None:
    while True:
        time.sleep(EVERY)
        write()


def _hour() -> int:
    return int(time.time()) // 3600


def _key(hour: int) -> str:
    return f"lk:counts:{hour}"


def _in_child() -> None:
    """A forked child has counted nothing, and the thread is its parent's."""
    global _mutex, _writer
    _mutex, _writer = threading.Lock(), None
    _counts.clear()
    _unwritten.clear()


os.register_at_fork(after_in_child=_in_child)
