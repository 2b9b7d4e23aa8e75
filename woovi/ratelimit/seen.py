"""Who is limited now, in all processes: each adds its refusals to Redis once a second; the admin and Prometheus read them.

Redis holds digests and shortened labels ("account a***@example.com"), never a whole address or e-mail.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from woovi import redis
from woovi.ratelimit import metrics, version

UNTIL, TOP, COUNTS = "rl:{seen}:until", "rl:{seen}:top", "rl:{seen}:counts"
MOST = 1_000  # kept of each
LIFE = 3_600  # seconds that the top is remembered

_sent: dict[tuple[str, str], int] = {}


@dataclass(frozen=True)
class Limited:
    """A subject that was refused, and how many times. `seconds` are left of its wait, 0 where it is over."""

    policy: str
    digest: str
    label: str
    seconds: float
    times: int


def flush() -> None:
    """Add this process's counts to everybody's. Where Redis is away they wait for the next time."""
    counts = {key: number - _sent.get(key, 0) for key, number in metrics.counts.items() if number != _sent.get(key, 0)}
    if not counts:
        return
    refused = dict(metrics.limited)
    now = time.time()
    try:
        pipe = redis.client("limits").pipeline(transaction=False)
        for (policy, what), number in counts.items():
            pipe.hincrby(COUNTS, f"{policy}|{what}", number)
        for (policy, subject), (times, wait) in refused.items():
            member = f"{policy}|{subject.digest}|{subject.label}"
            pipe.zincrby(TOP, times, member)
            pipe.zadd(UNTIL, {member: now + wait}, gt=True)
        if refused:
            pipe.zremrangebyscore(UNTIL, "-inf", now)
            for key in (TOP, UNTIL):
                pipe.zremrangebyrank(key, 0, -MOST - 1)
                pipe.expire(key, LIFE)
        pipe.execute()
    except (RedisError, OSError):
        return
    for sent, number in counts.items():
        _sent[sent] = _sent.get(sent, 0) + number
    for each in refused:
        metrics.limited.pop(each, None)


def limited() -> list[Limited]:
    """The subjects refused within the last hour, most refused first. Raises RedisError."""
    door: Any = redis.client("limits")
    until = dict(door.zrange(UNTIL, 0, -1, withscores=True))
    found = []
    for member, times in door.zrevrange(TOP, 0, 99, withscores=True):
        policy, digest, label = member.decode().split("|", 2)
        left = max(until.get(member, 0) - time.time(), 0)
        found.append(Limited(policy, digest, label, left, int(times)))
    return found


def counts() -> dict[str, dict[str, int]]:
    """Every policy's counts, of all processes since Redis began to count. Raises RedisError."""
    found: dict[str, dict[str, int]] = {}
    door: Any = redis.client("limits")
    for field, number in sorted(door.hgetall(COUNTS).items()):
        policy, _, what = field.decode().rpartition("|")
        found.setdefault(policy, {})[what] = int(number)
    return found


def exposition() -> str:
    """The counts in Prometheus's text format. Raises RedisError."""
    lines = ["# TYPE woovi_ratelimit_decisions_total counter"]
    for policy, numbers in counts().items():
        for what, number in numbers.items():
            lines.append(f'woovi_ratelimit_decisions_total{{policy="{policy}",outcome="{what}"}} {number}')
    return "\n".join(lines) + "\n"


def unblock(policy: str, digest: str) -> None:
    """Reset a subject's bucket and block of a policy, in all processes. Raises RedisError."""
    door: Any = redis.client("limits")
    for key in (f"rl:{{{digest}}}:{policy}{suffix}" for suffix in ("", ":b", ":d", ":s")):
        door.delete(key)
    for member in door.zrange(UNTIL, 0, -1):
        if member.decode().startswith(f"{policy}|{digest}|"):
            door.zrem(UNTIL, member)
    version.changed()
