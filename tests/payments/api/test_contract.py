"""Shapes of answers, who may ask, and that nobody sees another's."""

from __future__ import annotations

import base64
import json
import logging
import struct
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from payments.models import Account, Charge, Customer, Payment, ReceivedPix
from payments.services import companies, customers
from payments.services.charges import receiving, refunds
from tests.payments import making
from tests.payments.api.conftest import Merchant
from tests.payments.api.schema import SCHEMA

pytestmark = pytest.mark.django_db
NO_APP_ID = {"data": None, "errors": [{"message": "appID inválido"}]}
CUSTOMER = {"name": "Ana", "taxID": making.ANA, "email": "ana@example.com"}


@pytest.fixture
def paid(shop: Merchant) -> Charge:
    charge = making.charge(
        shop.company,
        1000,
        correlation_id="pedido-1",
        customer=CUSTOMER,
        additional_info=[{"key": "Cor", "value": "Azul"}],
    )
    receiving.receive(making.pix(charge), making.NOW)
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=500), making.NOW)
    return Charge.objects.get(pk=charge.pk)


def test_a_charge(shop: Merchant, paid: Charge, settings: Any) -> None:
    shown = shop.get("/api/v1/charge/pedido-1").json()["charge"]

    assert shown.pop("paymentMethods") == {
        "pix": {
            "method": "PIX_COB", "txId": paid.txid, "value": 1000, "status": "COMPLETED", "fee": 50,
            "brCode": paid.br_code, "transactionID": paid.txid, "identifier": paid.txid,
            "qrCodeImage": shown["qrCodeImage"], "additionalInfo": [{"key": "Cor", "value": "Azul"}],
        }
    }  # fmt: skip
    assert shown == {
        "value": 1000,
        "customer": {**CUSTOMER, "taxID": {"taxID": making.ANA, "type": "BR:CPF"}},
        "type": "DYNAMIC",
        "comment": "",
        "brCode": paid.br_code,
        "status": "COMPLETED",
        "correlationID": "pedido-1",
        "paymentLinkID": str(paid.payment_link_id),
        "paymentLinkUrl": f"{settings.PUBLIC_URL}/pay/{paid.payment_link_id}",
        "globalID": base64.b64encode(f"Charge:{paid.public_id}".encode()).decode(),
        "transactionID": paid.txid,
        "identifier": paid.txid,
        "qrCodeImage": f"{settings.PUBLIC_URL}/openpix/charge/brcode/image/{paid.payment_link_id}.png",
        "additionalInfo": [{"key": "Cor", "value": "Azul"}],
        "pixKey": shop.company.pix_key,
        "createdAt": "2026-03-02T17:28:51.000Z",
        "updatedAt": "2026-03-02T17:28:51.000Z",
        "expiresIn": 3600,
        "expiresDate": "2026-03-02T18:28:51.000Z",
        "fee": 50,
        "discount": 0,
        "valueWithDiscount": 1000,
        "ensureSameTaxID": False,
        "paidAt": "2026-03-02T17:29:51.000Z",
        "payer": {"name": "Bia", "taxID": {"taxID": making.BIA, "type": "BR:CPF"}},
    }


def test_what_is_absent_is_left_out(shop: Merchant) -> None:
    making.charge(shop.company, correlation_id="plain")
    shown = shop.get("/api/v1/charge/plain").json()["charge"]
    assert not {"customer", "paidAt", "payer", "splits", "subaccount"} & set(shown)
    assert None not in shown.values()


def test_a_charge_is_found_by_each_of_its_ids(shop: Merchant, paid: Charge) -> None:
    global_id = base64.b64encode(f"Charge:{paid.public_id}".encode()).decode()
    for identifier in ("pedido-1", paid.public_id, global_id, paid.txid):
        assert shop.get(f"/api/v1/charge/{identifier}").json()["charge"]["correlationID"] == "pedido-1"


def test_the_list_is_cut_and_filtered(shop: Merchant, paid: Charge) -> None:
    for number in range(4):
        making.charge(shop.company, correlation_id=f"n{number}", created_at=making.NOW + timedelta(minutes=number + 1))

    page = shop.get("/api/v1/charge", skip=1, limit=2).json()
    assert [each["correlationID"] for each in page["charges"]] == ["n2", "n1"]
    assert page["pageInfo"] == {
        "skip": 1, "limit": 2, "totalCount": 5, "hasPreviousPage": True, "hasNextPage": True, "errors": [],
    }  # fmt: skip

    def found(**query: Any) -> list[str]:
        return [each["correlationID"] for each in shop.get("/api/v1/charge", **query).json()["charges"]]

    assert found(status="COMPLETED") == ["pedido-1"]
    assert found(start="2026-03-02T17:31:51Z", end="2026-03-02T17:32:51.000Z") == ["n3", "n2"]
    assert found(start="2026-03-02T14:31:51-03:00") == ["n3", "n2"]
    assert found(end="2026-03-01", start="") == []
    assert shop.get("/api/v1/charge/").status_code == 200


def test_the_list_asks_as_often_for_many_as_for_one(
    shop: Merchant, paid: Charge, django_assert_num_queries: Any
) -> None:
    for _ in range(5):
        making.charge(shop.company)
    with django_assert_num_queries(3):  # count, charges, their Pix; the application's statement is prepared
        shop.get("/api/v1/charge")


def test_refunds(shop: Merchant, paid: Charge) -> None:
    asked = {"correlationID": "devolucao-1", "value": 300}
    refunds_path = "/api/v1/charge/pedido-1/refund"
    assert paid.paid_at
    made = refunds.request(shop.company, paid, "devolucao-1", 300, now=paid.paid_at)

    assert shop.get(refunds_path).json()["refunds"] == [
        {
            "value": 300,
            "status": "IN_PROCESSING",
            "correlationID": "devolucao-1",
            "time": "2026-03-02T17:29:51.000Z",
            "comment": "",
        }
    ]
    assert shop.post(refunds_path, asked).json()["refund"]["time"] == "2026-03-02T17:29:51.000Z"  # the first again
    assert shop.post(refunds_path, {**asked, "value": 301}).status_code == 400
    assert made.received.refunds.count() == 1


def test_company_and_account(shop: Merchant, paid: Charge) -> None:
    company = shop.company
    assert shop.get("/api/v1/company").json() == {
        "company": {
            "officialName": company.official_name,
            "tradeName": company.trade_name,
            "taxID": company.tax_id,
            "correlationID": str(company.correlation_id),
        }
    }
    listed = shop.get("/api/v1/account/").json()
    [account] = listed["accounts"]
    assert account["balance"] == {
        "total": 1400, "blocked": 0, "available": 1400, "blockedBySecurity": 0, "blockedByWithdrawSafety": 0,
    }  # fmt: skip
    assert account["isDefault"] is True
    assert (account["branch"], len(account["account"])) == ("0001", 10)
    assert listed["pageInfo"]["totalCount"] == 1
    assert shop.get(f"/api/v1/account/{account['accountId']}").json()["account"] == account


def test_images(shop: Merchant, paid: Charge) -> None:
    path = f"/openpix/charge/brcode/image/{paid.payment_link_id}"
    client = Client()
    for query, size in (("", 1024), ("?size=600", 600), ("?size=769", 769), ("?size=4096", 4096)):
        png = client.get(f"{path}.png{query}")
        assert png["Content-Type"] == "image/png"
        assert struct.unpack(">II", png.content[16:24]) == (size, size)
        at = png.content.index(b"IDAT") + 4
        (length,) = struct.unpack(">I", png.content[at - 8 : at - 4])
        assert len(zlib.decompress(png.content[at : at + length])) == size * (1 + (size + 7) // 8)
    for size in ("599", "4097", "x", "-1", "1e3", "٩٩٩", "9" * 5000):
        assert client.get(f"{path}.png", {"size": size}).status_code == 400
    svg = client.get(f"{path}.svg")
    assert svg["Content-Type"] == "image/svg+xml"
    assert b"<svg" in svg.content
    as_text = client.get(f"/api/image/qrcode/base64/{paid.payment_link_id}").json()
    assert as_text["success"] is True
    assert base64.b64decode(as_text["imageBase64"].removeprefix("data:image/png;base64,"))[:4] == b"\x89PNG"
    unknown = "00000000-0000-4000-8000-000000000000"
    assert client.get(f"/openpix/charge/brcode/image/{unknown}.png").status_code == 404
    assert client.get(f"/api/image/qrcode/base64/{unknown}").json()["success"] is False


ENDPOINTS = [
    ("GET", "/api/v1/charge"),
    ("POST", "/api/v1/charge"),
    ("GET", "/api/v1/charge/pedido-1"),
    ("PATCH", "/api/v1/charge/pedido-1"),
    ("DELETE", "/api/v1/charge/pedido-1"),
    ("GET", "/api/v1/charge/pedido-1/refund"),
    ("POST", "/api/v1/charge/pedido-1/refund"),
    ("GET", "/api/v1/payment"),
    ("POST", "/api/v1/payment"),
    ("POST", "/api/v1/payment/approve"),
    ("GET", "/api/v1/payment/pedido-1"),
    ("GET", "/api/v1/company"),
    ("GET", "/api/v1/account"),
    ("POST", "/api/v1/account"),
    ("GET", "/api/v1/account/{account}"),
    ("DELETE", "/api/v1/account/{account}"),
    ("GET", "/api/v1/limits/{account}"),
    ("GET", "/api/v1/psp"),
    ("GET", "/api/v1/pix-keys/chave/check"),
    ("POST", "/api/v1/pix-keys/check"),
    ("POST", "/api/v1/customer"),
    ("GET", "/api/v1/customer"),
    ("GET", "/api/v1/customer/cliente-1"),
    ("PATCH", "/api/v1/customer/cliente-1"),
    ("POST", "/api/v1/refund"),
    ("GET", "/api/v1/refund"),
    ("GET", "/api/v1/refund/devolucao-1"),
    ("POST", "/api/v1/qrcode-static"),
    ("GET", "/api/v1/qrcode-static"),
    ("GET", "/api/v1/qrcode-static/balcao"),
    ("DELETE", "/api/v1/qrcode-static/balcao"),
    ("POST", "/api/v1/decode/emv"),
    ("GET", "/api/v1/transaction"),
    ("GET", "/api/v1/transaction/{transaction}"),
    ("GET", "/api/v1/statement"),
    ("GET", "/api/v1/pix-keys/tokens"),
    ("GET", "/api/v1/pix-keys/tokens/logs"),
    ("GET", "/api/v1/webhook"),
    ("POST", "/api/v1/webhook"),
    ("GET", "/api/v1/webhook/events"),
    ("GET", "/api/v1/webhook/ips"),
    ("PATCH", "/api/v1/webhook/1"),
    ("DELETE", "/api/v1/webhook/1"),
    ("POST", "/api/v1/application"),
    ("DELETE", "/api/v1/application"),
    ("POST", "/api/v1/application/rotate-secret"),
    ("GET", "/api/v1/application/scopes"),
    ("POST", "/api/v1/transfer"),
    ("POST", "/api/v1/account/{account}/withdraw"),
    ("POST", "/api/v1/account/{account}"),
    ("GET", "/api/v1/pix-keys"),
    ("POST", "/api/v1/pix-keys"),
    ("DELETE", "/api/v1/pix-keys/chave"),
    ("PUT", "/api/v1/pix-keys/chave/default"),
    ("POST", "/api/v1/pix-keys/chave/default"),
    ("POST", "/api/v1/subaccount"),
    ("GET", "/api/v1/subaccount"),
    ("POST", "/api/v1/subaccount/transfer"),
    ("GET", "/api/v1/subaccount/chave"),
    ("DELETE", "/api/v1/subaccount/chave"),
    ("POST", "/api/v1/subaccount/chave/credit"),
    ("POST", "/api/v1/subaccount/chave/debit"),
    ("POST", "/api/v1/subaccount/chave/withdraw"),
    ("GET", "/api/v1/subaccount/chave/statement"),
]


@pytest.mark.parametrize(
    "header", [None, "", "x", "Basic", "Basic x", "Bearer {app}", "ção", "{half}", "\u0000", "{other}"]
)
def test_nobody_without_an_app_id(shop: Merchant, header: str | None) -> None:
    pair = base64.b64decode(shop.app_id).decode().partition(":")
    half = base64.b64encode(f"{pair[0]}:".encode()).decode()
    other = base64.b64encode(f"{pair[0]}:Client_Secret_wrong".encode()).decode()
    given = {} if header is None else {"HTTP_AUTHORIZATION": header.format(app=shop.app_id, half=half, other=other)}
    for number, (method, path) in enumerate(ENDPOINTS):
        body = b"" if method in {"GET", "DELETE"} else b"{}"
        stranger = Client(REMOTE_ADDR=f"198.51.{number}.7")  # of a network of its own: one that fails often is limited
        answer = stranger.generic(method, path, body, "application/json", **given)
        assert (answer.status_code, answer.json()) == (401, NO_APP_ID), (method, path)


def test_raw_and_basic_are_the_same(shop: Merchant) -> None:
    for header in (shop.app_id, f"Basic {shop.app_id}", f"basic {shop.app_id}"):
        assert Client().get("/api/v1/company", headers={"Authorization": header}).status_code == 200


def test_every_endpoint_is_in_the_table_of_tenants() -> None:
    open_to_all = {"/api/v1/webhook/public-keys"}
    examples = ("pedido-1", "cliente-1", "devolucao-1", "balcao", "{transaction}")
    known = set()
    for method, path in ENDPOINTS:
        for example in examples:
            path = path.replace(example, "{identifier}")
        known.add((method, path))
    served = {(method.upper(), path) for path, methods in SCHEMA["paths"].items() for method in methods}
    renamed = {
        (method, path.replace("{account_id}", "{account}").replace("{webhook_id}", "1").replace("{pix_key}", "chave"))
        for method, path in served
        if path not in open_to_all
    }
    assert renamed == known


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_a_rival_sees_and_changes_nothing(
    shop: Merchant, rival: Merchant, paid: Charge, method: str, path: str
) -> None:
    secrets = {"pedido-1", paid.txid, paid.public_id, shop.company.tax_id, shop.company.pix_key, "Bia", making.BIA}
    customers.create(shop.company, customers.CustomerRequest("Bia", "cliente-1", making.BIA))
    assert paid.paid_at
    refunds.request(shop.company, paid, "devolucao-1", 1, now=paid.paid_at)
    account = Account.objects.get(company=shop.company, kind="MERCHANT").public_id
    end_to_end_id = paid.received.get().end_to_end_id
    application = shop.company.applications.get()
    theirs = {"clientId": application.client_id, "accountId": account, "application": {"name": "Meu"}}
    before = Customer.objects.get(correlation_id="cliente-1").updated_at
    for identifier in ("pedido-1", paid.public_id, paid.txid):
        where = path.format(account=account, transaction=end_to_end_id).replace("pedido-1", identifier)
        if method == "GET":
            answer = rival.get(where)
        else:
            body = {"correlationID": "roubo", "value": 0, "webhook": {"name": "Meu"}, "phone": "1", **theirs}
            answer = rival.send(method, where, {**body, "transactionEndToEndId": end_to_end_id})
        assert answer.status_code in {200, 400, 404, 503}  # 503: no bank runs here
        assert not [secret for secret in secrets if secret in answer.content.decode()]
        if path.count("/") > 3 and not path.endswith(("/logs", "/tokens", "/events", "/ips", "/check", "/scopes")):
            assert answer.status_code in {400, 404}
    assert paid.refunds.count() == 1
    assert Customer.objects.get(correlation_id="cliente-1").updated_at == before
    assert not Payment.objects.exists()
    assert companies.authenticate(shop.app_id) == application


def told(*pixes: dict[str, Any]) -> bytes:
    return json.dumps({"pix": list(pixes)}).encode()


def as_told(charge: Charge, **fields: Any) -> dict[str, Any]:
    return {
        "endToEndId": making.end_to_end_id(),
        "txid": charge.txid,
        "chave": charge.company.pix_key,
        "valor": "10.00",
        "horario": "2026-03-02T17:30:00.000Z",
        **fields,
    }


def call_back(body: bytes, token: str | None) -> Any:
    headers = {} if token is None else {"X-Bank-Callback-Token": token}
    return Client(raise_request_exception=False).post("/bank/pix", body, "application/json", headers=headers)


@pytest.mark.parametrize("token", [None, "", "wrong", "ção"])
def test_only_the_bank_calls_back(shop: Merchant, token: str | None) -> None:
    charge = making.charge(shop.company)
    answer = call_back(told(as_told(charge)), token)
    assert answer.status_code == 401
    assert "error" in answer.json()
    assert not ReceivedPix.objects.exists()


def test_the_bank_tells_thrice_and_of_others(shop: Merchant, bank_token: str) -> None:
    charge = making.charge(shop.company)
    pix = as_told(charge)
    body = told(pix, as_told(charge, txid="", chave="nobody@example.com"), pix, pix)

    assert call_back(body, bank_token).status_code == 200
    assert call_back(body, bank_token).status_code == 200

    assert making.balances(shop.company)["MERCHANT"] == 950
    assert ReceivedPix.objects.count() == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"pix": 1}', b'{"pix": [1]}', b'{"pix": [{}]}', b"\xff", b"[" * 99_999]
)
def test_a_broken_callback_is_400(shop: Merchant, bank_token: str, body: bytes) -> None:
    answer = call_back(body, bank_token)
    assert answer.status_code == 400
    assert "error" in answer.json()


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_stored_is_told_again(shop: Merchant, bank_token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = making.charge(shop.company), making.charge(shop.company)
    body = told(as_told(bad), as_told(good))
    receive = receiving.receive
    with monkeypatch.context() as broken:
        broken.setattr(receiving, "receive", lambda pix, now: 1 / 0 if pix.txid == bad.txid else receive(pix, now))
        assert call_back(body, bank_token).status_code == 503
    assert making.balances(shop.company)["MERCHANT"] == 950

    assert call_back(body, bank_token).status_code == 200
    assert making.balances(shop.company)["MERCHANT"] == 1900


def test_an_unexpected_exception_is_500_without_its_text(
    shop: Merchant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from payments import contract

    def broken(*given: Any) -> Any:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(contract, "company", broken)
    with caplog.at_level(logging.ERROR):
        client = Client(headers={"Authorization": shop.app_id}, raise_request_exception=False)
        answer = client.get("/api/v1/company")
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal Server Error"})
    assert "a secret of ours" in caplog.text


def test_the_documentation_needs_nothing_from_outside(shop: Merchant) -> None:
    page = Client().get("/api/docs")
    assert page.status_code == 200
    html = page.content.decode()
    assert "https://" not in html
    assert "<style" not in html
    assert "onload" not in html
    assert "script-src" in page["Content-Security-Policy"] or "default-src 'self'" in page["Content-Security-Policy"]
    schema = Client().get("/api/v1/openapi.json").json()
    assert "/api/v1/charge/{identifier}" in schema["paths"]
    for static in ("swagger-ui-bundle.js", "swagger-ui-init.js", "swagger-ui.css"):
        assert f"/static/ninja/{static}" in html
        answer = Client().get(f"/static/ninja/{static}")
        answer.close()
        assert answer.status_code == 200


def test_webhooks_public_keys_are_public(shop: Merchant) -> None:
    answer = Client().get("/api/v1/webhook/public-keys")
    assert answer["Cache-Control"] == "public, max-age=3600"
    assert answer.json()["public_keys"][0]["is_current"] is True
