"""An unusual share of failed log-ins switches the alarm on: what is unusual, what it changes, when it ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory

from tests.topologies.topologies import Standalone, Topology
from woovi.ratelimit import RateLimited, alarm, device, local, store
from woovi.ratelimit.login import DELAY, attempt
from woovi.ratelimit.middleware import rate_limits

Limit = Callable[..., None]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    """Give policies other figures."""

    def change(name: str, **fields: Any) -> None:
        now = store.current().defaults
        monkeypatch.setattr(store._store, "_limits", store.Limits({**now, name: replace(now[name], **fields)}))

    return change


accounts = (f"user{number}@example.com" for number in itertools.count())


def note(failed: int, right: int) -> None:
    """Log-ins to as many accounts."""
    for _ in range(right):
        alarm.note(next(accounts), failed=False)
    for _ in range(failed):
        alarm.note(next(accounts), failed=True)


def test_most_log_ins_fail(topology: Topology) -> None:
    note(failed=29, right=5)
    assert alarm.seconds() == 0
    note(failed=1, right=0)
    assert 590 < alarm.seconds() <= 600


@pytest.mark.parametrize(
    ("failed", "right", "on"),
    [
        (29, 0, False),  # few, though all of them
        (60, 100, False),  # many, but people mistype
        (60, 5, True),
    ],
)
def test_what_is_unusual(valkey: Standalone, failed: int, right: int, on: bool) -> None:
    note(failed, right)
    assert (alarm.seconds() > 0) == on


def log_in(count: int, request: HttpRequest) -> None:
    for _ in range(count):
        with attempt(request, "ana@example.com") as tried:
            tried.succeeded()


def test_one_account_that_logs_in_often_does_not_keep_it_off(topology: Topology) -> None:
    stranger = RequestFactory().post("/login", REMOTE_ADDR="203.0.113.9")
    log_in(60, stranger)
    note(failed=40, right=0)
    assert alarm.seconds() > 0


def test_known_devices_do_not_keep_it_off(valkey: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "known", lambda _, account: "a browser")
    request = RequestFactory().post("/login", REMOTE_ADDR="203.0.113.9")
    for number in range(60):
        with attempt(request, f"merchant{number}@example.com") as tried:
            tried.succeeded()
    note(failed=40, right=0)
    assert alarm.seconds() > 0


def test_an_account_counts_again_in_the_next_window(valkey: Standalone) -> None:
    note(failed=1, right=0)
    stranger = RequestFactory().post("/login", REMOTE_ADDR="203.0.113.9")
    log_in(2, stranger)
    with valkey.servers[0].ask() as client:
        assert round(float(client.hget(alarm.key(), "all"))) == 2
        (once,) = client.keys(f"{alarm.key()}:*")
        assert 590_000 < client.pttl(once) <= 600_000
        client.delete(once)
        log_in(1, stranger)
        assert round(float(client.hget(alarm.key(), "all"))) == 3


def test_what_was_usual_yesterday_is_not_unusual(valkey: Standalone) -> None:
    """A site where 28 of 100 log-ins fail: six of ten are not three times as many, nine of ten are unusual anywhere."""
    with valkey.servers[0].ask() as client:
        now = client.time()[0] * 1_000_000
        client.hset(alarm.key(), mapping={"at": now, "usual_failed": 2_800, "usual_all": 10_000})
        note(failed=60, right=40)
        assert alarm.seconds() == 0
        client.delete(alarm.key())
        note(failed=60, right=40)  # the negative control: without the memory of a day it would be
        assert alarm.seconds() > 0
        client.delete(alarm.key())
        client.hset(alarm.key(), mapping={"at": now, "usual_failed": 9_000, "usual_all": 10_000})
        note(failed=60, right=2)
        assert alarm.seconds() > 0


def test_it_ends_by_itself_and_does_not_learn_meanwhile(valkey: Standalone, limit: Limit) -> None:
    note(failed=40, right=0)
    with valkey.servers[0].ask() as client:
        learnt = client.hget(alarm.key(), "usual_all")
        note(failed=5, right=0)
        assert client.hget(alarm.key(), "usual_all") == learnt
        client.hset(alarm.key(), "till", 1)
        assert alarm.seconds() == 0


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_operators_switch_it_off(valkey: Standalone, limit: Limit, mode: str) -> None:
    limit("login.alarm", mode=mode)
    note(failed=60, right=0)
    assert alarm.seconds() == 0


def test_without_redis_there_is_none(valkey: Standalone) -> None:
    note(failed=60, right=0)
    valkey.servers[0].kill()
    note(failed=1, right=0)
    assert alarm.seconds() == 0


def fail(address: str) -> bool:
    """One wrong password from this address. Whether it was looked at."""
    request = RequestFactory().post("/login", REMOTE_ADDR=address)
    local.forget()
    try:
        with attempt(request, "ana@example.com"):
            return True
    except RateLimited as refusal:
        return DELAY not in [policy.name for policy in refusal.decision.violated]


def waits(valkey: Standalone) -> list[float]:
    """What is left of every block of `login.delay`, in seconds."""
    with valkey.servers[0].ask() as client:
        now = client.time()
        ends = [int(client.get(key).split(b":")[1]) / 1e6 for key in client.keys(f"rl:*:{DELAY}:b")]
        return [end - now[0] - now[1] / 1e6 for end in ends]


def end_waits(valkey: Standalone) -> None:
    with valkey.servers[0].ask() as client:
        for key in client.keys(f"rl:*:{DELAY}:b"):
            level = client.get(key).split(b":")[0]
            client.set(key, level + b":1")
            client.delete(key.removesuffix(b":b"))


def test_during_the_alarm_each_failure_is_followed_by_a_longer_wait(valkey: Standalone, limit: Limit) -> None:
    limit("login.account", limit=1_000)
    limit("login.address", limit=1_000)
    assert [fail("203.0.113.9") for _ in range(3)] == [True] * 3  # the negative control: no alarm, no delay
    note(failed=60, right=0)
    seen = []
    for _ in range(4):
        assert fail("203.0.113.9")
        assert not fail("203.0.113.9")
        seen += waits(valkey)
        end_waits(valkey)
    assert [round(wait) for wait in seen] == [2, 4, 8, 16]
    assert fail("198.51.100.7"), "others wait for their own failures"


def test_somebody_who_is_right_does_not_wait(valkey: Standalone) -> None:
    note(failed=60, right=0)
    request = RequestFactory().post("/login", REMOTE_ADDR="203.0.113.9")
    for _ in range(3):
        with attempt(request, "ana@example.com") as tried:
            tried.succeeded()
    assert waits(valkey) == []


def test_operators_see_it(valkey: Standalone, db: None, admin_client: Client) -> None:
    assert rate_limits
    page = "/admin/ratelimit/limitpolicy/now/"
    assert b'id="alarm"' not in admin_client.get(page).content
    note(failed=60, right=0)
    assert b'id="alarm"' in admin_client.get(page).content
