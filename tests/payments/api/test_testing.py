"""GET /openpix/testing pays a charge at the simulated bank, for its own company and never in production."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from payments.models import Charge
from payments.services import reconciliation
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/openpix/testing"


def status() -> str:
    reconciliation.run()
    return Charge.objects.get().status


@pytest.mark.parametrize("name", ["transactionID", "identifier"])
def test_it_pays(shop: Merchant, bank: BankProcess, name: str) -> None:
    charge = shop.post("/api/v1/charge", {"correlationID": "a", "value": 100}).json()["charge"]
    answer = shop.get(PATH, **{name: charge["transactionID"]})
    assert (answer.status_code, answer.json()["transactionID"]) == (200, charge["transactionID"])
    assert status() == "COMPLETED"
    again = shop.get(PATH, transactionID=charge["transactionID"])
    assert (again.status_code, list(again.json())) == (400, ["error"])


def test_it_pays_as_the_customer_who_alone_may(shop: Merchant, bank: BankProcess) -> None:
    customer = {"name": "Ana", "taxID": making.ANA}
    body = {"correlationID": "a", "value": 100, "customer": customer, "ensureSameTaxID": True}
    charge = shop.post("/api/v1/charge", body).json()["charge"]
    assert shop.get(PATH, identifier=charge["transactionID"]).status_code == 200
    assert status() == "COMPLETED"


def test_a_rival_and_a_stranger_pay_nothing(shop: Merchant, rival: Merchant, bank: BankProcess) -> None:
    charge = shop.post("/api/v1/charge", {"correlationID": "a", "value": 100}).json()["charge"]
    assert rival.get(PATH, transactionID=charge["transactionID"]).json() == {"error": "Charge not found"}
    assert Client().get(PATH, {"transactionID": charge["transactionID"]}).status_code == 401
    assert shop.get(PATH).status_code == 400
    assert status() == "ACTIVE"


def test_production_does_not_have_it(shop: Merchant, bank: BankProcess, settings: Any) -> None:
    charge = shop.post("/api/v1/charge", {"correlationID": "a", "value": 100}).json()["charge"]
    settings.PRODUCTION = True
    assert shop.get(PATH, transactionID=charge["transactionID"]).status_code == 404
    assert status() == "ACTIVE"


def test_without_the_bank_it_says_so(shop: Merchant, bank: BankProcess, settings: Any) -> None:
    charge = shop.post("/api/v1/charge", {"correlationID": "a", "value": 100}).json()["charge"]
    settings.BANK_URL = "http://127.0.0.1:9"
    assert shop.get(PATH, transactionID=charge["transactionID"]).status_code == 503
