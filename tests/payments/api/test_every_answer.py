"""What every answer has: a request id, an ETag on reads, a deprecation on the older prefix, a place in the metrics."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from django.test import Client
from redis.exceptions import ConnectionError as RedisAway

from payments.api import routes
from payments.services import webhooks
from tests.payments import making
from tests.payments.api.conftest import Merchant
from tests.receiver import serve
from woovi import redis, trace

pytestmark = pytest.mark.django_db
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def asked(shop: Merchant, path: str, method: str = "GET", **headers: str) -> Any:
    client = Client(headers={"Authorization": shop.app_id}, raise_request_exception=False)
    return client.generic(method, path, b"{}" if method == "POST" else b"", "application/json", headers=headers)


def test_every_answer_names_its_request(shop: Merchant, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    ids = set()
    for method, path, status in (
        ("GET", "/api/v1/charge", 200), ("GET", "/api/v1/charge/none", 400), ("POST", "/api/v1/charge", 400),
        ("GET", "/api/v1/nothing", 404), ("DELETE", "/api/v1/charge", 405), ("GET", "/openpix/testing", 400),
    ):  # fmt: skip
        answer = asked(shop, path, method)
        assert answer.status_code == status
        assert re.fullmatch("[0-9a-f]{32}", answer["X-Request-Id"])
        ids.add(answer["X-Request-Id"])
    assert len(ids) == 6
    assert asked(shop, "/api/v1/charge", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")["X-Request-Id"] == TRACE

    from payments import contract

    def broken(*given: Any) -> Any:
        logging.getLogger("payments").error("inside %s", trace.request_id())
        raise RuntimeError

    monkeypatch.setattr(contract, "company", broken)
    failed = asked(shop, "/api/v1/company")
    assert failed.status_code == 500
    assert f"inside {failed['X-Request-Id']}" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_webhooks_test_call_names_the_request_that_asked_for_it(shop: Merchant) -> None:
    with serve() as receiver:
        body = {"webhook": {"name": "a", "url": receiver.url}}
        answer = shop.post("/api/v1/webhook", body)
        assert answer.status_code == 200, answer.content
        assert receiver.got[0].headers["x-request-id"] == answer["X-Request-Id"]
        webhooks.send_test(shop.company, answer.json()["webhook"]["id"])  # outside of a request there is none
    assert receiver.got[1].headers["x-request-id"] == ""


def test_who_has_an_answer_is_told_so(shop: Merchant, rival: Merchant) -> None:
    making.charge(shop.company, correlation_id="a")
    first = asked(shop, "/api/v1/charge/a")
    tag = first["ETag"]
    assert first["Cache-Control"] == "private, no-cache"
    again = asked(shop, "/api/v1/charge/a", if_none_match=f'"other", {tag}')
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    assert asked(shop, "/api/v1/charge/a", "HEAD")["ETag"] == tag
    assert asked(shop, "/api/v1/charge/a", if_none_match='"other"').content == first.content
    assert asked(rival, "/api/v1/charge/a", if_none_match=tag).status_code == 400, "nobody learns that it is there"
    shop.company.charges.update(comment="another")
    changed = asked(shop, "/api/v1/charge/a", if_none_match=tag)
    assert (changed.status_code, changed["ETag"] == tag) == (200, False)
    for path in ("/api/v1/charge/none", "/api/v1/nothing"):
        assert "ETag" not in asked(shop, path)
    assert asked(shop, "/api/v1/webhook/public-keys")["Cache-Control"] == "public, max-age=3600"


def test_the_older_prefix_says_where_to_go(shop: Merchant) -> None:
    for path, successor in (("charge", "charge"), ("charge/a%2Fb%25", "charge/a%2Fb%25"), ("nothing/", "nothing")):
        answer = asked(shop, f"/api/openpix/v1/{path}")
        assert re.fullmatch(r"@\d{10}", answer["Deprecation"])
        assert answer["Link"].endswith('; rel="successor-version"')
        assert answer["Link"].startswith(f"</api/v1/{successor.partition('/')[0]}")
        assert "\n" not in answer["Link"]
    assert "Deprecation" not in asked(shop, "/api/v1/charge")


def test_routes_are_counted_and_not_paths(shop: Merchant, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_TOKEN = "a-token-of-sixteen"
    redis.client("limits").delete(routes.COUNTS)
    routes._counts.clear()
    assert Client().get("/metrics/api").status_code == 404
    making.charge(shop.company, correlation_id="a")

    def away(*given: Any) -> Any:
        raise RedisAway

    with monkeypatch.context() as broken:
        broken.setattr(redis, "client", away)
        routes._next = 0.0
        for path in ("charge/a", "charge/none", "charge/52998224725", "nothing"):
            asked(shop, f"/api/v1/{path}")
        headers = {"Authorization": "Bearer a-token-of-sixteen"}
        assert Client().get("/metrics/api", headers=headers).status_code == 503

    answer = Client().get("/metrics/api", headers=headers)
    text = answer.content.decode()
    route = 'method="GET",route="/api/v1/charge/<identifier>"'
    assert f'woovi_api_request_seconds_count{{{route},status="200"}} 1\n' in text, text
    assert f'woovi_api_request_seconds_count{{{route},status="400"}} 2\n' in text
    assert f'woovi_api_request_seconds_bucket{{{route},status="400",le="+Inf"}} 2\n' in text
    assert 'route="unknown",status="404"} 1\n' in text
    assert "52998224725" not in text
    assert json.dumps(sorted(routes._counts)) == "[]", "all are in Redis, and none counts twice"
