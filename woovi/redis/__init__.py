"""One door to Redis: which URL serves which role.

Roles are `cache`, `locks`, `limits`, `broker` and `channels`. `REDIS_URL` serves all of them, `REDIS_LOCKS_URL` and
its like serve one. Where nothing is set, or the value is `embedded://`, the embedded Valkey serves.
"""

from __future__ import annotations

import os
from typing import Literal

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from woovi import embedded, env

Role = Literal["cache", "locks", "limits", "broker", "channels"]
# Seconds. redis-py would otherwise wait for a silent server without end.
TIMEOUTS: dict[Role, float] = {"cache": 0.25, "locks": 0.1, "limits": 0.1, "broker": 2.0, "channels": 1.0}

_clients: dict[tuple[int, Role], redis.Redis] = {}


def url(role: Role) -> str:
    """The URL that serves `role`."""
    value = env.text(f"REDIS_{role.upper()}_URL", "") or env.text("REDIS_URL", "embedded://")
    if value == "embedded://":
        return embedded.redis_url()
    return value.replace("valkey://", "redis://", 1).replace("valkeys://", "rediss://", 1)


def client(role: Role) -> redis.Redis:
    """This process's client of `role`. It does not retry: redis-py resends even INCR, up to ten times."""
    key = (os.getpid(), role)
    if key not in _clients:
        timeout = TIMEOUTS[role]
        _clients[key] = redis.Redis.from_url(
            url(role), socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
        )
    return _clients[key]
