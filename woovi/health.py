"""`/healthz`: whether this process reaches the database and Redis."""

from __future__ import annotations

import psycopg
from django.db import connection
from django.http import HttpRequest, JsonResponse
from redis.exceptions import RedisError

from woovi import redis


def health(request: HttpRequest) -> JsonResponse:
    """200 where everything answers; else 503, and `unavailable` names what does not."""
    unavailable = [] if _database_answers() else ["database"]
    unavailable += [f"redis {role}" for role in redis.ROLES if not _redis_answers(role)]
    status = "unavailable" if unavailable else "ok"
    return JsonResponse({"status": status, "unavailable": unavailable}, status=503 if unavailable else 200)


def _database_answers() -> bool:
    # A connection of its own: the pool would make a load balancer wait its turn behind the requests.
    try:
        with psycopg.connect(**{**connection.get_connection_params(), "connect_timeout": 2}) as fresh:
            fresh.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _redis_answers(role: redis.Role) -> bool:
    try:
        return bool(redis.client(role).ping())
    except RedisError:
        return False
