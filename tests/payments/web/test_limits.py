"""The page of limits and fees: what is agreed, what is used and left now."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from payments.models import Company
from payments.services import transfer_limits
from tests.payments import making
from tests.payments.web.test_charges import text
from woovi.ratelimit import store, take


def money(page: str, name: str) -> str:
    return page.split(f'id="{name}">')[1].split("<")[0]


def test_what_is_agreed_used_and_left(
    merchant: Client, company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    page = text(merchant, "/limits")
    assert page.count("No limit") == 3
    assert 'id="left"' not in page
    assert all(words in page for words in ("0.80%", "R$ 0,50", "R$ 5,00"))
    company.payment_limit, company.day_limit, company.night_limit, company.payments_frozen = (
        10_000,
        50_000,
        50_000,
        True,
    )
    company.save()
    rival = making.company(day_limit=90_000, night_limit=90_000)
    now = timezone.now()
    transfer_limits.take(company.pk, 12_345, now)
    transfer_limits.take(rival.pk, 80_000, now)
    # Session, person, company, head of its log, what was sent, the balance.
    with django_assert_max_num_queries(7):
        page = text(merchant, "/limits")
    if transfer_limits.period(timezone.now()) == transfer_limits.period(now):  # it may have just begun another
        assert (money(page, "used"), money(page, "left")) == ("R$ 123,45", "R$ 376,55")
    assert "R$ 100,00" in page
    assert "have frozen payments" in page
    part = text(merchant, "/limits", **{"HX-Request": "true"})
    assert "<html" not in part


def test_what_programs_may_ask_is_the_companys_and_looking_costs_nothing(
    merchant: Client, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = store.current().defaults
    slow = replace(now["api.lookups"], per=6_000_000)  # seconds: nothing comes back while the test runs
    monkeypatch.setattr(store._store, "_limits", store.Limits({**now, "api.lookups": slow}))

    def left() -> int:
        row = re.search(r"Look-ups by id.*?</tr>", text(merchant, "/limits"), re.S)
        assert row
        return int(re.findall(r'"money">([\d,]+)<', row[0])[2].replace(",", ""))

    def use(owner: Company, cost: int) -> None:
        assert take(*store.current().asks(["api.lookups"], {"company": str(owner.pk)}, cost=cost)).allowed

    assert (left(), left()) == (2_400, 2_400)
    use(making.company(), 2_000)
    assert left() == 2_400, "another company's are its own"
    use(company, 1_000)
    assert left() == 1_400
