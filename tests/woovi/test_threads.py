"""A request goes to a thread once, not once a middleware; a thread of our own keeps no connection."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.db import connection
from django.test import AsyncClient

from payments.models import Company
from woovi.threads import gives_back


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was handed to a thread."""
    seen: list[str] = []
    call = SyncToAsync.__call__

    async def counted(self: SyncToAsync[Any, Any], *args: Any, **kwargs: Any) -> Any:
        seen.append(repr(self.func))
        return await call(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    return seen


async def test_a_request_goes_to_its_thread_once(hops: list[str]) -> None:
    answer = await AsyncClient().post("/bank/pix", {}, content_type="application/json")
    assert answer.status_code == 401
    assert sum("answer" in hop for hop in hops) == 1
    assert not any("process_re" in hop for hop in hops), hops


async def test_without_the_last_middleware_it_goes_many_times(hops: list[str], settings: Any) -> None:
    settings.MIDDLEWARE = settings.MIDDLEWARE[:-1]
    await AsyncClient().post("/bank/pix", {}, content_type="application/json")
    assert sum("process_re" in hop for hop in hops) > 5


def test_it_is_the_last() -> None:
    assert settings.MIDDLEWARE[-1] == "woovi.threads.one_thread"


def taken_for_good(act: Callable[[], None], threads: int) -> int:
    """Connections of the pool that so many threads, one after the other, left taken when they ended."""

    def taken() -> int:
        stats = connection.pool.get_stats()  # type: ignore[attr-defined]
        return int(stats["pool_size"] - stats["pool_available"])

    connection.close()
    before = taken()
    for _ in range(threads):
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
    return taken() - before


def ask() -> None:
    Company.objects.exists()


def ask_and_fail() -> None:
    ask()
    raise LookupError


def quietly(act: Callable[[], None]) -> Callable[[], None]:
    """As a thread whose error its starter sees."""

    def run() -> None:
        with contextlib.suppress(LookupError):
            act()

    return run


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", [ask, ask_and_fail])
def test_fifty_threads_leave_the_pool_as_it_was(act: Callable[[], None]) -> None:
    assert taken_for_good(quietly(gives_back(act)), 50) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_without_giving_back_each_takes_a_place_along() -> None:
    """The negative control."""
    try:
        assert taken_for_good(ask, 3) == 3
    finally:
        gc.collect()
        connection.close_pool()  # type: ignore[attr-defined]
