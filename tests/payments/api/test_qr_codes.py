"""Static QR codes: made, shown, paid any number of times, given back; and codes that are read."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from payments import checks
from payments.models import QrCode, ReceivedPix, Refund
from payments.pix import brcode
from payments.services import emv, reconciliation
from payments.services.charges import receiving, refunds
from payments.services.errors import Invalid
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant
from tests.receiver import serve
from woovi.http import outgoing
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/qrcode-static"
PAYER = {"name": "Bia", "taxID": making.BIA}


def made(shop: Merchant, **fields: Any) -> dict[str, Any]:
    answer = shop.post(PATH, {"name": "Balcão", **fields})
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def test_a_code_is_made_found_listed_and_deleted(shop: Merchant, rival: Merchant, bank: BankProcess) -> None:
    body = made(shop, correlationID="balcao 1", value="500", comment="Obrigado", identifier="Balcao1")
    code = body["pixQrCode"]
    assert (body["correlationID"], body["brCode"]) == ("balcao 1", code["brCode"])
    read = brcode.decode(code["brCode"])
    assert (read.key, read.value, read.txid, read.info) == (shop.company.pix_key, 500, "Balcao1", "Obrigado")
    for identifier in ("balcao%201", "Balcao1", code["globalID"]):
        assert shop.get(f"{PATH}/{identifier}").json() == {"pixQrCode": code}
        assert rival.get(f"{PATH}/{identifier}").status_code == 400
        assert rival.delete(f"{PATH}/{identifier}").status_code == 400
    listed = shop.get(PATH).json()
    assert (listed["pixQrCodes"], listed["pageInfo"]["totalCount"]) == ([code], 1)
    assert rival.get(PATH).json()["pixQrCodes"] == []

    page = Client().get(f"/pay/{code['paymentLinkID']}")
    assert code["brCode"] in page.content.decode()
    image = Client().get(code["qrCodeImage"].partition("8000")[2])
    assert (image.status_code, image["Content-Type"]) == (200, "image/png")
    for identifier in (code["paymentLinkID"], code["globalID"]):
        assert Client().get(f"/api/image/qrcode/base64/{identifier}?size=600").json()["success"] is True
    assert Client().get(f"/api/image/qrcode/base64/{code['globalID']}?size=1").status_code == 400

    for _ in range(2):
        assert shop.delete(f"{PATH}/Balcao1").json() == {"status": "OK", "id": "Balcao1"}
    assert shop.get(f"{PATH}/Balcao1").json() == {"error": "QR code not found"}
    assert Client().get(f"/pay/{code['paymentLinkID']}").status_code == 404


def test_the_same_again_is_the_same_code(shop: Merchant, bank: BankProcess) -> None:
    first = made(shop, correlationID="a")
    assert made(shop, correlationID="a") == first
    for other in ({"value": 5}, {"identifier": "other"}):
        assert shop.post(PATH, {"name": "Balcão", "correlationID": "a", **other}).status_code == 400
    assert made(shop) != made(shop)
    assert len(first["pixQrCode"]["identifier"]) == 25
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(lambda: (made(shop, correlationID="race"), connections.close_all())[0]) for _ in range(4)]
        assert len({json.dumps(each.result()) for each in asked}) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "x" * 141), ("value", 0), ("value", 1.5), ("identifier", "a-b"), ("identifier", "a" * 26),
     ("pixKey", "other@example.com")],
)  # fmt: skip
def test_what_is_wrong_is_named(shop: Merchant, field: str, value: Any) -> None:
    answer = shop.post(PATH, {"name": "Balcão", field: value})
    assert (answer.status_code, answer.json()["error"].partition(":")[0]) == (400, field)


def test_a_long_comment_and_a_long_key_still_fit(shop: Merchant, bank: BankProcess) -> None:
    shop.company.pix_key = "a" * 65 + "@example.com"
    shop.company.save()
    code = made(shop, comment="á" * 140)["brCode"]
    assert brcode.decode(code).key == shop.company.pix_key


def test_it_is_paid_twice_and_shown(shop: Merchant, bank: BankProcess) -> None:
    code = made(shop, correlationID="balcao")["pixQrCode"]
    order = {"br_code": code["brCode"], "payer": PAYER, "value": 700}
    assert bank.http.post("/sim/pay", json=order).status_code == 201
    assert shop.get("/openpix/testing", identifier=code["identifier"]).json()["transactionID"] == code["identifier"]
    receiving.receive(making.pix(pix_key=shop.company.pix_key, paid_at=timezone.now()))  # loose, by no code
    reconciliation.run()

    assert list(ReceivedPix.objects.exclude(qr_code=None).values_list("value", flat=True)) == [700, 100]
    assert making.balances(shop.company)["MERCHANT"] == 700 + 100 + 1000 - 150
    events = OutboxEvent.objects.filter(topic="OPENPIX:TRANSACTION_RECEIVED").order_by("id")
    told = [event.payload["pixQrCode"] and event.payload["pixQrCode"]["correlationID"] for event in events]
    assert told == [None, "balcao", "balcao"]
    for wanted in ("balcao", code["identifier"], code["globalID"]):
        found = shop.get("/api/v1/transaction", pixQrCode=wanted).json()["transactions"]
        assert [(each["value"], each["pixQrCode"]) for each in found] == [(100, code), (700, code)]
    assert shop.get("/api/v1/transaction", pixQrCode="other").json()["transactions"] == []
    assert not [finding for finding in checks.run() if finding.count]


@pytest.fixture
def loose(shop: Merchant) -> ReceivedPix:
    """A Pix of 1000 without charge, of a company that has more than that."""
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=5000, paid_at=timezone.now()))
    received = receiving.receive(making.pix(pix_key=shop.company.pix_key, paid_at=timezone.now()))
    assert received
    return received


def test_a_loose_pix_is_given_back_in_parts(shop: Merchant, rival: Merchant, loose: ReceivedPix) -> None:
    def give_back(who: Merchant, **fields: Any) -> Any:
        return who.post("/api/v1/refund", {"transactionEndToEndId": loose.end_to_end_id, **fields})

    assert give_back(rival, correlationID="r").json() == {"error": "Transaction not found"}
    for _ in range(2):
        assert give_back(shop, correlationID="a", value=300).json()["refund"]["value"] == 300
    assert give_back(shop, correlationID="a", value=301).status_code == 400
    shown = shop.get(f"/api/v1/transaction/{loose.end_to_end_id}").json()["transaction"]
    assert shown["status"] == "PARTIAL_REFUND"
    assert give_back(shop, correlationID="b", value=701).json()["error"].startswith("value must be from 1 to")
    assert give_back(shop, correlationID="b").json()["refund"]["value"] == 700
    assert give_back(shop, correlationID="c").status_code == 400
    assert shop.get("/api/v1/transaction").json()["transactions"][2]["status"] == "REFUNDED"
    assert [each["correlationID"] for each in shop.get("/api/v1/refund").json()["refunds"]] == ["b", "a"]
    assert not [finding for finding in checks.run() if finding.count]


def test_what_went_back_by_itself_is_not_refunded(shop: Merchant, loose: ReceivedPix) -> None:
    late = receiving.receive(making.pix(making.charge(shop.company, status="EXPIRED"), paid_at=timezone.now()))
    assert late
    answer = shop.post("/api/v1/refund", {"transactionEndToEndId": late.end_to_end_id, "correlationID": "a"})
    assert answer.json()["error"].startswith("transactionEndToEndId: this Pix went back")


def ask(loose: ReceivedPix, number: int) -> bool:
    try:
        refunds.request_loose(loose.company, loose, f"r{number}", 600)
    except Invalid:
        return False
    else:
        return True
    finally:
        connections.close_all()


def test_refunds_at_once_do_not_exceed_the_pix(shop: Merchant, loose: ReceivedPix) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda number: ask(loose, number), range(4))) == [False] * 3 + [True]
    assert Refund.objects.get().value == 600


def test_control_without_the_row_lock_they_do(
    shop: Merchant, loose: ReceivedPix, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    together = threading.Barrier(2)
    real = refunds._loose

    def both(*given: Any) -> Refund:
        refund = real(*given)
        together.wait(20)
        return refund

    monkeypatch.setattr(refunds, "_loose", both)
    monkeypatch.setattr(ReceivedPix.objects.all().__class__, "select_for_update", lambda rows, **_: rows)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda number: ask(loose, number), range(2))) == [True, True]
    assert "no more of a Pix goes back by us than came in" in {each.name for each in checks.run() if each.count}


def test_a_charges_code_is_read_with_its_payload(shop: Merchant, bank: BankProcess) -> None:
    charge = shop.post("/api/v1/charge", {"correlationID": "a", "value": 100, "comment": "Pedido"}).json()["charge"]
    read = shop.post("/api/v1/decode/emv", {"emv": charge["brCode"]}).json()
    assert read["recLocation"] is None
    location = read["cobLocation"]
    assert (location["isValid"], location["locationErrors"]) == (True, [])
    assert location["url"] == read["emv"]["merchantAccountInformationPix"]["url"]
    payload = location["payload"]
    assert (payload["txid"], payload["value"], payload["status"]) == (
        charge["transactionID"],
        {"original": "1.00"},
        "ATIVA",
    )
    assert payload["calendar"]["expiration"] == charge["expiresIn"]
    assert read["emv"]["crc"] == charge["brCode"][-4:]
    assert read["emv"]["pointOfInitiationMethod"] == "12"


def test_a_static_code_is_read_alone(shop: Merchant) -> None:
    code = brcode.encode(brcode.BrCode("Loja", "Recife", key="a@b.co", value=1234, txid="Balcao1", info="Oi"))
    assert shop.post("/api/v1/decode/emv", {"emv": code}).json() == {
        "emv": {
            "payloadFormatIndicator": "01",
            "merchantCategoryCode": "0000",
            "transactionCurrency": "986",
            "transactionAmount": "12.34",
            "countryCode": "BR",
            "merchantName": "Loja",
            "merchantCity": "Recife",
            "crc": code[-4:],
            "merchantAccountInformationPix": {
                "gui": "br.gov.bcb.pix",
                "pixKey": "a@b.co",
                "additionalInformation": "Oi",
            },
            "additionalDataFieldTemplate": {"referenceLabel": "Balcao1"},
        },
        "cobLocation": None,
        "recLocation": None,
    }
    answer = shop.post("/api/v1/decode/emv", {"emv": code[:-1] + "x"})
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid EMV payload"})


def jws(payload: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip('=')}.c2ln"


CHARGE = {"txid": "t", "status": "ATIVA", "valor": {"original": "1.00"}, "chave": "k", "calendario": {"expiracao": 1}}


@pytest.mark.parametrize(
    ("status", "body", "valid", "error"),
    [
        (200, jws(CHARGE), True, ""),
        (200, json.dumps(CHARGE), True, ""),
        (200, jws({**CHARGE, "txid": None, "x": 1}), True, ""),
        (200, "\ufeff" + json.dumps(CHARGE) + "\r\n", True, ""),
        (200, jws({**CHARGE, "valor": {"original": float("nan")}, "revisao": [float("inf"), -1e999]}), True, ""),
        (200, jws({"txid": "t"}), False, "The payload has no status, valor, chave, calendario"),
        (200, "a.b.c", False, "The payload has no txid"),
        (200, "[" * 9999, False, "The payload has no txid"),
        (404, "{}", False, "The address answered HTTP 404"),
        (None, "", False, "ConnectError: gone"),
    ],
)
def test_what_an_address_answers(
    monkeypatch: pytest.MonkeyPatch, status: int | None, body: str, valid: bool, error: str
) -> None:
    asked = []

    def get(url: str, timeout: float) -> outgoing.Answer:
        asked.append(url)
        return outgoing.Answer(status, body, "" if status else error, 1)

    monkeypatch.setattr(outgoing, "get", get)
    code = brcode.encode(brcode.BrCode("Loja", "Recife", url="pix.example/qr/v2/1", single_use=True))
    location = emv.decode(code).charge
    assert location
    assert asked == ["https://pix.example/qr/v2/1"]
    assert (not location.errors, (location.errors or [""])[0].startswith(error)) == (valid, True)
    assert "x" not in location.payload
    json.dumps(location.payload, allow_nan=False)  # which other languages cannot read


def test_our_own_network_is_not_called(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    with serve() as receiver:
        address = receiver.url.removeprefix("http://")
        code = brcode.encode(brcode.BrCode("Loja", "Recife", url=address, single_use=True))
        location = emv.decode(code).charge
        assert location
        assert location.errors == ["its host is not on the public internet"]
        assert not receiver.got


def test_codes_of_others_are_not_seen(shop: Merchant, rival: Merchant, bank: BankProcess) -> None:
    made(shop, correlationID="a", identifier="same")
    made(rival, correlationID="a", identifier="same")
    receiving.receive(making.pix(pix_key=rival.company.pix_key, txid="same", paid_at=timezone.now()))
    assert ReceivedPix.objects.get().qr_code == QrCode.objects.get(company=rival.company)
    assert shop.get("/api/v1/transaction", pixQrCode="a").json()["transactions"] == []
