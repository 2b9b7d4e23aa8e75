from __future__ import annotations

import psycopg
import pytest
from django.test import Client

from woovi import embedded, redis


@pytest.mark.django_db
def test_everything_answers() -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "unavailable": []})


@pytest.mark.django_db
def test_a_redis_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_LOCKS_URL", "redis://127.0.0.1:1")
    redis.close()
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "unavailable": ["redis locks"]})
    redis.close()


@pytest.mark.django_db
def test_a_database_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    real = connection.get_connection_params()
    monkeypatch.setattr(connection, "get_connection_params", lambda: {**real, "host": "/nowhere"})
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()["unavailable"]) == (503, ["database"])


def test_the_embedded_database_sorts_as_the_platform_expects_everywhere() -> None:
    """The locale is PostgreSQL's own, not that of the machine's C library."""
    with psycopg.connect(embedded.database_url("postgres")) as connection:
        row = connection.execute("SELECT datlocprovider FROM pg_database WHERE datname = 'woovi'").fetchone()
    assert row == ("b",)
