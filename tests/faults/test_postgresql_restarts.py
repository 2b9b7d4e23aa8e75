"""A pooled connection that died with PostgreSQL is not given to a request."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from woovi.local import embedded
from woovi.postgres import base

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def all_die_in_the_pool() -> list[int]:
    """Fill the pool with three connections, and have the server end them all. Their process ids."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    backend()
    connection.close()
    pool: Any = connection.pool  # type: ignore[attr-defined]
    taken = [pool.getconn() for _ in range(3)]
    pids = [each.info.backend_pid for each in taken]
    for each in taken:
        pool.putconn(each)
    with psycopg.connect(embedded.database_url(), autocommit=True) as other:
        for pid in pids:
            assert other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)
    return pids


def test_dead_pooled_connections_are_replaced() -> None:
    dead = all_die_in_the_pool()
    assert backend() not in dead


def test_without_a_look_a_request_would_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_has_ended", lambda connection: False)
    all_die_in_the_pool()
    with pytest.raises(OperationalError):
        backend()
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


def test_a_living_one_is_used_again() -> None:
    first = backend()
    connection.close()
    assert backend() == first
