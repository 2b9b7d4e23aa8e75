"""The version of the limits: a number in Redis. When it grows, every process reads the limits again."""

from __future__ import annotations

import logging

from redis.exceptions import RedisError

from woovi import redis

log = logging.getLogger(__name__)

AGE = 60.0  # seconds after which limits are read anyway: Redis may have lost the number
KEY = "rl:{limits}:version"


def current() -> bytes | None:
    """The number of changes; empty before the first, None where Redis is away."""
    try:
        found: bytes | None = redis.client("limits").get(KEY)  # type: ignore[assignment]
    except (RedisError, OSError):
        return None
    return found or b""


def changed() -> None:
    """Tell every process. Without Redis they notice within AGE seconds."""
    try:
        redis.client("limits").incr(KEY)
    except (RedisError, OSError):
        log.warning("Redis is away: changed limits are in force everywhere within %s s", AGE)
