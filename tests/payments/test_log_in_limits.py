"""Both log-ins, the merchants' and the admin's, are throttled by address and by account, with Redis and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.test import Client

from payments.models import User
from tests.payments import making
from tests.woovi.redis.silence import black_hole
from woovi import redis

pytestmark = pytest.mark.in_time

PASSWORD = "correct horse battery"
MINE = "203.0.113.9"


class Counting(hashers.MD5PasswordHasher):
    algorithm = "counting"
    asked = 0

    def verify(self, password: str, encoded: str) -> bool:
        type(self).asked += 1
        return super().verify(password, encoded)


@pytest.fixture(params=["with Redis", "Redis hangs"])
def limits_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "with Redis":
        yield request.param
        return
    with black_hole() as port:
        monkeypatch.setenv("REDIS_LIMITS_URL", f"redis://127.0.0.1:{port}")
        redis.close()
        yield request.param
    monkeypatch.delenv("REDIS_LIMITS_URL")
    redis.close()


@pytest.fixture(params=["/login", "/admin/login/"])
def path(request: pytest.FixtureRequest, db: None, limits_server: str, settings: Any) -> str:
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    settings.RATE_LIMIT_PROCESSES = 1  # so that the figures are the same without Redis
    Counting.asked = 0
    User.objects.create_user("ana@example.com", PASSWORD, company=making.company())
    User.objects.create_superuser("operator@example.com", PASSWORD)
    return str(request.param)


def statuses(path: str, tries: list[tuple[str, str]], password: str = "wrong") -> list[int]:
    """What each try of (e-mail, address) is answered, from a new browser each."""
    return [
        Client().post(path, {"username": email, "password": password}, REMOTE_ADDR=address).status_code
        for email, address in tries
    ]


def test_by_account_wherever_it_comes_from(path: str) -> None:
    tries = [("operator@example.com", f"198.51.{number}.7") for number in range(8)]
    assert statuses(path, tries) == [200] * 5 + [429] * 3
    assert Counting.asked == 5, "the sixth password is not looked at"
    assert statuses(path, [("operator@example.com", MINE)], PASSWORD) == [429], "nor the right one"


def test_by_address_whatever_the_account(path: str) -> None:
    tries = [(f"user{number}@example.com", MINE) for number in range(13)]
    assert statuses(path, tries) == [200] * 10 + [429] * 3
    assert statuses(path, [("operator@example.com", "198.51.100.7")], PASSWORD) == [302], "elsewhere nobody is slowed"


def test_what_is_tried_at_one_door_counts_at_the_other(path: str) -> None:
    other = "/login" if path != "/login" else "/admin/login/"
    statuses(other, [("operator@example.com", MINE)] * 3)
    assert statuses(path, [("operator@example.com", MINE)] * 4) == [200] * 2 + [429] * 2


def test_a_header_that_the_sender_wrote_makes_no_other_address(path: str) -> None:
    answers = [
        Client()
        .post(
            path,
            {"username": f"user{number}@example.com", "password": "wrong"},
            REMOTE_ADDR=MINE,
            headers={"X-Forwarded-For": f"198.51.100.{number}"},
        )
        .status_code
        for number in range(12)
    ]
    assert answers == [200] * 10 + [429] * 2


def test_without_the_guard_nobody_is_stopped(path: str, settings: Any) -> None:
    """The negative control."""
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    assert statuses(path, [("operator@example.com", MINE)] * 12) == [200] * 12
