"""More threads than database connections: 503 within seconds, in the shape that was asked for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from payments.services import companies
from tests.payments import making


@pytest.fixture
def app_id(transactional_db: None) -> str:
    return companies.issue_application(making.company(), "Test")[1]


@pytest.fixture
def nothing_free(app_id: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every connection of the pool is with somebody else. The wait for one is cut, for the test's sake."""
    connection.close()
    pool = connection.pool  # type: ignore[attr-defined]
    others = [pool.getconn(timeout=20) for _ in range(pool.max_size)]
    monkeypatch.setattr(pool, "timeout", 0.05)
    yield
    for other in others:
        pool.putconn(other)


def test_the_api_says_503_in_json(app_id: str, nothing_free: None) -> None:
    client = Client(raise_request_exception=False, headers={"Authorization": app_id})
    answer = client.get("/api/v1/charge")
    assert (answer.status_code, answer.json()) == (503, {"error": "Service Unavailable"})


def test_a_page_says_503(nothing_free: None) -> None:
    client = Client(raise_request_exception=False)
    answer = client.get(reverse("web:pay", args=[uuid.uuid4()]))
    assert answer.status_code == 503
    assert b"<h1>" in answer.content


def test_the_wait_is_shorter_than_a_clients() -> None:
    assert settings.DATABASES["default"]["OPTIONS"]["pool"]["timeout"] <= 5
