"""Inside somebody else's transaction: ATOMIC_REQUESTS, and hooks that Django drops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from tests.processes import a_session_waits_for_a_lock, wait_until
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account
from tests.woovi.locks.others import A, free, queue
from woovi.locks import Lock

inside, go_on = threading.Event(), threading.Event()


def locked(request: HttpRequest) -> HttpResponse:
    """Takes 30. The first one stalls after its lock's block, before its transaction's end."""
    mode: Any = request.GET["mode"]
    with Account.objects.lock_for_update(pk=9, in_transaction=mode, timeout=10) as rows:
        rows.row.balance -= 30
        rows.row.save()
    _stall(request)
    return HttpResponse()


def naive(request: HttpRequest) -> HttpResponse:
    """The control: the same with a lock that is given back before the commit."""
    with Lock(A, timeout=10):
        balance = Account.objects.get(pk=9).balance
        Account.objects.filter(pk=9).update(balance=balance - 30)
    _stall(request)
    return HttpResponse()


def _stall(request: HttpRequest) -> None:
    if "first" in request.GET:
        inside.set()
        assert go_on.wait(20)


urlpatterns = [path("locked", locked), path("naive", naive)]


@pytest.fixture(autouse=True)
def _atomic_requests(account: Account, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    inside.clear()
    go_on.clear()
    yield
    go_on.set()


def get(url: str) -> int:
    return int(Client(raise_request_exception=False).get(url).status_code)


def race(threads: Threads, url: str, second_waits: Callable[[], bool]) -> list[int]:
    """Two requests, of which the second comes while the first is done with its lock and has not committed."""
    answers: list[int] = []
    threads.start(lambda: answers.append(get(f"{url}first=1")))
    assert inside.wait(20)
    threads.start(lambda: answers.append(get(url)))
    wait_until(second_waits)
    go_on.set()
    threads.join()
    return answers


def balance() -> int:
    return Account.objects.get(pk=9).balance


def test_it_refuses_and_nothing_is_written(account: Account) -> None:
    assert get("/locked?mode=refuse") == 500
    assert balance() == 100
    assert free(A)


def test_deferred_the_second_request_waits_for_the_firsts_commit(threads: Threads) -> None:
    assert race(threads, "/locked?mode=defer&", lambda: queue() == 1) == [200, 200]
    assert balance() == 40
    assert free(A)


def test_control_a_lock_given_back_before_the_commit_loses_an_update(threads: Threads) -> None:
    assert race(threads, "/naive?", a_session_waits_for_a_lock) == [200, 200]
    assert balance() == 70


@pytest.mark.parametrize("end", ["rolled back", "inner savepoint rolled back", "a hook raises"])
def test_control_a_release_by_on_commit_alone_is_dropped(end: str) -> None:
    """What test_deferred.py shows of deferred locks, done by Django's hook: the row stays locked for its lease."""

    def raising() -> None:
        raise ZeroDivisionError

    lock = Lock(A).acquire()
    try:
        with transaction.atomic():
            if end == "a hook raises":
                transaction.on_commit(raising)
            try:
                with transaction.atomic():
                    transaction.on_commit(lock.release)
                    if end == "inner savepoint rolled back":
                        raise LookupError
            except LookupError:
                pass
            if end == "rolled back":
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert not free(A)
    lock.release()
