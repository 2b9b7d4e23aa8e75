"""Transactions, refunds by the Pix, and the statement."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import transaction
from django.utils import timezone

from payments.bank.port import BankReturn, BankSent, ReturnStatus, SendStatus
from payments.models import Account, Charge, Refund, Subaccount, User
from payments.services import payments, subaccounts
from payments.services.charges import receiving, refunds, returning
from payments.services.payments import PaymentOrder, outcomes
from tests.payments import making
from tests.payments.api.conftest import Merchant

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(shop: Merchant) -> Charge:
    charge = making.charge(shop.company, 1000, correlation_id="pedido-1")
    receiving.receive(making.pix(charge), making.NOW)
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=500), making.NOW + timedelta(minutes=1))
    return Charge.objects.get(pk=charge.pk)


def refund(shop: Merchant, paid: Charge, value: int, status: ReturnStatus = ReturnStatus.DONE) -> Refund:
    assert paid.paid_at
    made = refunds.request(shop.company, paid, f"r{value}", value, now=paid.paid_at + timedelta(minutes=5))
    later = making.NOW + timedelta(minutes=10)
    return returning.resolve(made.pk, BankReturn(made.return_id, f"D{value:031d}", value, status, "no"), later)


def listed(shop: Merchant, **query: Any) -> list[tuple[str, str, int]]:
    answer = shop.get("/api/v1/transaction", **query).json()
    assert answer["status"] == "OK"
    return [(each["type"], each["status"], each["value"]) for each in answer["transactions"]]


def test_the_list_has_payments_and_refunds_newest_first(shop: Merchant, paid: Charge) -> None:
    refund(shop, paid, 300)
    everything = [("REFUND", "CONFIRMED", 300), ("PAYMENT", "CONFIRMED", 500), ("PAYMENT", "PARTIAL_REFUND", 1000)]
    assert listed(shop) == everything
    assert listed(shop, skip=1, limit=1) == everything[1:2]
    assert listed(shop, type="refund") == everything[:1]
    assert listed(shop, type="REVERSAL") == []
    assert listed(shop, charge="pedido-1") == [everything[0], everything[2]]
    assert listed(shop, charge=paid.txid) == [everything[0], everything[2]]
    assert listed(shop, end="2026-03-02T17:28:51Z") == everything[2:]
    assert listed(shop, pixQrCode="x") == []
    assert shop.get("/api/v1/transaction").json()["pageInfo"]["totalCount"] == 3


def test_fees_and_blocks_are_listed_where_they_are_asked_for(shop: Merchant, rival: Merchant, paid: Charge) -> None:
    refund(shop, paid, 300, ReturnStatus.REFUSED)
    fees = [("FEE", "CONFIRMED", 50), ("FEE", "CONFIRMED", 50)]
    held, free = [("BALANCE_BLOCK", "CONFIRMED", 300)], [("BALANCE_UNBLOCK", "CONFIRMED", 300)]
    assert (listed(shop, type="FEE"), listed(shop, type="FEE", charge="pedido-1")) == (fees, fees[:1])
    assert (listed(shop, type="BALANCE_BLOCK"), listed(shop, type="BALANCE_UNBLOCK")) == (held, free)
    assert listed(shop, type="BALANCE_BLOCK", charge="pedido-1") == []
    for kind in ("FEE", "BALANCE_BLOCK", "BALANCE_UNBLOCK"):
        assert listed(rival, type=kind) == []
        shown = shop.get("/api/v1/transaction", type=kind).json()["transactions"][0]
        path = f"/api/v1/transaction/{shown['globalID']}"
        assert shop.get(path).json() == {"transaction": shown}
        assert rival.get(path).json() == {"error": "Transaction not found"}


def test_a_block_is_of_the_balance_or_of_a_sub_accounts(shop: Merchant, paid: Charge) -> None:
    account = Account.objects.create(company=shop.company, kind=Account.Kind.SUBACCOUNT, is_default=False, name="Ana")
    ana = Subaccount.objects.create(company=shop.company, pix_key="ana@example.com", name="Ana", account=account)
    subaccounts.credit(shop.company, ana.pix_key, 400)
    sent = subaccounts.withdraw(shop.company, ana.pix_key, 300)
    receiving.receive(making.pix(paid), making.NOW)  # paid twice: what goes back by itself is held of no balance
    assert listed(shop, type="BALANCE_BLOCK") == [("BALANCE_BLOCK", "CONFIRMED", 300)]
    outcomes.book(sent, BankSent(sent.public_id, f"E{1:031d}", 300, SendStatus.REFUSED), making.NOW)
    assert listed(shop, type="BALANCE_UNBLOCK") == [("BALANCE_UNBLOCK", "CONFIRMED", 300)]


def test_the_list_asks_as_often_for_many_as_for_one(
    shop: Merchant, paid: Charge, django_assert_num_queries: Any
) -> None:
    for value in range(1, 6):
        refund(shop, paid, value)
    with django_assert_num_queries(3):  # count, keys, then Pix and refunds... one query a kind
        shop.get("/api/v1/transaction", type="REFUND")


def test_a_transaction_is_found_by_each_of_its_ids(shop: Merchant, paid: Charge) -> None:
    back = refund(shop, paid, 1000)
    received = paid.received.get()
    for identifier in (received.end_to_end_id, received.txid, received.public_id):
        shown = shop.get(f"/api/v1/transaction/{identifier}").json()["transaction"]
        assert (shown["endToEndId"], shown["status"]) == (received.end_to_end_id, "REFUNDED")
        assert shown["charge"]["correlationID"] == "pedido-1"
    for identifier in (back.end_to_end_id, back.return_id, back.public_id):
        shown = shop.get(f"/api/v1/transaction/{identifier}").json()["transaction"]
        assert (shown["type"], shown["transactionID"]) == ("REFUND", back.return_id)
    assert shop.get("/api/v1/transaction/none").json() == {"error": "Transaction not found"}


@pytest.mark.django_db(transaction=True)
def test_what_is_sent_and_what_goes_to_others_here(shop: Merchant, rival: Merchant, paid: Charge) -> None:
    payments.create(shop.company, PaymentOrder("saque #1", 200, pix_key="ana@exemplo.com", comment="Saque"))
    assert listed(shop, type="WITHDRAW") == [], "nothing moves before it is approved"
    sent = payments.approve(shop.company, "saque #1")
    given = {"value": 300, "fromPixKey": shop.company.pix_key, "toPixKey": rival.company.pix_key}
    assert shop.post("/api/v1/transfer", {**given, "correlationID": "repasse"}).status_code == 200

    assert listed(shop)[:2] == [("INTERNAL_TRANSFER", "CONFIRMED", 300), ("WITHDRAW", "IN_PROCESSING", 200)]
    assert listed(shop, type="INTERNAL_TRANSFER", limit=1) == [("INTERNAL_TRANSFER", "CONFIRMED", 300)]
    for named in ("saque #1", sent.end_to_end_id, sent.public_id):
        assert listed(shop, withdrawal=named) == [("WITHDRAW", "IN_PROCESSING", 200)]
        assert listed(rival, withdrawal=named) == []
    assert listed(shop, withdrawal="none") == listed(shop, withdrawal="saque #1", charge="pedido-1") == []
    assert listed(rival) == [("INTERNAL_TRANSFER", "CONFIRMED", 300)]

    [out, withdrawal, *_] = shop.get("/api/v1/transaction").json()["transactions"]
    assert (withdrawal["withdraw"]["transactionID"], withdrawal["debitParty"]["holder"]["name"]) == (
        "saque #1", shop.company.official_name,
    )  # fmt: skip
    assert (out["debitParty"]["holder"]["taxID"]["taxID"], "creditParty" in out) == (shop.company.tax_id, False)
    [into] = rival.get("/api/v1/transaction").json()["transactions"]
    assert into["creditParty"]["holder"]["taxID"]["taxID"] == rival.company.tax_id
    assert shop.company.tax_id not in str(into)
    for shown in (out, withdrawal):
        for identifier in (shown["globalID"], shown["endToEndId"], shown["transactionID"]):
            path = f"/api/v1/transaction/{quote(identifier, safe='')}"
            assert shop.get(path).json() == {"transaction": shown}
            assert rival.get(path).json() == {"error": "Transaction not found"}

    failed = BankSent(sent.public_id, sent.end_to_end_id, 200, SendStatus.REFUSED, "AC06 - blocked")
    with transaction.atomic():
        outcomes.book(sent, failed, timezone.now())
    shown = shop.get(f"/api/v1/transaction/{sent.public_id}").json()["transaction"]
    assert (shown["status"], shown["providerErrorCode"]) == ("REJECTED", "AC06")


@pytest.mark.parametrize(("end", "told"), [(ReturnStatus.DONE, "REFUNDED"), (ReturnStatus.REFUSED, "NOT_ACCOMPLISHED")])
def test_a_refund_by_its_pix(shop: Merchant, paid: Charge, end: ReturnStatus, told: str) -> None:
    received = paid.received.get()
    Charge.objects.filter(pk=paid.pk).update(paid_at=timezone.now())
    body = {"transactionEndToEndId": received.end_to_end_id, "correlationID": "d1", "value": 300, "comment": "Troca"}
    made = shop.post("/api/v1/refund", body).json()["refund"]
    assert (made["status"], made["value"], made["comment"]) == ("IN_PROCESSING", 300, "Troca")
    assert shop.post("/api/v1/refund", body).json()["refund"] == made
    assert shop.post("/api/v1/refund", body | {"value": 301}).status_code == 400
    row = Refund.objects.get()
    returning.resolve(row.pk, BankReturn(row.return_id, "D" + "1" * 31, 300, end, "no"))
    for identifier in ("d1", row.return_id, "D" + "1" * 31):
        shown = shop.get(f"/api/v1/refund/{identifier}").json()["pixTransactionRefund"]
        assert (shown["refundId"], shown["status"]) == (row.return_id, told)
    assert [each["status"] for each in shop.get("/api/v1/refund").json()["refunds"]] == [told]


@pytest.mark.parametrize("path", ["charge", "transaction", "statement"])
def test_the_end_of_time_is_no_end(shop: Merchant, paid: Charge, path: str) -> None:
    without = shop.get(f"/api/v1/{path}").json()
    for end in ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-03:00"):
        answer = shop.get(f"/api/v1/{path}", end=end)
        if answer.status_code == 200:
            assert answer.json() == without
        else:  # not a time that there is in UTC
            assert (answer.status_code, "end" in answer.json()["error"]) == (400, True)


def test_an_account_may_be_named_if_it_is_ones_own(shop: Merchant, rival: Merchant, paid: Charge) -> None:
    own, theirs = (one.get("/api/v1/account").json()["accounts"][0]["accountId"] for one in (shop, rival))
    transaction_id = paid.received.get().end_to_end_id
    for path in ("statement", f"transaction/{transaction_id}", "pix-keys/tokens/logs"):
        without = shop.get(f"/api/v1/{path}").json()
        assert shop.get(f"/api/v1/{path}", companyBankAccount=own).json() == without
        answer = shop.get(f"/api/v1/{path}", companyBankAccount=theirs)
        assert (answer.status_code, answer.json()["error"]) == (400, "companyBankAccount is no account of the company")
    User.objects.create_user("dona@example.com", company=shop.company)
    assert len(shop.get("/api/v1/account", email="Dona@example.com").json()["accounts"]) == 1
    assert rival.get("/api/v1/account", email="dona@example.com").json()["accounts"] == []


def test_an_unknown_pix_is_not_refunded(shop: Merchant, paid: Charge) -> None:
    answer = shop.post("/api/v1/refund", {"transactionEndToEndId": "E" + "0" * 31, "correlationID": "d1"})
    assert (answer.status_code, answer.json()) == (400, {"error": "Transaction not found"})
    assert not Refund.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_statement_has_the_balance_after_each_movement(shop: Merchant, paid: Charge) -> None:
    back = refund(shop, paid, 300)
    refund(shop, paid, 200, ReturnStatus.REFUSED)  # held and released: nothing moved
    lines = shop.get("/api/v1/statement").json()
    assert [(each["type"], each["value"], each["balance"]) for each in lines] == [
        ("DEBIT", 300, 1100),
        ("CREDIT", 450, 1400),
        ("CREDIT", 950, 950),
    ]
    assert lines[0]["transactionId"] == back.return_id
    assert lines[2]["description"] == "Pix received"
    assert shop.get("/api/v1/statement", skip=1, limit=1).json() == lines[1:2]
    first_end = lines[2]["time"]
    assert shop.get("/api/v1/statement", end=first_end).json() == lines[2:]
    assert shop.get("/api/v1/statement", start=lines[1]["time"]).json() == lines[:2]
    assert shop.get("/api/v1/statement", limit=101).status_code == 400
