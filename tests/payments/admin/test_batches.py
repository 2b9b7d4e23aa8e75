"""What operators do about batches and payments: by right only, after a question, and in the log."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from payments.bank.port import SendOrder, SendStatus
from payments.models import Company, Payment, PayoutBatch, User
from payments.services import batches, payments
from payments.services.batches import leases, rows, settling
from payments.services.charges import receiving
from payments.services.payments import PaymentOrder
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.admin.second import approve_all
from tests.payments.batches.conftest import BankInProcess, csv_of, money, pay_all, quick_bank

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["quick_bank"]


@pytest.fixture
def shop() -> Company:
    made = making.company()
    receiving.receive(making.pix(pix_key=made.pix_key, value=10_000))
    return made


@pytest.fixture
def running(shop: Company) -> PayoutBatch:
    one, two = (User.objects.create_user(f"{name}@example.com", company=shop) for name in ("maker", "checker"))
    batch = batches.submit(batches.upload(shop, one, "folha.csv", io.BytesIO(csv_of(3).encode())))
    return batches.approve(batch, two, batch.signature)


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("op@example.com", "x"))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def act(client: Client, model: str, action: str, *rows_: Any, **form: str) -> str:
    body = {"action": action, "_selected_action": [row.pk for row in rows_], **form}
    answer = client.post(f"/admin/payments/{model}/", body, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_batch_is_paused_resumed_and_cancelled_after_a_question(operator: Client, running: PayoutBatch) -> None:
    for action, state in (("pause", "PAUSED"), ("resume", "RUNNING"), ("cancel", "CANCELLED")):
        before = running.status
        act(operator, "payoutbatch", action, running)
        running.refresh_from_db()
        assert running.status == before, "it only asks"
        act(operator, "payoutbatch", action, running, confirmed="yes")
        running.refresh_from_db()
        assert running.status == state
    assert LogEntry.objects.filter(object_id=str(running.pk)).count() == 3
    assert "not in a state for this" in act(operator, "payoutbatch", "resume", running, confirmed="yes")
    assert money(running.company) == (9_920, 0)


def test_failed_rows_are_paid_again_if_they_are_those_that_were_shown(
    quick_bank: BankInProcess, operator: Client, shop: Company, running: PayoutBatch
) -> None:
    def refuse(order: SendOrder) -> None:
        sent = quick_bank.sent[order.send_id]
        quick_bank.sent[order.send_id] = replace(sent, status=SendStatus.REFUSED, reason="AC06 - no")

    quick_bank.after = refuse
    assert pay_all(running).status == "PARTIAL"
    act(operator, "payoutbatch", "retry", running, answered="1", reason="the keys were mended")
    page = operator.get("/admin/payments/proposal/").content.decode()
    assert "Rows: 3" in page
    assert "Value: R$\u00a03,00" in page
    assert PayoutBatch.objects.get().status == "PARTIAL"
    Payment.objects.filter(line=3).update(value=99)  # other rows than were shown
    assert "It has changed since it was proposed" in approve_all()
    Payment.objects.filter(line=3).update(value=100)
    assert PayoutBatch.objects.get().status == "PARTIAL"
    act(operator, "payoutbatch", "retry", running, answered="1", reason="the keys were mended")
    approve_all()
    assert PayoutBatch.objects.get().status == "RUNNING"


def test_its_page_says_how_far_it_is(operator: Client, running: PayoutBatch) -> None:
    page = operator.get(f"/admin/payments/payoutbatch/{running.pk}/change/").content.decode()
    assert "confirmed 0, failed 0, unknown 0, quarantined 0, waiting 3" in page
    found = operator.get(f"/admin/payments/payoutrow/?q={running.public_id}").content.decode()
    assert "ana3@exemplo.com" in found


def test_a_reader_does_not_act(client: Client, running: PayoutBatch) -> None:
    reader = User.objects.create_user("reader@example.com", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_payoutbatch"))
    client.force_login(reader)
    act(client, "payoutbatch", "cancel", running, confirmed="yes")
    running.refresh_from_db()
    assert running.status == "RUNNING"


def test_a_payment_is_asked_about_denied_and_removed(operator: Client, bank: BankProcess, shop: Company) -> None:
    for name in ("a", "b", "c"):
        payments.create(shop, PaymentOrder(name, 100, pix_key="ana@exemplo.com"))
    first = payments.approve(shop, "a")
    act(operator, "payment", "ask_bank", first)
    act(operator, "payment", "deny", Payment.objects.get(correlation_id="b"), confirmed="yes")
    act(operator, "payment", "remove", Payment.objects.get(correlation_id="c"), confirmed="yes")
    assert list(Payment.objects.order_by("id").values_list("status", flat=True)) == ["CONFIRMED", "DENIED", "REMOVED"]
    refusal = act(operator, "payment", "deny", first, confirmed="yes")
    assert "approved already" in refusal


def test_a_row_in_quarantine_is_asked_about_and_given_up(
    operator: Client, bank: BankProcess, running: PayoutBatch
) -> None:
    chunk = leases.claim(running.pk)
    assert chunk
    row = rows.left(running, chunk)[0]
    settling.settle(running, [settling.Result(row, 1, Payment.Status.QUARANTINED)], timezone.now(), chunk)
    payment = Payment.objects.get()
    act(operator, "payment", "ask_bank", payment)
    payment.refresh_from_db()
    assert payment.status == "QUARANTINED", "the bank does not have it"
    assert "may still carry" in act(operator, "payment", "give_up", payment, confirmed="yes")
    Payment.objects.update(sent_at=timezone.now() - timedelta(hours=1))
    act(operator, "payment", "give_up", payment, confirmed="yes")
    payment.refresh_from_db()
    assert (payment.status, money(running.company)) == ("FAILED", (9_920, 200))


def test_a_contradicted_payment_is_corrected_with_a_reason(
    operator: Client, quick_bank: BankInProcess, shop: Company
) -> None:
    payments.create(shop, PaymentOrder("a", 100, pix_key="bad@exemplo.com"))
    payment = payments.send(payments.approve(shop, "a").pk)
    quick_bank.sent[payment.public_id] = replace(quick_bank.sent[payment.public_id], status=SendStatus.DONE)
    payments.ask(payment)
    act(operator, "payment", "resolve_contradiction", payment, answered="1", reason="as the bank's letter says")
    payment.refresh_from_db()
    assert payment.status == "FAILED", "nothing before another operator has approved"
    approve_all()
    payment.refresh_from_db()
    assert (payment.status, money(shop)) == ("CONFIRMED", (9_820, 0))
    assert "as the bank's letter says" in LogEntry.objects.get(user__email="op@example.com").change_message
    assert "does not contradict" in act(operator, "payment", "resolve_contradiction", payment, answered="1", reason="x")
