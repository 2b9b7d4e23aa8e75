"""A company that operators have frozen is refused at every door, in each door's own words, from the next request on."""

from __future__ import annotations

import io
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from payments.models import Account, Charge, Company, Payment, PayoutBatch, PayoutChunk, Refund, User
from payments.services import batches, carrying_out, companies, freezing, payments
from payments.services.charges import ChargeRequest, create, receiving, refunds, splits
from payments.services.errors import Invalid
from payments.services.payments import PaymentOrder
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.batches.conftest import BankInProcess, csv_of, quick_bank
from tests.payments.web.log_in import Owner

__all__ = ["quick_bank"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop() -> Company:
    made = making.company()
    receiving.receive(making.pix(pix_key=made.pix_key, value=100_000))
    return made


@pytest.fixture
def paid(shop: Company) -> Charge:
    now = timezone.now()
    charge = making.charge(shop, 10_000, created_at=now, expires_at=now + timedelta(hours=1))
    receiving.receive(making.pix(charge, paid_at=timezone.now()))
    charge.refresh_from_db()
    return charge


def api(shop: Company) -> Client:
    return Client(
        headers={"Authorization": companies.issue_application(shop, "Test")[1]}, raise_request_exception=False
    )


def person(shop: Company, name: str) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(User.objects.create_user(f"{name}{shop.pk}@example.com", company=shop))
    return client


def waiting(shop: Company) -> PayoutBatch:
    maker = User.objects.create_user(f"maker{shop.pk}@example.com", company=shop)
    return batches.submit(batches.upload(shop, maker, "folha.csv", io.BytesIO(csv_of(3).encode())))


def test_the_api_refuses_in_the_contracts_shape_and_takes_it_again_after_the_release(
    bank: BankProcess, shop: Company, paid: Charge
) -> None:
    payments.create(shop, PaymentOrder("before", 100, pix_key="ana@exemplo.com"))
    create(shop, ChargeRequest("known", 500))
    client = api(shop)
    loose = making.pix(pix_key=shop.pix_key, value=500, paid_at=timezone.now())
    receiving.receive(loose)
    account = Account.objects.get(company=shop, kind="MERCHANT").public_id
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "/api/v1/charge": ("charges", {"correlationID": "new", "value": 500}),
        f"/api/v1/charge/{paid.correlation_id}/refund": ("refunds", {"correlationID": "r", "value": 100}),
        "/api/v1/payment": (
            "payments",
            {"type": "PIX_KEY", "value": 100, "destinationAlias": "ana@exemplo.com", "correlationID": "p"},
        ),
        "/api/v1/payment/approve": ("payments", {"correlationID": "before"}),
        "/api/v1/refund": (
            "refunds",
            {"correlationID": "l", "value": 100, "transactionEndToEndId": loose.end_to_end_id},
        ),
        "/api/v1/qrcode-static": ("charges", {"correlationID": "q", "name": "Balcao"}),
        "/api/v1/transfer": (
            "payments",
            {"correlationID": "t", "value": 100, "fromPixKey": shop.pix_key, "toPixKey": making.company().pix_key},
        ),
        f"/api/v1/account/{account}/withdraw": ("payments", {"correlationID": "w", "value": 200}),
    }
    freezing.freeze(shop, freezing.KINDS)
    for path, (kind, body) in bodies.items():
        answer = client.post(path, json.dumps(body), content_type="application/json")
        assert (answer.status_code, answer.json()) == (400, {"error": f"The company's {kind} are frozen"}), path
    assert not Refund.objects.exists()
    assert set(Payment.objects.values_list("correlation_id", "status")) == {("before", "CREATED")}
    assert client.get("/api/v1/charge/known").status_code == 200, "it may still look"
    assert api(making.company()).post(
        "/api/v1/charge", json.dumps({"correlationID": "x", "value": 500}), content_type="application/json"
    ).status_code == 200, "another company is not frozen"  # fmt: skip
    freezing.release(shop, freezing.KINDS)
    for path, (_, body) in bodies.items():
        assert client.post(path, json.dumps(body), content_type="application/json").status_code == 200, path


@pytest.mark.parametrize("kind", freezing.KINDS)
def test_each_is_frozen_by_itself(bank: BankProcess, shop: Company, paid: Charge, kind: Any) -> None:
    freezing.freeze(shop, [kind])
    shop.refresh_from_db()
    tries = {
        "charges": lambda: create(shop, ChargeRequest("c", 500)),
        "refunds": lambda: refunds.request(shop, paid, "r", 100),
        "payments": lambda: payments.create(shop, PaymentOrder("p", 100, pix_key="ana@exemplo.com")),
    }
    for name, act in tries.items():
        if name == kind:
            with pytest.raises(Invalid, match=f"The company's {kind} are frozen"):
                act()
        else:
            act()


def test_the_pages_refuse_in_words(bank: BankProcess, shop: Company, paid: Charge) -> None:
    batch, checker = waiting(shop), person(shop, "checker")
    freezing.freeze(shop, freezing.KINDS)
    charge = {"value": "10,00", "expires_in": "3600", "comment": "", "customer_name": "", "customer_tax_id": ""}
    page = checker.post(f"/charges/new/{uuid.uuid4()}", charge)
    assert "have frozen new charges" in page.content.decode()
    refund = {"part": "part", "value": "40,00", "comment": "", "correlation_id": str(uuid.uuid4()), "confirmed": "on"}
    page = checker.post(f"/charges/{paid.public_id}/refund", refund)
    assert "have frozen refunds" in page.content.decode()
    phone = Owner(User.objects.get(email=f"checker{shop.pk}@example.com"))
    checker.force_login(phone.user)
    form = {"signature": batch.signature, "code": phone.recovery[0]}
    page = checker.post(f"/batches/{batch.public_id}/approve", form, follow=True)
    assert "have frozen payments" in page.content.decode()
    assert (Charge.objects.count(), Refund.objects.count(), PayoutBatch.objects.get().status) == (
        1,
        0,
        "AWAITING_APPROVAL",
    )


def test_a_running_batch_stops_and_the_command_refuses_to_go_on(quick_bank: BankInProcess, shop: Company) -> None:
    batch = waiting(shop)
    checker = User.objects.create_user("checker@example.com", company=shop)
    batches.approve(batch, checker, batch.signature)
    freezing.freeze(shop, ["payments"])
    batch.refresh_from_db()
    assert (batch.status, batch.pause_reason) == ("PAUSED", "The company's payments are frozen")
    with pytest.raises(CommandError, match="are frozen"):
        call_command("payout_batch", "resume", batch.public_id)
    # Approved in the very moment of the freeze.
    PayoutBatch.objects.update(status="RUNNING")
    batches.pay(batch.pk)
    assert quick_bank.calls == 0
    assert PayoutBatch.objects.get().status == "PAUSED"
    freezing.release(shop, ["payments"])
    PayoutChunk.objects.update(leased_until=None)  # a chunk that was given back rests for two seconds
    batches.resume(batch)
    batches.pay(batch.pk)
    assert quick_bank.calls == 3


def test_an_approved_payment_waits_and_one_at_the_bank_goes_on(bank: BankProcess, shop: Company) -> None:
    for name in ("sent", "tried", "waits"):
        payments.create(shop, PaymentOrder(name, 100, pix_key="ana@exemplo.com"))
        payments.approve(shop, name)
    sent, tried, waits = Payment.objects.order_by("id")
    bank.faults(settle_ms=3_600_000)
    assert payments.send(sent.pk).status == "PROCESSING"
    bank.faults(unavailable_percent=100)
    assert payments.send(tried.pk).status == "PROCESSING"
    bank.faults()
    freezing.freeze(shop, ["payments"])
    assert payments.send(sent.pk).status in {"PROCESSING", "CONFIRMED"}
    assert payments.send(tried.pk).status == "PROCESSING", "the bank does not have it, so it is not sent again"
    assert payments.send(waits.pk).status == "APPROVED"
    freezing.release(shop, ["payments"])
    assert [payments.send(each.pk).status for each in (tried, waits)] == ["CONFIRMED", "CONFIRMED"]


def test_those_that_wait_are_in_nobodys_way(bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep takes the least recently asked first: who is never asked would be first for ever."""
    monkeypatch.setattr(carrying_out, "CHECK_BATCH", 1)
    other = making.company()
    receiving.receive(making.pix(pix_key=other.pix_key, value=1_000))
    for owner in (shop, other):
        payments.create(owner, PaymentOrder("p", 100, pix_key="ana@exemplo.com"))
        payments.approve(owner, "p")
    freezing.freeze(shop, ["payments"])
    assert payments.check_open(timezone.now() + timedelta(minutes=1)) == 1
    assert dict(Payment.objects.values_list("company", "status")) == {shop.pk: "APPROVED", other.pk: "CONFIRMED"}


def test_a_frozen_company_splits_with_no_other(shop: Company) -> None:
    freezing.freeze(shop, ["payments"])
    shop.refresh_from_db()
    with pytest.raises(Invalid, match="payments are frozen"):
        splits.resolved(shop, (splits.Split(100, making.company().pix_key),), "", 950)


def test_money_that_comes_in_is_booked_and_a_payers_money_goes_back(shop: Company, paid: Charge) -> None:
    freezing.freeze(shop, freezing.KINDS)
    before = making.balances(shop)["MERCHANT"]
    receiving.receive(making.pix(pix_key=shop.pix_key, value=1_000))
    assert making.balances(shop)["MERCHANT"] > before
    receiving.receive(making.pix(paid, paid_at=timezone.now()))  # a second time: back to the payer
    assert Refund.objects.get().automatic


def test_operators_with_the_right_freeze_with_a_reason_and_the_log_has_old_and_new(shop: Company) -> None:
    address, picked = "/admin/payments/company/", {"_selected_action": [shop.pk]}
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_company", "change_company"]))
    reader = Client()
    reader.force_login(clerk)
    form = {**picked, "action": "freeze", "answered": "1", "kinds": ["payments", "refunds"], "reason": "fraud"}
    reader.post(address, form)
    assert not freezing.frozen(Company.objects.get())
    boss = Client(headers={"Accept-Language": "en"})
    boss.force_login(User.objects.create_superuser("op@example.com", "x"))
    assert 'name="kinds"' in boss.post(address, {**picked, "action": "freeze"}).content.decode()
    boss.post(address, {**form, "reason": ""})
    assert not freezing.frozen(Company.objects.get()), "not without a reason"
    boss.post(address, form)
    assert freezing.frozen(Company.objects.get()) == ["payments", "refunds"]
    assert "Payments out, Refunds" in boss.get(address).content.decode()
    boss.post(address, {**form, "action": "release", "kinds": ["refunds"], "reason": "cleared"})
    assert freezing.frozen(Company.objects.get()) == ["payments"]
    told = [entry.get_change_message() for entry in LogEntry.objects.order_by("id")]
    assert told == [
        "freeze. Frozen: - → payments, refunds. Reason: fraud",
        "release. Frozen: payments, refunds → payments. Reason: cleared",
    ]
