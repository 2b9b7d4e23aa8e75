"""A request goes to a thread once, not once a middleware."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.test import AsyncClient


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
