"""Participants, the platform's account and a charge at the bank: cached, and told while the bank is down."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from payments.models import Charge
from payments.selectors import bank_reads
from payments.services import charges
from payments.services.charges import ChargeRequest
from tests.bank_process import BankProcess, eventually
from tests.payments import making
from tests.payments.admin.test_caches import operator
from tests.payments.api.conftest import Merchant, merchant
from woovi.cache import LoadFailed, news

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def bank(bank_process: BankProcess, valkey: Any, monkeypatch: pytest.MonkeyPatch) -> BankProcess:
    """A quiet bank, of which nothing is known yet. Failures are tried again at once."""
    monkeypatch.setattr(news, "news", news.News())
    for cache in (bank_reads._participants, bank_reads._account, bank_reads._charge):
        if cache._tier:
            cache._tier.empty()
        monkeypatch.setattr(cache, "failure_pause", 0.05)
    return bank_process


@pytest.fixture
def shop(db: None) -> Merchant:
    return merchant()


@pytest.fixture
def charge(shop: Merchant) -> Charge:
    return charges.create(shop.company, ChargeRequest("pedido-1", 1000))


# ── participants ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_is_filtered_and_in_the_contracts_shape(shop: Merchant) -> None:
    whole = shop.get("/api/v1/psp").json()
    assert whole["success"] is True
    assert len(whole["psps"]) > 5
    assert [row["name"] for row in whole["psps"]] == sorted(
        (row["name"] for row in whole["psps"]), key=bank_reads._plain
    )
    brasil = {"name": "BCO DO BRASIL S.A.", "ispb": "00000000", "code": "00000000", "compe": "001"}
    for query in ({"ispb": "0"}, {"compe": "001"}, {"compe": "1"}, {"name": "do brasil"}):
        assert shop.get("/api/v1/psp", **query).json()["psps"] == [brasil]
    assert [row["compe"] for row in shop.get("/api/v1/psp", name="woovi").json()["psps"]] == [None]
    assert [row["ispb"] for row in shop.get("/api/v1/psp", name="itau").json()["psps"]] == ["60701190"]
    assert shop.get("/api/v1/psp", name="itau", compe="001").json()["psps"] == []
    assert shop.get("/api/v1/psp", name="x" * 256).json()["error"].startswith("name: ")


def test_the_list_is_asked_for_once_and_outlives_the_bank(shop: Merchant, bank: BankProcess) -> None:
    before = bank_reads._participants.counts.miss
    first = shop.get("/api/v1/psp").json()
    bank.faults(unavailable_percent=100)
    assert shop.get("/api/v1/psp").json() == first
    assert bank_reads._participants.counts.miss == before + 1


def test_without_list_and_bank_there_is_an_error_that_passes(shop: Merchant, bank: BankProcess) -> None:
    bank.faults(unavailable_percent=100)
    answer = shop.get("/api/v1/psp")
    assert (answer.status_code, answer.json()) == (503, {"error": "The bank does not answer. Ask again in a moment"})
    bank.faults()
    eventually(lambda: shop.get("/api/v1/psp").status_code == 200)


# ── the account ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_account_is_known_while_the_bank_is_down(bank: BankProcess) -> None:
    found = bank_reads.account()
    assert (found.ispb, found.branch, found.number) == ("54811417", "0001", "0001234567")
    bank.faults(unavailable_percent=100)
    assert bank_reads.account() == found


def test_an_account_that_was_never_read_fails(bank: BankProcess) -> None:
    bank.faults(unavailable_percent=100)
    with pytest.raises(LoadFailed, match="BankUnavailable"):
        bank_reads.account()


# ── a charge ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_charge_is_shown_as_the_bank_has_it_and_asked_for_once(charge: Charge, bank: BankProcess) -> None:
    first = bank_reads.at_bank(charge)
    assert (first.status, first.value, first.paid) == ("ATIVA", 1000, 0)
    bank.pay(charge.txid, callback="lost")
    assert bank_reads.at_bank(charge) == first  # of up to ten seconds ago
    bank_reads._charge.invalidate(tenant=charge.company_id, txid=charge.txid)
    now = bank_reads.at_bank(charge)
    assert (now.status, now.paid) == ("CONCLUIDA", 1000)
    assert Charge.objects.get(pk=charge.pk).status == "ACTIVE"  # looking changes nothing


def test_a_charge_that_the_bank_does_not_know(shop: Merchant) -> None:
    unknown = making.charge(shop.company)
    before = bank_reads._charge.counts.miss
    for _ in range(2):
        with pytest.raises(bank_reads.NotAtBank):
            bank_reads.at_bank(unknown)
    assert bank_reads._charge.counts.miss == before + 1


def test_operators_ask_the_bank_only_where_they_press(charge: Charge, bank: BankProcess) -> None:
    page = reverse("admin:payments_charge_change", args=[charge.pk])
    before = bank_reads._charge.counts.miss
    assert "Ask the bank" in operator("view_charge").get(page).content.decode()
    assert bank_reads._charge.counts.miss == before
    shown = operator("view_charge").get(f"{page}?bank").content.decode()
    assert "ATIVA, R$\xa010,00, paid R$\xa00,00, as of " in shown.replace("R$ ", "R$\xa0")


def test_operators_see_that_the_bank_is_down(charge: Charge, bank: BankProcess) -> None:
    bank.faults(unavailable_percent=100)
    page = reverse("admin:payments_charge_change", args=[charge.pk])
    assert "The bank does not answer" in operator("view_charge").get(f"{page}?bank").content.decode()
    bank.faults()
    eventually(lambda: "ATIVA" in operator("view_charge").get(f"{page}?bank").content.decode())
