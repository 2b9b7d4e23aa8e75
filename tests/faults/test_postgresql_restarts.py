"""A pooled connection that died with PostgreSQL is not given to a request."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from woovi.local import embedded

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_dead_pooled_connection_is_replaced() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    connection.close()  # into the pool
    with psycopg.connect(embedded.database_url(), autocommit=True) as other:
        assert other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone()[0] != pid
