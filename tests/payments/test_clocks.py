"""Processes whose clocks differ by minutes: the database's clock alone says when a bank's refusal is final."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from payments import bank
from payments.bank.port import BankError, BankNotFound, BankRefused, BankUnknown, not_sent
from payments.models import BankCursor, Company, Payment, Refund
from payments.services import instructions, payments, reconciliation
from payments.services.charges import receiving, refunds, returning
from payments.services.payments import PaymentOrder
from tests.payments import making

pytestmark = pytest.mark.django_db(transaction=True)
true_now = timezone.now


class AnsweringBank:
    """Answers each request with the next of `answers`, and has nothing where it is looked up."""

    def __init__(self) -> None:
        self.answers: list[BankError] = []

    def send_pix(self, *_: Any) -> Any:
        raise self.answers.pop(0)

    request_return = send_pix

    def read_sent(self, *_: Any) -> Any:
        raise BankNotFound("NaoEncontrado")

    read_return = read_sent

    def lookup_key(self, *_: Any) -> Any:
        raise not_sent("ConnectError")

    def list_received(self, *_: Any) -> list[Any]:
        return []


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> AnsweringBank:
    made = AnsweringBank()
    monkeypatch.setattr(bank, "current", lambda: made)
    return made


@pytest.fixture
def shop() -> Company:
    company = making.company()
    receiving.receive(making.pix(pix_key=company.pix_key, value=10_000))
    return company


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Be another process, whose clock is so many seconds ahead. The database keeps its own."""
    return lambda seconds: monkeypatch.setattr(timezone, "now", lambda: true_now() + timedelta(seconds=seconds))


def payment(shop: Company) -> Callable[[], str]:
    """Sends a payment, and returns its status."""
    payments.create(shop, PaymentOrder("pagamento", 400, pix_key="ana@exemplo.com"))
    approved = payments.approve(shop, "pagamento")
    return lambda: payments.send(approved.pk).status


def refund(shop: Company) -> Callable[[], str]:
    """Sends a refund, and returns its status."""
    charge = making.charge(shop, 1000, expires_at=true_now() + timedelta(hours=1))
    receiving.receive(making.pix(charge, paid_at=true_now()))
    charge.refresh_from_db()
    made = refunds.request(shop, charge, "devolucao")
    return lambda: returning.send(made.pk).status


@pytest.mark.parametrize(
    ("made", "is_open", "ended"), [(payment, "PROCESSING", "FAILED"), (refund, "IN_PROCESSING", "REJECTED")]
)
def test_a_refusal_is_final_by_the_databases_clock(
    answering: AnsweringBank, shop: Company, clock: Callable[[int], None], made: Any, is_open: str, ended: str
) -> None:
    answering.answers = [BankUnknown("ReadTimeout"), BankRefused("HTTP 422"), BankRefused("HTTP 422")]
    send = made(shop)
    assert send() == is_open
    clock(600)
    assert send() == is_open, "the first request may still be carried out"
    for model in (Payment, Refund):
        model.objects.update(sent_at=F("sent_at") - instructions.grace())
    clock(-600)
    assert send() == ended, "nor does a slow clock keep it open for ever"


def test_the_banks_list_is_read_to_now_by_the_databases_clock(
    answering: AnsweringBank, clock: Callable[[int], None]
) -> None:
    """A cursor that is ahead would expire charges too early, and who has the right time would leave a piece out."""
    clock(600)
    reconciliation.read_received()
    assert BankCursor.objects.get().read_until <= true_now()
