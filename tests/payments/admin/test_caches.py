"""The operators' page of caches, and warm_cache."""

from __future__ import annotations

import contextlib
import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from payments.models import User
from tests.bank_process import BankProcess
from tests.payments import making
from tests.topologies.topologies import Standalone
from woovi.cache import ReadThroughCache, readthrough, versioned

pytestmark = pytest.mark.django_db
SHIPPED = ("balance", "bank.account", "bank.charge", "bank.participants", "bank.token", "dict.entry", "overview.days")


@pytest.fixture
def cache(valkey: Standalone) -> Any:
    name = f"test-{uuid4().hex[:6]}"
    loads: list[Any] = []

    def load(**parts: Any) -> int:
        loads.append(parts)
        return len(loads)

    made = ReadThroughCache(name, load, key=("tenant", "bank", "id"), tags=("bank",), ttl=60, staleness="a minute old")
    yield made
    del readthrough.registry[name]


def operator(*rights: str) -> Client:
    user = User.objects.create_user(f"{uuid4().hex}@example.com", "x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def page(name: str) -> str:
    return reverse("admin:payments_cache_change", args=[name])


def get(cache: ReadThroughCache, tenant: int = 7, bank: str = "341", id: str = "a") -> int:  # noqa: A002
    return int(cache.get(tenant=tenant, bank=bank, id=id))


def test_the_list_shows_each_cache_and_its_figures(cache: ReadThroughCache) -> None:
    get(cache), get(cache), get(cache)
    shown = operator("view_cache").get(reverse("admin:payments_cache_changelist")).content.decode()
    assert all(name in shown for name in (cache.name, *SHIPPED, "a minute old", "66.7 %"))


def test_a_page_shows_the_breaker_and_nothing_to_press_without_the_right(cache: ReadThroughCache) -> None:
    get(cache)
    shown = operator("view_cache").get(page(cache.name)).content.decode()
    assert "closed" in shown
    assert "Drop" not in shown
    assert operator("view_cache").post(page(cache.name), {"drop": "tenant", "tenant-tenant": "7"}).status_code == 403
    assert operator().get(page(cache.name)).status_code == 403
    assert operator("view_cache").get(page("no such")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"drop": "entry", "entry-tenant": "7", "entry-bank": "341", "entry-id": "a"}, [False, True, True, True]),
        ({"drop": "tag", "tag-tenant": "7", "tag-bank": "341"}, [False, False, True, True]),
        ({"drop": "tenant", "tenant-tenant": "7"}, [False, False, False, True]),
    ],
)
def test_dropping_is_exact_and_in_the_log(cache: ReadThroughCache, fields: dict[str, str], kept: list[bool]) -> None:
    asked = [(7, "341", "a"), (7, "341", "b"), (7, "001", "a"), (8, "341", "a")]
    before = [get(cache, *each) for each in asked]
    client = operator("view_cache", "change_cache")
    answer = client.post(page(cache.name), fields, follow=True)
    assert "Dropped" in answer.content.decode()
    assert [get(cache, *each) == value for each, value in zip(asked, before, strict=True)] == kept
    entry = LogEntry.objects.latest("action_time")
    assert (entry.object_id, entry.object_repr) == (cache.name, cache.name)
    assert "Dropped" in entry.get_change_message()


def test_what_is_missing_is_said_at_its_field(cache: ReadThroughCache) -> None:
    answer = operator("view_cache", "change_cache").post(page(cache.name), {"drop": "entry", "entry-tenant": "7"})
    assert answer.content.decode().count("errorlist") == 2
    assert not LogEntry.objects.exists()


def test_a_balance_and_a_token_are_dropped(valkey: Standalone, bank_process: BankProcess) -> None:
    client = operator("view_cache", "change_cache")
    shop = making.company()
    assert (
        "Dropped"
        in client.post(page("balance"), {"drop": "entry", "entry-id": str(shop.pk)}, follow=True).content.decode()
    )
    assert "whole number" in client.post(page("balance"), {"drop": "entry", "entry-id": "x"}).content.decode()
    assert "Dropped." in client.post(page("bank.token"), {"drop": "token"}, follow=True).content.decode()
    assert "balance" in versioned.registry


def test_without_redis_the_pages_say_so(cache: ReadThroughCache, valkey: Standalone) -> None:
    valkey.servers[0].kill()
    client = operator("view_cache", "change_cache")
    assert "Redis does not answer" in client.get(reverse("admin:payments_cache_changelist")).content.decode()
    fields = {"drop": "tenant", "tenant-tenant": "7"}
    assert "Nothing was dropped" in client.post(page(cache.name), fields, follow=True).content.decode()
    assert not LogEntry.objects.exists()


def test_warm_cache_loads_what_should_be_there(valkey: Standalone, bank_process: BankProcess) -> None:
    out = StringIO()
    with contextlib.suppress(SystemExit):  # the answer says more
        call_command("warm_cache", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["errors"] == {}
    assert {name: count for name, count in answer["warm"].items() if count} == {
        "bank.account": 1,
        "bank.participants": 1,
        "bank.token": 1,
    }
    bank_process.faults(unavailable_percent=100)
    valkey.heal()  # emptied
    for tier in filter(None, (cache._tier for cache in readthrough.registry.values())):
        tier.empty()
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("warm_cache", stdout=out)
    assert "failed  bank.token: BankUnavailable" in out.getvalue()
    assert out.getvalue().splitlines()[-1].endswith(" 3 failed")
