"""How fast all workers together call the bank: for everybody, and for one company, which cannot use up the others' share.

A bank that answers 429 or 503 says after how long it wants to be asked again (`Retry-After`). That is kept where all
workers see it, so that all obey at once. Without Redis each process counts by itself, and knows only what it was told.
"""

from __future__ import annotations

import time

from redis.exceptions import RedisError

from woovi import redis
from woovi.ratelimit import store, take

POLICIES = ("bank.calls", "bank.company")
UNTIL = "bank:until"  # expires when the bank may be asked again
LONGEST = 60.0  # seconds that a bank may make us wait

_until = 0.0  # monotonic: what this process was told


def told_to_wait(seconds: float) -> None:
    """Let nobody call the bank for so long. It is asked again after a minute at most."""
    global _until
    seconds = min(max(seconds, 0.0), LONGEST)
    _until = max(_until, time.monotonic() + seconds)
    try:
        redis.client("limits").set(UNTIL, 1, px=max(int(seconds * 1000), 1))
    except (RedisError, OSError):
        pass  # the other processes will be told by the bank themselves


def ask(company_id: int, calls: int) -> float:
    """Take `calls` calls for a company. Returns 0, or the seconds after which to ask again; then nothing was taken."""
    if wait := _waiting():
        return wait
    decision = take(*store.current().asks(POLICIES, {"world": "all", "company": str(company_id)}, calls))
    return 0.0 if decision.allowed else max(decision.retry_after, 0.01)


def _waiting() -> float:
    own = max(_until - time.monotonic(), 0.0)
    try:
        left = int(redis.client("limits").pttl(UNTIL))  # negative where there is none
    except (RedisError, OSError):
        left = 0
    return max(own, left / 1000, 0.0)
