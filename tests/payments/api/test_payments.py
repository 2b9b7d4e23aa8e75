"""Payments by the API: the contract's shapes and words, clear refusals, and nothing of another company."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from payments import contract
from payments.models import Account, Payment
from payments.services import companies, payments
from payments.services.charges import receiving
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant

pytestmark = pytest.mark.django_db(transaction=True)
KEY = {
    "type": "PIX_KEY",
    "value": 100,
    "destinationAlias": "ana@exemplo.com",
    "destinationAliasType": "EMAIL",
    "correlationID": "pagamento-1",
    "comment": "Pedido 1",
}
MANUAL = {
    "type": "MANUAL",
    "value": 100,
    "correlationID": "pagamento-1",
    "holder": {"name": "Ana", "taxID": {"type": "BR:CPF", "taxID": "111.444.777-35"}},
    "account": {"account": "00000000000000000981", "branch": "0001", "accountType": "TRAN"},
    "psp": {"id": "54811417", "name": "WOOVI"},
}


@pytest.fixture
def rich(shop: Merchant) -> Merchant:
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=10_000))
    return shop


def created(shop: Merchant, body: dict[str, Any]) -> Any:
    answer = shop.post("/api/v1/payment", body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def refused(answer: Any, words: str) -> None:
    assert (answer.status_code, list(answer.json())) == (400, ["error"]), answer.content
    assert words in answer.json()["error"]


def test_a_payment_by_key_is_created_approved_and_read(rich: Merchant) -> None:
    assert created(rich, KEY) == {"payment": {**KEY, "status": "CREATED"}}

    approved = rich.post("/api/v1/payment/approve", {"correlationID": "pagamento-1"}).json()

    made = Payment.objects.get()
    assert approved == {
        "payment": {**KEY, "status": "APPROVED"},
        "transaction": contract.movement(made),
        "destination": {"pixKey": "ana@exemplo.com"},
    }
    assert approved["transaction"]["value"] == 100
    assert approved["transaction"]["endToEndId"].startswith("E")
    global_id = base64.b64encode(f"Payment:{made.public_id}".encode()).decode()
    for identifier in ("pagamento-1", made.public_id, global_id, made.end_to_end_id):
        assert rich.get(f"/api/v1/payment/{identifier}").json() == approved
    listed = rich.get("/api/v1/payment").json()
    assert (listed["status"], listed["payments"], listed["pageInfo"]["totalCount"]) == ("OK", [approved], 1)


def test_auto_approve(rich: Merchant) -> None:
    assert created(rich, {**KEY, "autoApprove": True})["payment"]["status"] == "APPROVED"


def test_auto_approve_needs_the_scope_of_approving(rich: Merchant) -> None:
    maker = rich.known_as(scopes=["PAYMENT_POST"])
    answer = maker.post("/api/v1/payment", {**KEY, "autoApprove": True})
    assert (answer.status_code, answer.json()) == (
        403, {"error": "Application does not have required scope: PAYMENT_APPROVE_POST"},
    )  # fmt: skip
    assert not Payment.objects.exists()
    assert created(maker, KEY)["payment"]["status"] == "CREATED"
    both = rich.known_as(scopes=["PAYMENT_POST", "PAYMENT_APPROVE_POST"])
    assert created(both, {**KEY, "correlationID": "b", "autoApprove": True})["payment"]["status"] == "APPROVED"


def test_auto_approve_beyond_the_balance_leaves_it_created(shop: Merchant) -> None:
    answer = shop.post("/api/v1/payment", {**KEY, "autoApprove": True})
    refused(answer, "You do not have enough balance to make this payment")
    assert shop.get("/api/v1/payment/pagamento-1").json()["payment"]["status"] == "CREATED"


def test_to_an_account(rich: Merchant) -> None:
    shown = created(rich, MANUAL)["payment"]
    assert shown["holder"] == {"name": "Ana", "taxID": {"taxID": making.ANA, "type": "BR:CPF"}}
    plain = {**MANUAL, "correlationID": "plain", "holder": {"name": "Ana", "taxID": "111.444.777-35"}}
    assert created(rich, plain)["payment"]["holder"] == shown["holder"]
    assert (shown["account"], shown["psp"]) == (MANUAL["account"], MANUAL["psp"])
    approved = rich.post("/api/v1/payment/approve", {"correlationID": "pagamento-1"}).json()
    assert approved["destination"] == {
        "name": "Ana", "taxID": making.ANA, "bank": "WOOVI", "branch": "0001", "account": "00000000000000000981",
    }  # fmt: skip


def test_the_type_may_be_left_out_as_the_sdk_does(rich: Merchant) -> None:
    body = {name: value for name, value in MANUAL.items() if name != "type"}
    assert created(rich, body)["payment"]["type"] == "MANUAL"
    body = {name: value for name, value in KEY.items() if name != "type"} | {"correlationID": "b"}
    assert created(rich, body)["payment"]["type"] == "PIX_KEY"


def test_words_of_refusals(rich: Merchant) -> None:
    created(rich, KEY)
    refused(rich.post("/api/v1/payment", KEY), "Já existe um pagamento com o correlationID fornecido")
    rich.post("/api/v1/payment/approve", {"correlationID": "pagamento-1"})
    refused(rich.post("/api/v1/payment/approve", {"correlationID": "pagamento-1"}), "Payment already confirmed")
    refused(rich.post("/api/v1/payment/approve", {"correlationID": "other"}), "Payment not found")
    payments.deny(payments.create(rich.company, payments.PaymentOrder("c", 1, pix_key="a@b.co")), "no")
    refused(rich.post("/api/v1/payment/approve", {"correlationID": "c"}), "Payment denied")


def test_a_removed_payment_is_not_shown(rich: Merchant) -> None:
    created(rich, KEY)
    payments.remove(Payment.objects.get())
    refused(rich.get("/api/v1/payment/pagamento-1"), "Payment not found")
    assert rich.get("/api/v1/payment").json()["payments"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"correlationID": ""}, "correlationID"),
        ({"value": None}, "value"),
        ({"value": 1.5}, "value"),
        ({"value": True}, "value"),
        ({"value": "1.00"}, "value"),
        ({"value": 10**12}, "value"),
        ({"destinationAlias": None}, "destinationAlias"),
        ({"destinationAlias": "nobody"}, "destinationAlias"),
        ({"destinationAlias": "11999991234", "destinationAliasType": "PHONE"}, "destinationAlias"),
        ({"destinationAliasType": "CNPJ"}, "destinationAlias"),
        ({"destinationAliasType": "IBAN"}, "destinationAliasType"),
        ({"type": "BOLETO"}, "type"),
        ({"type": "QR_CODE"}, "qrCode"),
        ({"type": "QR_CODE", "qrCode": "0002"}, "qrCode"),
        ({"type": "MANUAL"}, "holder"),
        ({"comment": "x" * 141}, "comment"),
        ({"comment": "\0"}, "comment"),
        ({"sourceAccountId": "nobody's"}, "sourceAccountId"),
        ({"metadata": {str(n): n for n in range(31)}}, "metadata"),
        ({"metadata": {"a": "\0"}}, "metadata"),
        ({"metadata": {"a\0": 1}}, "metadata"),
        ({**MANUAL, "psp": {"id": "1"}}, "psp"),
        ({**MANUAL, "account": {**MANUAL["account"], "branch": "1"}}, "branch"),  # type: ignore[dict-item]
        ({**MANUAL, "holder": {"name": "Ana", "taxID": {"taxID": "1"}}}, "taxID"),
    ],
    ids=str,
)
def test_fields_that_are_wrong(rich: Merchant, change: dict[str, Any], field: str) -> None:
    refused(rich.post("/api/v1/payment", {**KEY, **change}), field)
    assert not Payment.objects.exists()


def test_the_source_may_be_named(rich: Merchant) -> None:
    account = Account.objects.get(company=rich.company, kind="MERCHANT")
    assert created(rich, {**KEY, "sourceAccountId": account.public_id})["payment"]["status"] == "CREATED"


@pytest.mark.parametrize("identifier", ["unknown", "%00", "%FF", "x" * 5000])
def test_what_is_not_there_is_400(shop: Merchant, identifier: str) -> None:
    refused(shop.get(f"/api/v1/payment/{identifier}"), "")


def test_a_rival_sees_and_changes_nothing(rich: Merchant, rival: Merchant) -> None:
    created(rich, KEY)
    made = Payment.objects.get()
    for identifier in ("pagamento-1", made.public_id):
        refused(rival.get(f"/api/v1/payment/{identifier}"), "Payment not found")
    refused(rival.post("/api/v1/payment/approve", {"correlationID": "pagamento-1"}), "Payment not found")
    assert rival.get("/api/v1/payment").json()["payments"] == []
    assert rival.post("/api/v1/payment", KEY).status_code == 200, "its own correlationID is free"
    made.refresh_from_db()
    assert made.status == "CREATED"


def test_without_an_app_id_nothing(shop: Merchant) -> None:
    stranger = Merchant(shop.company, "nobody")
    for answer in (
        stranger.get("/api/v1/payment"),
        stranger.get("/api/v1/payment/a"),
        stranger.post("/api/v1/payment", KEY),
        stranger.post("/api/v1/payment/approve", {"correlationID": "a"}),
    ):
        assert answer.status_code == 401


def test_a_failed_payment_shows_why(bank: BankProcess, rich: Merchant) -> None:
    body = {**MANUAL, "account": {**MANUAL["account"], "account": "1010102"}, "autoApprove": True}  # type: ignore[dict-item]
    created(rich, body)
    payments.send(Payment.objects.get().pk)
    shown = rich.get("/api/v1/payment/pagamento-1").json()
    assert shown["payment"]["status"] == "FAILED"
    assert shown["transaction"]["providerErrorCode"] == "AM04"
    assert shown["transaction"]["providerRejectedReason"].startswith("AM04 - ")


def test_limits_are_shown_and_kept(rich: Merchant, rival: Merchant) -> None:
    account = Account.objects.get(company=rich.company, kind="MERCHANT").public_id
    path = f"/api/v1/limits/{account}"
    unlimited = rich.get(path)
    assert (unlimited.status_code, unlimited.json()) == (404, {"error": "No limits configured for this account"})

    companies.update_terms(rich.company, payment_limit=50, day_limit=4_000_000, night_limit=100_000)

    assert rich.get(path).json() == {
        "limits": {
            "pixPaymentLimit": 50,
            "pixDayLimit": 4_000_000,
            "pixNightLimit": 100_000,
            "pixOutSameHolderDayLimit": 4_000_000,
            "pixOutDifferentHolderDayLimit": 4_000_000,
            "pixOutSameHolderNightLimit": 100_000,
            "pixOutDifferentHolderNightLimit": 100_000,
            "dayStartAt": "06:00",
            "nightStartAt": "20:00",
        }
    }
    foreign, wrong = rival.get(path), rich.get("/api/v1/limits/x")
    assert (foreign.status_code, foreign.json()) == (404, {"error": "Account not found"})
    assert (wrong.status_code, wrong.json()) == (400, {"error": "Account ID is invalid"})
    refused(rich.post("/api/v1/payment", {**KEY, "autoApprove": True}), "value is more than the limit of one payment")
    assert Payment.objects.get().status == "CREATED"
