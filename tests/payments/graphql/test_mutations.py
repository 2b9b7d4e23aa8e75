"""What is done: by the API's services, with its words, by whom they are for."""

from __future__ import annotations

from typing import Any

import pytest

from payments import rights
from payments.models import Account, Charge, Payment, PayoutBatch, Refund, User
from payments.rights import CHARGE, RIGHTS
from payments.services import batches
from payments.services.charges import receiving
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant as Api
from tests.payments.api.conftest import merchant as api_merchant
from tests.payments.batches.conftest import csv_of
from tests.payments.graphql.conftest import Merchant, person, program

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = "mutation M($input: ChargeInput!, $again: Boolean! = false) { createCharge(input: $input, returnExisting: $again) { id status value brCode customer } }"
REFUND = "mutation M($input: RefundInput!) { refundCharge(input: $input) { correlationID value status charge { refunded left } } }"
PAY = (
    "mutation M($input: PaymentInput!) { createPayment(input: $input) { correlationID type value status destination } }"
)
APPROVE = "mutation M($id: String!) { approvePayment(correlationID: $id) { status endToEndId } }"
BATCH = "mutation M($id: ID!) { %s(id: $id) { status } }"
APPROVE_BATCH = "mutation M($id: ID!, $signature: String!) { approveBatch(id: $id, signature: $signature) { status } }"


def test_a_charge_is_created_once_and_refunded(shop: Merchant, bank: BankProcess) -> None:
    wanted = {"correlationID": "a", "value": 1000, "customer": {"name": "Ana", "taxID": making.ANA}}
    made = shop.ask(CREATE, input=wanted)["createCharge"]
    assert (made["status"], made["value"], made["customer"]["name"]) == ("ACTIVE", 1000, "Ana")
    assert made["brCode"].startswith("000201")
    assert shop.ask(CREATE, input=wanted, again=True)["createCharge"]["id"] == made["id"]
    assert shop.refused(CREATE, input=wanted) == {
        "message": "There is already a charge with this correlationID", "code": "DUPLICATE", "field": "correlationID",
    }  # fmt: skip

    assert shop.refused(REFUND, input={"charge": "a", "correlationID": "r"})["message"] == "The charge is not paid"
    charge = Charge.objects.get()
    receiving.receive(making.pix(charge))
    for _ in range(2):  # the same again is the same refund
        back = shop.ask(REFUND, input={"charge": made["id"], "correlationID": "r", "value": 400})["refundCharge"]
        assert back == {
            "correlationID": "r", "value": 400, "status": "IN_PROCESSING", "charge": {"refunded": 400, "left": 600},
        }  # fmt: skip
    assert Refund.objects.count() == 1


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"value": 0}, "/charge", CREATE),
    ({"value": 1000, "comment": "x" * 141}, "/charge", CREATE),
    ({"value": 1000, "expiresIn": 1}, "/charge", CREATE),
    ({"value": 1000, "customer": {"name": "Ana"}}, "/charge", CREATE),
    ({"value": 1000, "customer": {"name": "Ana", "taxID": "1"}}, "/charge", CREATE),
    ({"value": 1000, "ensureSameTaxID": True}, "/charge", CREATE),
    ({"value": 10**13}, "/charge", CREATE),
    ({"value": 100, "destinationAlias": "nothing"}, "/payment", PAY),
    ({"value": 100}, "/payment", PAY),
    ({"qrCode": "00020101"}, "/payment", PAY),
    ({"type": "MANUAL", "value": 1, "holder": {"name": "Ana"}}, "/payment", PAY),
]


@pytest.mark.parametrize(("body", "path", "document"), WRONG)
def test_a_refusal_has_the_apis_words_and_names_the_field(
    body: dict[str, Any], path: str, document: str, db: None
) -> None:
    api: Api = api_merchant()
    told = api.post(f"/api/v1{path}", {**body, "correlationID": "a"}).json()["error"]
    refused = program(api.company).refused(document, input={**body, "correlationID": "a"})
    assert refused["message"] == told
    assert refused["code"] == "INVALID"
    named = told.partition(":")[0]
    if named != "body" and " " not in named:
        assert refused["field"] == named
    assert not Charge.objects.exists()
    assert not Payment.objects.exists()


def test_a_payment_is_created_and_approved_by_a_program_alone(shop: Merchant) -> None:
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=10_000))
    wanted = {"correlationID": "p", "value": 100, "destinationAlias": "ana@exemplo.com"}
    ana = person(shop.company)
    ana.client.defaults["HTTP_X_CSRFTOKEN"] = "x" * 32  # Django's test client is not asked for one
    assert ana.refused(PAY, input=wanted)["code"] == "FORBIDDEN"
    assert ana.refused(APPROVE, id="p")["code"] == "FORBIDDEN"
    assert shop.ask(PAY, input=wanted)["createPayment"] == {
        "correlationID": "p", "type": "PIX_KEY", "value": 100, "status": "CREATED", "destination": {"pixKey": "ana@exemplo.com"},
    }  # fmt: skip
    assert shop.refused(PAY, input=wanted)["code"] == "DUPLICATE"
    assert shop.ask(APPROVE, id="p")["approvePayment"]["status"] == "APPROVED"
    assert shop.refused(APPROVE, id="p") == {
        "message": "Payment already confirmed", "code": "INVALID", "field": "correlationID",
    }  # fmt: skip
    assert shop.refused(APPROVE, id="q")["code"] == "NOT_FOUND"
    assert Account.objects.get(company=shop.company, kind="MERCHANT").pending_out == 100


def test_a_batch_is_controlled_by_people_and_approved_by_another_than_its_maker(shop: Merchant) -> None:
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=1_000_000))
    ana, bia = person(shop.company, "ana"), person(shop.company, "bia")
    assert isinstance(ana.user, User)
    batch = batches.submit(upload(shop, ana.user))
    shown = shop.ask(
        "query Q($id: ID!) { batch(id: $id) { id status signature progress { rows } } }", id=batch.public_id
    )
    approval = {"id": shown["batch"]["id"], "signature": shown["batch"]["signature"]}
    assert shown["batch"]["progress"]["rows"] == 3

    assert shop.refused(APPROVE_BATCH, **approval)["code"] == "FORBIDDEN"
    assert ana.refused(APPROVE_BATCH, **approval)["message"] == "Who uploaded a batch does not approve it"
    assert "not the one that was shown" in bia.refused(APPROVE_BATCH, **{**approval, "signature": "x"})["message"]
    assert bia.ask(APPROVE_BATCH, **approval)["approveBatch"] == {"status": "RUNNING"}
    for act in ("pauseBatch", "resumeBatch", "cancelBatch"):
        assert shop.refused(BATCH % act, id=batch.public_id)["code"] == "FORBIDDEN"
    assert ana.ask(BATCH % "pauseBatch", id=batch.public_id) == {"pauseBatch": {"status": "PAUSED"}}
    assert ana.refused(BATCH % "pauseBatch", id=batch.public_id)["message"] == "The batch is PAUSED"
    assert ana.ask(BATCH % "resumeBatch", id=batch.public_id) == {"resumeBatch": {"status": "RUNNING"}}
    assert ana.ask(BATCH % "cancelBatch", id=batch.public_id) == {"cancelBatch": {"status": "CANCELLED"}}
    assert ana.refused(BATCH % "cancelBatch", id="none")["code"] == "NOT_FOUND"


@pytest.mark.parametrize("role", [*RIGHTS])
def test_a_person_does_what_the_role_may_and_nothing_else(shop: Merchant, role: str) -> None:
    ana, maker = person(shop.company), person(shop.company, "maker")
    assert ana.user
    assert maker.user
    User.objects.filter(pk=ana.user.pk).update(role=role)
    batch = batches.submit(upload(shop, maker.user))
    approval = {"id": batch.public_id, "signature": "x"}
    needed: list[tuple[str, str, dict[str, Any]]] = [
        (CHARGE, CREATE, {"input": {"correlationID": "a", "value": 1000}}),
        (CHARGE, REFUND, {"input": {"charge": "none", "correlationID": "r"}}),
        (rights.APPROVE, APPROVE_BATCH, approval),
        *((rights.PAY, BATCH % act, {"id": batch.public_id}) for act in ("pauseBatch", "resumeBatch", "cancelBatch")),
    ]
    for right, document, variables in needed:
        codes = [error["extensions"]["code"] for error in ana.send(document, **variables).get("errors", [])]
        assert ("FORBIDDEN" in codes) == (right not in RIGHTS[role]), document


def upload(shop: Merchant, maker: User) -> PayoutBatch:
    import io

    return batches.upload(shop.company, maker, "folha.csv", io.BytesIO(csv_of(3).encode()))
