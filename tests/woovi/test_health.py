from __future__ import annotations

import threading
from types import SimpleNamespace

import psycopg
import pytest
from django.test import Client

from tests.topologies.topologies import Standalone
from woovi import redis
from woovi.local import embedded


@pytest.mark.django_db
def test_everything_answers() -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "unavailable": []})


@pytest.mark.django_db
def test_without_a_role_of_redis_it_is_degraded_and_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_LOCKS_URL", "redis://127.0.0.1:1")
    redis.close()
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded", "unavailable": ["redis locks"]})
    redis.close()


@pytest.mark.in_time
@pytest.mark.django_db
def test_a_frozen_redis_is_every_roles(valkey: Standalone) -> None:
    valkey.servers[0].freeze()
    answer = Client().get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["unavailable"] == [f"redis {role}" for role in redis.ROLES]


@pytest.mark.django_db
def test_all_roles_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a frozen Redis holds it up for the longest role's time-out, and not for the sum of all."""
    together = threading.Barrier(len(redis.ROLES), timeout=30)  # raises where one waits for another's answer
    monkeypatch.setattr(redis, "client", lambda role: SimpleNamespace(ping=lambda: together.wait() >= 0))
    assert Client().get("/healthz").json()["status"] == "ok"


@pytest.mark.django_db
def test_a_database_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    real = connection.get_connection_params()
    monkeypatch.setattr(connection, "get_connection_params", lambda: {**real, "host": "/nowhere"})
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "unavailable": ["database"]})


def test_the_embedded_database_sorts_as_the_platform_expects_everywhere() -> None:
    """The locale is PostgreSQL's own, not that of the machine's C library."""
    with psycopg.connect(embedded.database_url("postgres")) as connection:
        row = connection.execute("SELECT datlocprovider FROM pg_database WHERE datname = 'woovi'").fetchone()
    assert row == ("b",)
