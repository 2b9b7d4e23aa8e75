"""Requests refused before their view, in both worlds, and told so in headers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Standalone, Topology
from woovi.ratelimit import RateLimited, store
from woovi.ratelimit.address import Networks
from woovi.ratelimit.middleware import charge, rate_limit, rate_limits

Ask = Callable[..., Any]
SITE = "tests.woovi.ratelimit.site"


@pytest.fixture(autouse=True)
def site(settings: Any) -> Iterator[None]:
    settings.RATE_LIMIT_POLICIES = f"{SITE}.POLICIES"
    settings.RATE_LIMIT_RULES = f"{SITE}.rules"
    settings.RATE_LIMIT_REFUSAL = f"{SITE}.refusal"
    settings.RATE_LIMIT_ALLOW = ["127.0.0.0/8"]
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    store.shipped.cache_clear()
    store._unread.cache_clear()
    yield
    store.shipped.cache_clear()
    store._unread.cache_clear()


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, topology: Topology) -> Ask:
    """Send a request through the middleware. Returns the response."""
    make = RequestFactory()

    def sync(path: str = "/", peer: str = "203.0.113.9", **headers: str) -> Any:
        return rate_limits(lambda _: HttpResponse("yes"))(make.get(path, REMOTE_ADDR=peer, headers=headers))

    def twin(path: str = "/", peer: str = "203.0.113.9", **headers: str) -> Any:
        async def view(_: HttpRequest) -> HttpResponse:
            return HttpResponse("yes")

        async def run() -> Any:
            return await rate_limits(view)(make.get(path, REMOTE_ADDR=peer, headers=headers))

        return asyncio.run(run())

    return sync if request.param == "sync" else twin


def test_three_pass_and_the_fourth_is_told_when_to_come_back(ask: Ask) -> None:
    answers = [ask() for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"site.address";q=3;w=3600, "site.network";q=100;w=3600'
    assert answers[0]["RateLimit"] == '"site.address";r=2;t=1200, "site.network";r=99;t=36'
    assert "Retry-After" not in answers[2]
    assert int(answers[3]["Retry-After"]) in range(1190, 1201)
    assert '"site.address";r=0' in answers[3]["RateLimit"]


@on_valkey
def test_forged_headers_change_nothing(ask: Ask) -> None:
    lies = [f"198.51.100.{number}, 203.0.113.9" for number in range(4)]
    assert [ask(peer="10.0.0.1", **{"X-Forwarded-For": lie}).status_code for lie in lies] == [200, 200, 200, 429]
    assert ask(peer="203.0.113.9", **{"X-Forwarded-For": "198.51.100.7"}).status_code == 429
    assert ask(peer="::ffff:203.0.113.9").status_code == 429
    assert ask(peer="198.51.100.7").status_code == 200  # whom the lies named was not charged


@on_valkey
def test_a_whole_ipv6_network_is_one(ask: Ask) -> None:
    assert [ask(peer=f"2001:db8::{n:x}").status_code for n in range(1, 5)] == [200, 200, 200, 429]
    assert ask(peer="2001:db8:0:1::1").status_code == 200


@on_valkey
def test_believing_every_header_lets_all_pass(ask: Ask, settings: Any) -> None:
    """The negative control: as where every hop is trusted."""
    settings.TRUSTED_PROXIES = ["0.0.0.0/0"]
    lies = [f"198.51.100.{number}, 203.0.113.9" for number in range(6)]
    assert {ask(peer="10.0.0.1", **{"X-Forwarded-For": lie}).status_code for lie in lies} == {200}


@on_valkey
def test_who_is_allowed_is_not_counted_by_address(ask: Ask) -> None:
    assert {ask(peer="127.0.0.1").status_code for _ in range(8)} == {200}
    assert [ask(peer="127.0.0.1", **{"X-Company": "7"}).status_code for _ in range(6)].count(429) == 1


@on_valkey
def test_a_company_has_its_own_limits(ask: Ask) -> None:
    assert [ask(**{"X-Company": "7"}).status_code for _ in range(6)] == [200] * 5 + [429]
    assert ask(**{"X-Company": "8"}).status_code == 200


@on_valkey
def test_who_is_denied_is_refused_for_good(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = store.Limits(store.shipped(), deny=Networks(["203.0.113.0/24"]), denied=frozenset({"company:7"}))
    monkeypatch.setattr(store._store, "_limits", limits)
    assert ask().status_code == 403
    assert ask(peer="198.51.100.1").status_code == 200
    assert ask(peer="198.51.100.1", **{"X-Company": "7"}).status_code == 403


def test_without_redis_closed_is_503_and_local_counts(ask: Ask, topology: Topology, settings: Any) -> None:
    settings.RATE_LIMIT_PROCESSES = 1
    for server in topology.servers:
        server.kill()
    assert ask("/closed").status_code == 503
    assert [ask().status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_view_may_be_charged_besides(valkey: Standalone) -> None:
    @rate_limit("site.address")
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("yes")

    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9")
    assert [view(request).status_code for _ in range(3)] == [200] * 3
    with pytest.raises(RateLimited) as error:
        view(request)
    answer = rate_limits(view).process_exception(request, error.value)  # type: ignore[attr-defined]
    assert answer.status_code == 429
    assert rate_limits(view).process_exception(request, ValueError()) is None  # type: ignore[attr-defined]


def test_an_async_view_may_be_charged_besides(valkey: Standalone) -> None:
    @rate_limit("site.address", cost=3)
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("yes")

    async def run() -> None:
        request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9")
        assert (await view(request)).status_code == 200
        with pytest.raises(RateLimited):
            await view(request)

    asyncio.run(run())


def test_a_charge_may_name_its_own_subject(valkey: Standalone) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="127.0.0.1")
    for _ in range(5):
        charge(request, "site.company", company="7")
    with pytest.raises(RateLimited):
        charge(request, "site.company", company="7")
