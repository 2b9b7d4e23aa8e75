"""`/healthz`: whether this process can serve. PostgreSQL decides; without Redis it serves, more slowly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
from django.db import connection
from django.http import HttpRequest, JsonResponse
from redis.exceptions import RedisError

from woovi import redis


def health(request: HttpRequest) -> JsonResponse:
    """200 and `ok`, or `degraded` where a role of Redis does not answer; 503 and `unavailable` without the database.

    `unavailable` names what does not answer. Load balancers look at the status code. A 503 for Redis would take away
    every process, although each still serves without it.
    """
    database = _database_answers()
    with ThreadPoolExecutor(len(redis.ROLES)) as pool:  # at once: a frozen Redis takes each role's time-out
        answers = dict(zip(redis.ROLES, pool.map(_redis_answers, redis.ROLES), strict=True))
    unavailable = [] if database else ["database"]
    unavailable += [f"redis {role}" for role, answered in answers.items() if not answered]
    status = "unavailable" if not database else "degraded" if unavailable else "ok"
    return JsonResponse({"status": status, "unavailable": unavailable}, status=200 if database else 503)


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
