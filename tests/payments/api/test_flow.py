"""The main job over real sockets: create by the API, pay at the bank's process, told by its callback."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from payments.models import Refund
from payments.services import customers
from payments.services.charges import returning
from tests.bank_process import BankProcess, eventually
from tests.payments import making
from tests.payments.api.conftest import Merchant, merchant
from woovi.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)
AWKWARD = ["a/b", "a%2Fb", "50%", "#1 ção", "x/refund", "💸", "a b+c", "..", "a?b=c&d", "fim/"]


@pytest.fixture
def shop(live_server: Any, settings: Any, bank: BankProcess) -> Merchant:
    settings.PUBLIC_URL = live_server.url
    return merchant()


@pytest.fixture
def api(live_server: Any, shop: Merchant) -> Any:
    with httpx.Client(base_url=live_server.url, headers={"Authorization": shop.app_id}) as client:
        yield client


@pytest.mark.parametrize("prefix", ["/api/v1", "/api/openpix/v1"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_created_paid_credited_and_given_back(
    api: httpx.Client, bank: BankProcess, shop: Merchant, prefix: str, slash: str
) -> None:
    for number in (1, 2):
        created = api.post(f"{prefix}/charge{slash}", json={"correlationID": f"pedido-{number}", "value": 1000})
        assert created.status_code == 200, created.text
        body = created.json()
        assert body["brCode"] == body["charge"]["brCode"]
        bank.pay(body["charge"]["transactionID"], callback="duplicate")
        path = f"{prefix}/charge/pedido-{number}"
        eventually(lambda path=path: api.get(path).json()["charge"]["status"] == "COMPLETED")

    account = api.get(f"{prefix}/account{slash}").json()["accounts"][0]
    assert account["balance"]["available"] == 1900
    asked = {"correlationID": "devolucao-1", "value": 400, "comment": "Desculpe"}
    refund = api.post(f"{prefix}/charge/pedido-1/refund{slash}", json=asked).json()["refund"]
    assert (refund["status"], refund["value"], refund["comment"]) == ("IN_PROCESSING", 400, "Desculpe")
    returning.send(Refund.objects.get().pk)

    listed = api.get(f"{prefix}/charge/pedido-1/refund").json()["refunds"]
    assert [(each["status"], each["endToEndId"][0]) for each in listed] == [("CONFIRMED", "D")]
    assert api.get(f"{prefix}/account/{account['accountId']}").json()["account"]["balance"]["total"] == 1500


def test_a_return_that_ends_later_is_told_by_the_callback(api: httpx.Client, bank: BankProcess, shop: Merchant) -> None:
    bank.faults(settle_ms=400)
    for number in (1, 2):
        txid = api.post("/api/v1/charge", json={"correlationID": str(number), "value": 1000}).json()["charge"]
        bank.pay(txid["transactionID"])
        eventually(lambda n=number: api.get(f"/api/v1/charge/{n}").json()["charge"]["status"] == "COMPLETED")
    api.post("/api/v1/charge/1/refund", json={"correlationID": "r"}).raise_for_status()

    assert returning.send(Refund.objects.get().pk).status == "IN_PROCESSING"

    eventually(lambda: Refund.objects.get().status == "CONFIRMED")
    assert making.balances(shop.company)["MERCHANT"] == 900


def test_paid_twice_over_is_credited_once_and_given_back_once(
    api: httpx.Client, bank: BankProcess, shop: Merchant
) -> None:
    txid = api.post("/api/v1/charge", json={"correlationID": "1", "value": 1000}).json()["charge"]["transactionID"]
    bank.pay(txid, callback="duplicate")
    bank.pay(txid, callback="duplicate", force=True)

    eventually(lambda: Refund.objects.filter(automatic=True).count() == 1)
    returning.send(Refund.objects.get().pk)

    assert making.balances(shop.company) == {"CLEARING": -1000, "MERCHANT": 950, "FEES": 50, "SUSPENSE": 0}


@pytest.mark.parametrize("correlation_id", AWKWARD)
def test_awkward_ids_are_read_from_the_raw_path(correlation_id: str) -> None:
    """Through ASGI, as served: there the path comes encoded too."""
    shop = merchant()
    charge = making.charge(shop.company, correlation_id=correlation_id)
    customers.create(shop.company, customers.CustomerRequest("Ana", correlation_id, making.ANA))
    segment = quote(correlation_id, safe="").replace(".", "%2E")

    async def ask(*paths: str) -> list[Any]:
        headers = {"Authorization": shop.app_id}
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
            return [(await client.get(path)).json() for path in paths]

    paths = (f"/api/v1/charge/{segment}", f"/api/v1/charge/{segment}/refund/", f"/api/v1/customer/{segment}")
    read, refunds_of, customer = asyncio.run(ask(*paths))

    assert read["charge"]["transactionID"] == charge.txid
    assert refunds_of["refunds"] == []
    assert customer["customer"]["correlationID"] == correlation_id


def test_a_bank_that_is_away_is_503_and_the_same_request_goes_on(
    api: httpx.Client, bank: BankProcess, shop: Merchant
) -> None:
    asked = {"correlationID": "1", "value": 1000}
    bank.faults(unavailable_percent=100)
    refused = api.post("/api/v1/charge", json=asked)
    assert (refused.status_code, list(refused.json())) == (503, ["error"]), refused.text
    assert api.get("/api/v1/charge/1").status_code == 400
    assert api.get("/api/v1/charge").json()["charges"] == []

    bank.faults()
    assert api.post("/api/v1/charge", json=asked).status_code == 200

    again = api.post("/api/v1/charge", json=asked)
    assert again.status_code == 400
    assert "correlationID" in again.json()["error"]
    for flag in ("?return_existing=true", "?return_existing=True", "?return_existing"):
        assert api.post(f"/api/v1/charge{flag}", json=asked).json()["charge"]["correlationID"] == "1"
