"""How each route of the API ends and how long it takes, in all processes, for Prometheus.

Each process adds its counts to everybody's in Redis, with the first request after five seconds. Where Redis is away they
wait in the process; where it has lost them, Prometheus sees a counter that began again. Two threads that add at once may
lose one: a lock would make every request slower.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from django.http import HttpRequest
from redis.exceptions import RedisError

from woovi import redis

COUNTS = "api:{routes}"
EVERY = 5.0  # seconds between two additions
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds, upper bounds
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}
NAME = "woovi_api_request_seconds"

_counts: Counter[str] = Counter()  # "METHOD route|status|edge", and microseconds in "METHOD route|status|us"
_next = 0.0  # by the monotonic clock


def count(request: HttpRequest, status: int, seconds: float) -> None:
    """Count an answer by its route: a path may hold a Pix key, and strangers would make any number of paths."""
    global _next
    match = request.resolver_match
    route = f"/{match.route}" if match else "unknown"
    method = request.method if request.method in METHODS else "OTHER"
    edge = next((each for each in EDGES if seconds <= each), "+Inf")
    _counts[f"{method} {route}|{status}|{edge}"] += 1
    _counts[f"{method} {route}|{status}|us"] += round(seconds * 1e6)
    now = time.monotonic()
    if now >= _next:
        _next = now + EVERY
        flush()


def flush() -> None:
    """Add this process's counts to everybody's. Where Redis does not answer they are kept; a lost answer counts them twice."""
    new = dict(_counts)
    try:
        pipe = redis.client("limits").pipeline(transaction=False)
        for name, number in new.items():
            pipe.hincrby(COUNTS, name, number)
        pipe.execute()
    except (RedisError, OSError):
        return
    _counts.subtract(new)
    for name in new:
        if not _counts[name]:
            del _counts[name]


def exposition() -> str:
    """Everybody's counts as a histogram in Prometheus's text format. Raises RedisError."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    client: Any = redis.client("limits")
    for field, number in sorted(client.hgetall(COUNTS).items()):
        name, status, what = field.decode().rsplit("|", 2)
        method, _, route = name.partition(" ")
        found.setdefault((method, route, status), {})[what] = int(number)
    lines = [f"# HELP {NAME} Answers of the API, by route.", f"# TYPE {NAME} histogram"]
    for (method, route, status), numbers in found.items():
        labels, total = f'method="{method}",route="{route}",status="{status}"', 0
        for edge in (*map(str, EDGES), "+Inf"):
            total += numbers.get(edge, 0)
            lines.append(f'{NAME}_bucket{{{labels},le="{edge}"}} {total}')
        lines.append(f"{NAME}_sum{{{labels}}} {numbers.get('us', 0) / 1e6:g}")
        lines.append(f"{NAME}_count{{{labels}}} {total}")
    return "\n".join(lines) + "\n"
