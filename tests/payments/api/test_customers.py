"""Customers: kept once, changed in part, and remembered from charges."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from payments.models import Customer
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant

pytestmark = pytest.mark.django_db
ANA = {"name": "Ana", "taxID": "111.444.777-35", "email": "ana@example.com", "correlationID": "b %#ç"}
SHOWN = {**ANA, "taxID": {"taxID": making.ANA, "type": "BR:CPF"}}
QUOTED = quote(ANA["correlationID"])


def test_a_customer_is_made_and_found_by_each_of_its_ids(shop: Merchant) -> None:
    assert shop.post("/api/v1/customer", ANA).json() == {"customer": SHOWN}
    for identifier in (QUOTED, making.ANA, "111.444.777-35"):
        assert shop.get(f"/api/v1/customer/{identifier}").json() == {"customer": SHOWN}
    listed = shop.get("/api/v1/customer").json()
    assert listed["customers"] == [SHOWN]
    assert listed["pageInfo"]["totalCount"] == 1


def test_the_same_request_again_gives_the_first(shop: Merchant) -> None:
    first = shop.post("/api/v1/customer", ANA)
    again = shop.post("/api/v1/customer", ANA)
    assert (first.json(), Customer.objects.count()) == (again.json(), 1)


@pytest.mark.parametrize("other", [{"name": "Bia"}, {"correlationID": "other"}, {"phone": "+5511999991234"}])
def test_another_customer_of_a_used_id_is_refused(shop: Merchant, other: dict[str, Any]) -> None:
    shop.post("/api/v1/customer", ANA)
    answer = shop.post("/api/v1/customer", ANA | other)
    assert answer.status_code == 400
    assert "already another customer" in answer.json()["error"]
    assert Customer.objects.get().name == "Ana"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Ana"}, "taxID"),
        ({"name": " ", "email": "a@b.co"}, "name"),
        ({"email": "a@b.co"}, "name"),
        ({"name": "Ana", "taxID": "111.444.777-36"}, "taxID"),
        ({"name": "Ana", "taxID": True}, "taxID"),
        ({"name": "A\0", "email": "a@b.co"}, "name"),
    ],
)
def test_what_cannot_be_a_customer_is_refused_by_its_field(shop: Merchant, body: dict[str, Any], field: str) -> None:
    answer = shop.post("/api/v1/customer", body)
    assert answer.status_code == 400
    assert field in answer.json()["error"]
    assert not Customer.objects.exists()


def test_a_change_touches_what_is_sent_alone(shop: Merchant) -> None:
    shop.post("/api/v1/customer", ANA | {"address": {"city": "Recife", "state": "PE"}})
    answer = shop.send("PATCH", f"/api/v1/customer/{QUOTED}", {"phone": "5511999991234", "address": {"city": "Olinda"}})
    expected = SHOWN | {"phone": "5511999991234", "address": {"city": "Olinda", "state": "PE"}}
    assert answer.json() == {"customer": expected}


def test_a_tax_id_is_set_once(shop: Merchant) -> None:
    shop.post("/api/v1/customer", {"name": "Bia", "email": "bia@example.com", "correlationID": "bia"})
    assert shop.send("PATCH", "/api/v1/customer/bia", {"taxID": making.BIA}).status_code == 200
    answer = shop.send("PATCH", "/api/v1/customer/bia", {"taxID": making.ANA})
    assert answer.json() == {"error": "taxID cannot be changed"}
    assert Customer.objects.get().tax_id == making.BIA


def test_a_tax_id_of_somebody_else_is_refused(shop: Merchant) -> None:
    shop.post("/api/v1/customer", ANA)
    shop.post("/api/v1/customer", {"name": "Bia", "email": "bia@example.com", "correlationID": "bia"})
    assert shop.send("PATCH", "/api/v1/customer/bia", {"taxID": making.ANA}).status_code == 400


def test_without_a_correlation_id_one_is_made(shop: Merchant) -> None:
    made = shop.post("/api/v1/customer", {"name": "Bia", "email": "bia@example.com"}).json()["customer"]
    assert len(made["correlationID"]) == 36
    assert shop.get(f"/api/v1/customer/{made['correlationID']}").json()["customer"] == made


def test_a_change_finds_the_customer_by_tax_id_too(shop: Merchant) -> None:
    shop.post("/api/v1/customer", ANA)
    answer = shop.send("PATCH", f"/api/v1/customer/{making.ANA}", {"name": "Ana Maria"})
    assert answer.json()["customer"]["name"] == "Ana Maria"


def test_two_companies_may_have_the_same_customer(shop: Merchant, rival: Merchant) -> None:
    assert shop.post("/api/v1/customer", ANA).status_code == 200
    assert rival.post("/api/v1/customer", ANA).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_charge_s_customer_is_kept_once(shop: Merchant, bank: BankProcess) -> None:
    for number in range(2):
        body = {"correlationID": f"pedido-{number}", "value": 100, "customer": ANA}
        assert shop.post("/api/v1/charge", body).status_code == 200
    assert shop.get("/api/v1/customer").json()["customers"] == [SHOWN]
