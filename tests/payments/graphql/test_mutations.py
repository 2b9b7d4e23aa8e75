"""What is done: by the API's services, with its words, by whom they are for."""

from __future__ import annotations

import base64
import io
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
from tests.payments.batches.conftest import BankInProcess, csv_of, pay_all, quick_bank  # noqa: F401 (a fixture)
from tests.payments.graphql.conftest import Merchant, person, program
from tests.payments.web.log_in import Owner

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = "mutation M($input: ChargeInput!, $again: Boolean! = false) { createCharge(input: $input, returnExisting: $again) { id status value brCode customer } }"
REFUND = "mutation M($input: RefundInput!) { refundCharge(input: $input) { correlationID value status charge { refunded left } } }"
PAY = (
    "mutation M($input: PaymentInput!) { createPayment(input: $input) { correlationID type value status destination } }"
)
APPROVE = "mutation M($id: String!) { approvePayment(correlationID: $id) { status endToEndId } }"
BATCH = "mutation M($id: ID!) { %s(id: $id) { status } }"
UPLOAD = 'mutation M($file: File!) { uploadBatch(name: "folha.csv", file: $file) { id status signature progress { rows } problems { line column } } }'
APPROVE_BATCH = "mutation M($id: ID!, $signature: String!, $code: String!) { approveBatch(id: $id, signature: $signature, code: $code) { status } }"
RETRY = "mutation M($id: ID!, $count: Int!, $total: Centavos!) { retryBatch(id: $id, count: $count, total: $total) { status round } }"
CONTROLS = ("submitBatch", "pauseBatch", "resumeBatch", "cancelBatch")
SHOWN = "query Q($id: ID!) { batch(id: $id) { status signature failedTotal progress { failed } } }"


def test_one_refusal_hides_nothing_that_was_done(shop: Merchant, bank: BankProcess) -> None:
    each = '%s: createCharge(input: {correlationID: "%s", value: %d}) { correlationID }'
    both = f"mutation {{ {each % ('good', 'a', 1000)} {each % ('bad', 'b', -1)} {each % ('after', 'c', 1000)} }}"
    answer = shop.send(both)
    assert answer["data"] == {"good": {"correlationID": "a"}, "bad": None, "after": {"correlationID": "c"}}
    assert [error["path"] for error in answer["errors"]] == [["bad"]]


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

    ana = person(shop.company)
    ana.ask(REFUND, input={"charge": made["id"], "correlationID": "s", "value": 100})
    makers = dict(Refund.objects.values_list("correlation_id", "maker"))
    assert makers == {"r": None, "s": _user(ana).pk}, "who asked for it is kept"


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


def test_a_batch_goes_its_way_by_people_and_is_approved_by_another_than_its_maker(
    shop: Merchant,
    quick_bank: BankInProcess,  # noqa: F811
) -> None:
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=1_000_000))
    ana, bia = person(shop.company, "ana"), person(shop.company, "bia")
    wrong = ana.ask(UPLOAD, file=in_base64(csv_of(1) + "id-2;ana@exemplo.com;12.34;\n"))["uploadBatch"]
    assert (wrong["status"], wrong["problems"]) == ("DRAFT", [{"line": 3, "column": "valor"}])
    made = ana.ask(UPLOAD, file=in_base64(csv_of(3, bad=2)))["uploadBatch"]
    assert (made["status"], made["progress"], made["problems"]) == ("VALIDATED", {"rows": 3}, [])
    id_ = made["id"]
    assert ana.ask(BATCH % "submitBatch", id=id_) == {"submitBatch": {"status": "AWAITING_APPROVAL"}}
    approval = {"id": id_, "signature": made["signature"], "code": "000000"}

    assert "Switch on your second factor" in bia.refused(APPROVE_BATCH, **approval)["message"]
    mine, phone = Owner(_user(ana)), Owner(_user(bia))
    ana.client.force_login(mine.user)
    bia.client.force_login(phone.user)
    assert ana.refused(APPROVE_BATCH, **{**approval, "code": mine.recovery[0]})["message"] == (
        "Who uploaded a batch does not approve it"
    )
    wrong_code = {"message": "This code is wrong, or was used before", "code": "INVALID", "field": "code"}
    assert bia.refused(APPROVE_BATCH, **approval) == wrong_code
    assert bia.refused(APPROVE_BATCH, **{**approval, "code": mine.recovery[1]}) == wrong_code
    another = {**approval, "signature": "x", "code": phone.recovery[0]}
    assert "not the one that was shown" in bia.refused(APPROVE_BATCH, **another)["message"]
    assert bia.refused(APPROVE_BATCH, **another) == wrong_code, "a code is used once"
    right = {**approval, "code": phone.recovery[1]}
    assert bia.ask(APPROVE_BATCH, **right)["approveBatch"] == {"status": "RUNNING"}

    assert ana.ask(BATCH % "pauseBatch", id=id_) == {"pauseBatch": {"status": "PAUSED"}}
    assert ana.refused(BATCH % "pauseBatch", id=id_)["message"] == "The batch is PAUSED"
    assert ana.ask(BATCH % "resumeBatch", id=id_) == {"resumeBatch": {"status": "RUNNING"}}
    pay_all(PayoutBatch.objects.get(status="RUNNING"))
    shown = ana.ask(SHOWN, id=id_)["batch"]
    assert (shown["status"], shown["progress"]["failed"], shown["failedTotal"]) == ("PARTIAL", 2, 200)
    assert "not those that were shown" in ana.refused(RETRY, id=id_, count=2, total=100)["message"]
    assert ana.ask(RETRY, id=id_, count=2, total=200)["retryBatch"] == {"status": "RUNNING", "round": 2}
    assert ana.ask(SHOWN, id=id_)["batch"]["failedTotal"] == 0
    assert ana.ask(BATCH % "cancelBatch", id=id_) == {"cancelBatch": {"status": "CANCELLED"}}

    assert ana.refused(BATCH % "cancelBatch", id="none")["code"] == "NOT_FOUND"
    assert shop.refused(APPROVE_BATCH, **right)["code"] == "FORBIDDEN"
    assert shop.refused(UPLOAD, file=in_base64(csv_of(1)))["code"] == "FORBIDDEN"
    assert shop.refused(RETRY, id=id_, count=2, total=200)["code"] == "FORBIDDEN"
    for act in CONTROLS:
        assert shop.refused(BATCH % act, id=id_)["code"] == "FORBIDDEN"
    assert PayoutBatch.objects.count() == 2


@pytest.mark.parametrize(
    ("file", "code"),
    [("%%%", "BAD_REQUEST"), ("á", "BAD_REQUEST"), (1, "BAD_REQUEST"), ("", "INVALID"), ("UEsDBA==", "INVALID")],
)
def test_what_is_no_file_is_refused(shop: Merchant, file: object, code: str) -> None:
    assert person(shop.company).refused(UPLOAD, file=file)["code"] == code
    assert not PayoutBatch.objects.exists()


def test_codes_of_an_approval_are_tried_so_often_and_no_more(shop: Merchant) -> None:
    maker, ana = person(shop.company, "maker"), person(shop.company)
    phone = Owner(_user(ana))
    ana.client.force_login(phone.user)
    batch = batches.submit(upload(shop, _user(maker)))
    approval = {"id": batch.public_id, "signature": batch.signature}
    codes = [ana.refused(APPROVE_BATCH, **approval, code="000000")["code"] for _ in range(6)]
    assert codes == ["INVALID"] * 5 + ["TOO_MANY_REQUESTS"]
    assert ana.refused(APPROVE_BATCH, **approval, code=phone.recovery[0])["code"] == "TOO_MANY_REQUESTS"
    batch.refresh_from_db()
    assert batch.status == "AWAITING_APPROVAL"


@pytest.mark.parametrize("role", [*RIGHTS])
def test_a_person_does_what_the_role_may_and_nothing_else(shop: Merchant, role: str) -> None:
    ana, maker = person(shop.company), person(shop.company, "maker")
    assert ana.user
    assert maker.user
    User.objects.filter(pk=ana.user.pk).update(role=role)
    batch = batches.submit(upload(shop, maker.user))
    approval = {"id": batch.public_id, "signature": "x", "code": "x"}
    needed: list[tuple[str, str, dict[str, Any]]] = [
        (CHARGE, CREATE, {"input": {"correlationID": "a", "value": 1000}}),
        (CHARGE, REFUND, {"input": {"charge": "none", "correlationID": "r"}}),
        (rights.APPROVE, APPROVE_BATCH, approval),
        (rights.PAY, UPLOAD, {"file": "eA=="}),
        (rights.PAY, RETRY, {"id": batch.public_id, "count": 1, "total": 1}),
        *((rights.PAY, BATCH % act, {"id": batch.public_id}) for act in CONTROLS),
    ]
    for right, document, variables in needed:
        messages = [error["message"] for error in ana.send(document, **variables).get("errors", [])]
        assert ("Your role may not do this" in messages) == (right not in RIGHTS[role]), document


def upload(shop: Merchant, maker: User) -> PayoutBatch:
    return batches.upload(shop.company, maker, "folha.csv", io.BytesIO(csv_of(3).encode()))


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _user(merchant: Merchant) -> User:
    assert merchant.user
    return merchant.user
