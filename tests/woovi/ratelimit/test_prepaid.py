"""The dearest case charged with the request itself, and settled with the process's next charge."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from woovi.ratelimit import Ask, Policy, Subject, limiter, local, store, take
from woovi.ratelimit.middleware import rate_limits
from woovi.ratelimit.prepaid import prepaid

COMPANY, LOOKUPS = Policy("shop.company", "company", 1_000, 36_000), Policy("shop.lookups", "company", 100, 36_000)
POLICIES = [COMPANY, LOOKUPS]
Found = Callable[[], bool]


def rules(request: HttpRequest, who: dict[str, str]) -> tuple[store.Rule, ...]:
    who["company"] = "7"
    return ("shop.company", ("shop.lookups", 20))


@pytest.fixture(autouse=True)
def shop(settings: Any, topology: Topology) -> Iterator[None]:
    settings.RATE_LIMIT_POLICIES, settings.RATE_LIMIT_RULES = f"{__name__}.POLICIES", f"{__name__}.rules"
    settings.RATE_LIMIT_REFUSAL = "tests.woovi.ratelimit.site.refusal"
    store.shipped.cache_clear()
    store._unread.cache_clear()
    yield
    store.shipped.cache_clear()
    store._unread.cache_clear()


def get(view: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    return rate_limits(view)(RequestFactory().get("/"))  # type: ignore[return-value]


def looking(finds: bool) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        reserved = prepaid(request, "shop.lookups", company="7")
        assert reserved
        with reserved:
            if finds:
                assert reserved.settle(1)
                assert not reserved.settle(1)
        assert prepaid(request, "shop.lookups", company="7") is None
        return HttpResponse("yes")

    return view


def left(policy: Policy = LOOKUPS) -> int:
    """As another process sees it."""
    return take(Ask(policy, Subject("company", "7"), 0)).remaining


def test_what_is_found_costs_one_in_one_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real = type(limiter.TAKE).__call__
    monkeypatch.setattr(
        type(limiter.TAKE), "__call__", lambda self, *given: calls.append(self.name) or real(self, *given)
    )
    answers = [get(looking(finds=True)) for _ in range(70)]
    assert {answer.status_code for answer in answers} == {200}
    assert calls == ["take"] * 70
    assert answers[-1]["RateLimit"].startswith('"shop.company";r=930;t=2520, "shop.lookups";r=30;t=')
    assert left() == 30  # looking at it has given back what was owed
    assert left(COMPANY) == 930


def test_what_is_not_found_costs_all(topology: Topology) -> None:
    assert [get(looking(finds=False)).status_code for _ in range(7)] == [200] * 5 + [429] * 2
    local.forget()
    assert left() == 0


def test_what_no_view_asks_for_comes_back() -> None:
    assert {get(lambda _: HttpResponse("no such page", status=404)).status_code for _ in range(30)} == {404}
    assert left() == 100


@on_valkey
def test_another_company_is_charged_by_itself() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        assert prepaid(request, "shop.lookups", company="8") is None
        assert prepaid(request, "shop.company", company="7") is None  # its cost is known
        return HttpResponse("yes")

    assert get(view).status_code == 200


@on_valkey
def test_a_crowd_that_finds_nothing_sends_five() -> None:
    """All are charged before one has looked, whatever they get back afterwards."""
    barrier, seen = threading.Barrier(40), []

    def one() -> None:
        barrier.wait()
        seen.append(get(looking(finds=False)).status_code)

    crowd = [threading.Thread(target=one) for _ in range(40)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert sorted(seen) == [200] * 5 + [429] * 35


@on_valkey
def test_a_refused_charge_gives_back_nothing_and_forgets_nothing() -> None:
    get(looking(finds=True))
    owner = Subject("company", "7")
    assert not take(Ask(LOOKUPS, owner, 119)).allowed  # 100 with what is owed, and 80 are left
    assert left() == 99


@on_valkey
def test_what_is_owed_ends_when_the_bucket_is_full_anyhow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise another process's charge would be given back with ours."""
    get(looking(finds=True))
    later = local.time.monotonic() + 20 * 360 + 1  # twenty tokens, one in 360 s
    monkeypatch.setattr(local.time, "monotonic", lambda: later)
    assert local.owed([Ask(LOOKUPS, Subject("company", "7"))]) == {}


@on_valkey
def test_it_is_still_owed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    get(looking(finds=True))
    later = local.time.monotonic() + 20 * 360 - 10
    monkeypatch.setattr(local.time, "monotonic", lambda: later)
    (owed,) = local.owed([Ask(LOOKUPS, Subject("company", "7"))]).values()
    assert owed[0] == 19


@on_valkey
def test_a_slow_view_is_owed_nothing_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bucket has filled since it was charged, not since it was settled."""

    def slow(request: HttpRequest) -> HttpResponse:
        later = local.time.monotonic() + 20 * 360 + 1
        monkeypatch.setattr(local.time, "monotonic", lambda: later)
        return looking(finds=True)(request)

    get(slow)
    assert local.owed([Ask(LOOKUPS, Subject("company", "7"))]) == {}


@on_valkey
def test_without_redis_it_is_settled_at_once(topology: Topology, settings: Any) -> None:
    settings.RATE_LIMIT_PROCESSES = 1
    for server in topology.servers:
        server.kill()
    assert {get(looking(finds=True)).status_code for _ in range(70)} == {200}
    assert [get(looking(finds=False)).status_code for _ in range(3)] == [200, 429, 429]
