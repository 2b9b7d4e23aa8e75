"""While the bank may still carry out a row, nobody says that it was not paid, and nobody sends it who may not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments import checks
from payments.bank.port import BankNotFound, BankRefused, BankSent, BankUnknown, SendOrder, SendStatus
from payments.models import Company, Payment, PayoutBatch, PayoutChunk
from payments.services import batches
from payments.services.batches import importing, paying
from tests.payments.batches.conftest import BankInProcess, csv_of, money, pay_all

Make = Callable[[str], PayoutBatch]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(importing, "CHUNK", 4)
    monkeypatch.setattr(paying, "BACK_OFF", 0.02)
    settings.PAYOUT_IN_FLIGHT = 2


def differing() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


def later(seconds: int = 10) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


@pytest.fixture
def one_unknown(quick_bank: BankInProcess, approved: Make) -> PayoutBatch:
    """Two rows, of which the first was sent without an answer and is not at the bank."""

    def lost(order: SendOrder) -> None:
        if order.pix_key == "ana1@exemplo.com":
            raise BankUnknown("ReadTimeout")

    quick_bank.before = lost
    batch = pay_all(approved(csv_of(2)))
    quick_bank.before = lambda order: None
    return batch


def test_who_looks_sends_nothing_after_the_batch_was_cancelled(
    quick_bank: BankInProcess, shop: Company, one_unknown: PayoutBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is cancelled between the look and the send."""

    def cancelled_meanwhile(id_: str) -> BankSent:
        batches.cancel(one_unknown)
        raise BankNotFound("PixEnvioNaoEncontrado")

    monkeypatch.setattr(quick_bank, "read_sent", cancelled_meanwhile)
    assert batches.check_open(later()) == 1
    assert (len(quick_bank.sent), money(shop)) == (1, (999_400, 100))


def test_who_was_overtaken_at_a_look_sends_nothing(
    quick_bank: BankInProcess, one_unknown: PayoutBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = quick_bank.calls

    def overtaken(id_: str) -> BankSent:
        Payment.objects.filter(status="PROCESSING").update(asked_at=later(11))
        raise BankNotFound("PixEnvioNaoEncontrado")

    with monkeypatch.context() as slow:
        slow.setattr(quick_bank, "read_sent", overtaken)
        batches.check_open(later())
    assert quick_bank.calls == calls
    batches.check_open(later(20))
    assert quick_bank.calls == calls + 1


def test_a_cancelled_row_is_failed_only_when_the_bank_cannot_pay_it_any_more(
    quick_bank: BankInProcess, shop: Company, one_unknown: PayoutBatch, settings: Any
) -> None:
    batches.cancel(one_unknown)
    batches.check_open(later(20))
    row = Payment.objects.get(line=2)
    assert (row.status, money(shop)) == ("PROCESSING", (999_400, 100)), "the bank may still be at it"

    batches.check_open(later(settings.PAYOUT_LEASE + settings.BANK_TIMEOUT + 5))

    row.refresh_from_db()
    assert (row.status, money(shop)) == ("FAILED", (999_400, 0))
    assert differing() == []


def test_a_late_payment_of_a_cancelled_row_is_booked(
    quick_bank: BankInProcess, shop: Company, one_unknown: PayoutBatch
) -> None:
    batches.cancel(one_unknown)
    batches.check_open(later(20))
    id_ = Payment.objects.get(line=2).public_id
    quick_bank.sent[id_] = BankSent(id_, "E2", 100, SendStatus.DONE)
    batches.check_open(later(60))
    assert (Payment.objects.get(line=2).status, money(shop)) == ("CONFIRMED", (999_300, 0))
    assert differing() == []


def test_an_unknown_row_of_a_paused_batch_is_looked_up_and_not_sent(
    quick_bank: BankInProcess, one_unknown: PayoutBatch
) -> None:
    batches.pause(one_unknown)
    calls = quick_bank.calls
    batches.check_open(later(120))
    assert (quick_bank.calls, Payment.objects.get(line=2).status) == (calls, "PROCESSING")
    batches.resume(one_unknown)
    batches.check_open(later(240))
    assert (quick_bank.calls, Payment.objects.get(line=2).status) == (calls + 1, "CONFIRMED")


def test_an_end_that_the_bank_denies_later_is_seen(quick_bank: BankInProcess, approved: Make) -> None:
    pay_all(approved(csv_of(2, bad=1)))
    good, bad = Payment.objects.order_by("line")
    assert batches.ask(good).contradicted_at is None
    quick_bank.sent[bad.public_id] = BankSent(bad.public_id, "E2", 100, SendStatus.DONE)
    assert batches.ask(bad).contradicted_at is not None
    assert differing() == ["a payment ended at the bank as it did here"]


def test_a_refusal_after_a_send_without_an_answer_ends_a_row_only_after_a_while(
    quick_bank: BankInProcess, shop: Company, one_unknown: PayoutBatch
) -> None:
    def refuse(order: SendOrder) -> None:
        raise BankRefused("HTTP 422")

    quick_bank.before = refuse
    for seconds in (10, 20):
        batches.check_open(later(seconds))
        assert Payment.objects.get(line=2).status == "PROCESSING"
    batches.check_open(later(60))
    assert (Payment.objects.get(line=2).status, money(shop)) == ("FAILED", (999_400, 0))


def test_a_row_that_a_dead_worker_may_have_sent_is_not_failed_by_a_refusal(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    class Killed(BaseException):
        pass

    def die(order: SendOrder) -> None:
        raise Killed

    def refuse(order: SendOrder) -> None:
        raise BankRefused("HTTP 422")

    quick_bank.before = die
    batch = approved(csv_of(1))
    with pytest.raises(Killed):
        batches.pay(batch.pk)
    PayoutChunk.objects.update(leased_until=None)
    quick_bank.before = refuse
    batch = pay_all(batch)
    assert (Payment.objects.get().status, money(shop)) == ("PROCESSING", (999_500, 100))
    batches.check_open(later(60))
    batch.refresh_from_db()
    assert (Payment.objects.get().status, batch.status, money(shop)) == ("FAILED", "PARTIAL", (999_500, 0))
