"""A row is paid in one round only, however late something of an earlier round comes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from payments import checks
from payments.bank.port import BankSent, BankUnknown, SendOrder, SendStatus
from payments.models import Company, Payment, PayoutBatch
from payments.selectors import payments as selectors
from payments.services import batches
from payments.services.batches import leases, rows, settling
from payments.services.errors import Invalid
from tests.payments.batches.conftest import BankInProcess, csv_of, money, pay_all

Make = Callable[[str], PayoutBatch]
ONCE = "a row of a batch is paid at most once"


def later(seconds: int = 60) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


def differing() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


def with_one_slow_row(bank: BankInProcess, batch: PayoutBatch) -> Payment:
    """A batch that is over, but for a row in quarantine, which the bank turns out to be carrying out."""
    chunk = leases.claim(batch.pk)
    assert chunk
    results = []
    for row in rows.left(batch, chunk):
        status = Payment.Status.FAILED if row.pix_key.startswith("bad") else Payment.Status.CONFIRMED
        if row.line == 3:
            status = Payment.Status.QUARANTINED
            id_ = settling.payment_id(batch, 3, batch.round)
            bank.sent[id_] = BankSent(id_, "E3", row.value, SendStatus.PROCESSING)
        results.append(settling.Result(row, batch.round, status))
    settling.settle(batch, results, timezone.now(), chunk, last=True)
    return batches.ask(Payment.objects.get(line=3))


def test_nothing_is_paid_again_while_the_bank_may_still_pay(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    batch = approved(csv_of(3, bad=1))
    slow = with_one_slow_row(quick_bank, batch)
    assert slow.status == "PROCESSING"
    with pytest.raises(Invalid, match="not known"):
        batches.retry(batch, *batches.failed_rows(batch))

    quick_bank.sent[slow.public_id] = BankSent(slow.public_id, "E3", 100, SendStatus.DONE)
    batches.check_open(later())

    batch.refresh_from_db()
    assert (batch.status, batch.confirmed, money(shop)) == ("PARTIAL", 2, (999_300, 0))
    pay_all(batches.retry(batch, *batches.failed_rows(batch)))
    assert quick_bank.calls == 1, "only the row that had failed"
    assert differing() == []


def test_a_payment_is_looked_up_under_its_own_id(quick_bank: BankInProcess, approved: Make) -> None:
    """Also where somebody asks about one that was read before the batch went on to another round."""
    batch = approved(csv_of(3, bad=1))
    slow = with_one_slow_row(quick_bank, batch)
    PayoutBatch.objects.filter(pk=batch.pk).update(round=2)
    slow = Payment.objects.get(pk=slow.pk)
    quick_bank.sent[slow.public_id] = BankSent(slow.public_id, "E3", 100, SendStatus.DONE)
    asked: list[str] = []
    real = quick_bank.read_sent
    quick_bank.read_sent = lambda id_: asked.append(id_) or real(id_)  # type: ignore[func-returns-value,method-assign]
    batches.ask(slow)
    assert asked == [slow.public_id]


def test_what_comes_of_an_earlier_round_is_not_booked_in_a_later_one(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    """A look that lasts while another one ends the row and the batch is retried."""

    def silent(order: SendOrder) -> None:
        if order.pix_key == "ana1@exemplo.com":
            raise BankUnknown("ReadTimeout")

    quick_bank.after = silent
    batch = pay_all(approved(csv_of(3, bad=1)))
    real, inside, go_on = quick_bank.read_sent, threading.Event(), threading.Event()

    def slow(id_: str) -> BankSent:
        if not inside.is_set():
            inside.set()
            go_on.wait(20)
            raise BankUnknown("ReadTimeout")
        return real(id_)

    def look() -> None:
        try:
            batches.check_open(later())
        finally:
            connections.close_all()

    quick_bank.read_sent = slow  # type: ignore[method-assign]
    looking = threading.Thread(target=look)
    looking.start()
    assert inside.wait(20)
    batches.check_open(later(120))
    batch.refresh_from_db()
    batch = batches.retry(batch, *batches.failed_rows(batch))
    go_on.set()
    looking.join()

    assert not Payment.objects.filter(round=2).exists()
    batch = pay_all(batch)
    assert list(Payment.objects.filter(round=2).values_list("line", flat=True)) == [4]
    assert (batch.confirmed, money(shop), quick_bank.paid) == (2, (999_300, 0), 200)
    assert differing() == []


def test_the_latest_round_of_a_row_is_shown(
    quick_bank: BankInProcess, shop: Company, approved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = pay_all(approved(csv_of(2, bad=1)))
    assert shown(shop) == ("FAILED", 1)

    def paid(order: SendOrder) -> BankSent:
        quick_bank.sent[order.send_id] = BankSent(order.send_id, "E9", order.value, SendStatus.DONE)
        return quick_bank.sent[order.send_id]

    monkeypatch.setattr(quick_bank, "send_pix", paid)
    pay_all(batches.retry(batch, 1, 100))
    assert shown(shop) == ("CONFIRMED", 2)


def shown(shop: Company) -> tuple[str, int | None]:
    found = selectors.find(shop, "id-2")
    assert found
    return found.status, found.round


def test_without_a_lease_no_payment_is_written_that_was_not_there(quick_bank: BankInProcess, approved: Make) -> None:
    batch = approved(csv_of(1))
    chunk = leases.claim(batch.pk)
    assert chunk
    result = settling.Result(rows.left(batch, chunk)[0], batch.round, Payment.Status.CONFIRMED)
    settling.settle(batch, [result], timezone.now())
    assert not Payment.objects.exists()
    settling.settle(batch, [result], timezone.now(), chunk)
    assert Payment.objects.get().status == "CONFIRMED"


def test_the_database_keeps_a_row_from_being_paid_in_two_rounds(quick_bank: BankInProcess, approved: Make) -> None:
    pay_all(approved(csv_of(1)))
    with pytest.raises(IntegrityError), transaction.atomic():
        _copy()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DROP INDEX payment_of_line_paid_once")
        _copy()
        (check,) = (check for check in checks.ALL if check.name == ONCE)
        assert checks._run(cursor, check).count == 1
        transaction.set_rollback(True)
    assert differing() == []


def _copy() -> None:
    again = Payment.objects.get()
    again.pk, again.round, again.public_id = None, 2, "b" * 24
    again.save(force_insert=True)
