"""Operators see who is limited, let them go, and change limits; the log says what was and what became."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.topologies.topologies import Standalone
from woovi.ratelimit import Ask, Subject, seen, store, take
from woovi.ratelimit.models import LimitPolicy

HOME = "/admin/ratelimit/limitpolicy/"
FORM = {"name": "api.company", "key": "company", "limit": "100", "per": "60", "burst": "0", "mode": "shadow", "without_redis": "local", "plan": "", "subject": "company:7", "blocks": "", "reason": "x"}  # fmt: skip


@pytest.fixture
def operator(client: Client, db: None, valkey: Standalone) -> Client:
    model: Any = get_user_model()
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(model.objects.create_superuser("op@example.com", "correct horse battery"))
    return client


def test_who_is_limited_is_seen_and_let_go(operator: Client) -> None:
    asked = Ask(store.shipped()["login.account"], Subject("account", "ana@example.com"))
    while take(asked).allowed:
        pass
    page = operator.get(HOME + "now/").content.decode()
    assert "account a***@example.com" in page
    assert "ana@example.com" not in page
    (found,) = seen.limited()
    sent = {"policy": found.policy, "digest": found.digest, "label": found.label}
    assert operator.post(HOME + "unblock/", sent).status_code == 302
    assert seen.limited()[0].seconds > 0, "nothing without a reason"
    assert operator.post(HOME + "unblock/", {**sent, "reason": "she called"}).status_code == 302
    assert seen.limited()[0].seconds == 0
    assert "Unblocked account a***@example.com. Reason: she called" in LogEntry.objects.get().change_message


def test_unblocking_needs_the_right_and_a_post(operator: Client) -> None:
    assert operator.get(HOME + "unblock/").status_code == 403
    model: Any = get_user_model()
    operator.force_login(model.objects.create_user("staff@example.com", "correct horse battery", is_staff=True))
    assert operator.get(HOME + "now/").status_code == 403
    assert operator.post(HOME + "unblock/").status_code == 403


def test_all_policies_take_one_query(operator: Client) -> None:
    for policy in list(store.shipped().values())[:10]:
        LimitPolicy.objects.create(name=policy.name, key=policy.key, limit=policy.limit, per=policy.per)
    operator.get(HOME + "now/")
    with CaptureQueriesContext(connection) as queries:
        page = operator.get(HOME + "now/").content.decode()
    assert page.count("/change/") >= 10
    assert len(queries) <= 8


def test_what_a_shadow_would_refuse_is_seen(operator: Client) -> None:
    from dataclasses import replace

    shadow = replace(store.shipped()["api.company"], limit=3, burst=0, mode="shadow")
    LimitPolicy.objects.create(name="api.company", key="company", limit=3, per=60, mode="shadow")
    for _ in range(4):
        take(Ask(shadow, Subject("company", "7")))
    page = operator.get(HOME + "now/").content.decode()
    assert "25.00 %" in page or "25,00 %" in page


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "nothing", "No limit of the platform has this name."),
        ("key", "address", "api.company counts by company."),
        ("limit", "0", "greater than or equal to 1"),
        ("per", "0", "greater than or equal to"),
        ("blocks", "soon", "must be seconds"),
        ("subject", "seven", "must be kind:value"),
        ("plan", "big", "limit_policy_scope"),
    ],
)
def test_nonsense_is_refused_at_its_field(operator: Client, field: str, value: str, says: str) -> None:
    answer = operator.post(HOME + "add/", {**FORM, field: value}, headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert says in answer.content.decode()


def test_the_form_of_a_shipped_limit_is_filled(operator: Client) -> None:
    page = operator.get(HOME + "now/").content.decode()
    assert "name=login.account&amp;key=account&amp;limit=5" in page


def test_the_page_is_there_without_redis(operator: Client, valkey: Standalone) -> None:
    valkey.servers[0].kill()
    page = operator.get(HOME + "now/")
    assert page.status_code == 200
    assert b"Redis does not answer" in page.content


def test_prometheus_shows_its_token(client: Client, valkey: Standalone, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics/ratelimit", headers={"Authorization": "Bearer "}).status_code == 404
    settings.METRICS_TOKEN = "secret"
    assert client.get("/metrics/ratelimit").status_code == 404
    take(Ask(store.shipped()["login.device"], Subject("device", "x")))
    answer = client.get("/metrics/ratelimit", headers={"Authorization": "Bearer secret"})
    assert b'policy="login.device",outcome="allowed"}' in answer.content
    valkey.servers[0].kill()
    assert client.get("/metrics/ratelimit", headers={"Authorization": "Bearer secret"}).status_code == 503
