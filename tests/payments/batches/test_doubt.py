"""While the bank may still carry out a row, nobody says that it was not paid, and nobody sends it who may not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from payments import checks
from payments.bank.port import (
    BankNotFound,
    BankRefused,
    BankSent,
    BankUnavailable,
    BankUnknown,
    SendOrder,
    SendStatus,
    not_sent,
)
from payments.models import Company, Payment, PayoutBatch, PayoutChunk, PayoutRow
from payments.services import batches
from payments.services.batches import importing, leases, paying, rows, settling
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


def test_a_bank_that_says_it_took_nothing_though_it_did_is_looked_up(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    def taken(order: SendOrder) -> None:
        raise BankUnavailable("HTTP 503")

    quick_bank.after = taken
    batch = approved(csv_of(1))
    batches.pay(batch.pk)
    assert PayoutChunk.objects.get().attempts == 1
    batch = batches.cancel(batch)
    assert money(shop) == (999_500, 100), "the row is in doubt"
    PayoutChunk.objects.update(leased_until=None)
    batch = pay_all(batch)
    assert (batch.confirmed, money(shop), differing()) == (1, (999_400, 0), [])


def test_what_never_left_leaves_nothing_in_doubt(quick_bank: BankInProcess, shop: Company, approved: Make) -> None:
    def limited(order: SendOrder) -> None:
        raise not_sent("ConnectError")

    quick_bank.before = limited
    batch = approved(csv_of(1))
    batches.pay(batch.pk)
    assert PayoutChunk.objects.get().attempts == 0
    batches.cancel(batch)
    assert money(shop) == (999_500, 0)


def test_a_row_without_an_answer_keeps_no_other_from_being_paid(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    def never(order: SendOrder) -> None:
        if order.pix_key == "ana1@exemplo.com":
            raise BankUnknown("HTTP 403")

    quick_bank.before = never
    batch = pay_all(approved(csv_of(8)))
    assert (batch.confirmed, money(shop)) == (7, (998_800, 100))


def test_a_row_that_the_bank_never_takes_keeps_no_other_from_being_paid(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    def never(order: SendOrder) -> None:
        if order.pix_key == "ana1@exemplo.com":
            raise BankUnavailable("HTTP 401")

    quick_bank.before = never
    batch = approved(csv_of(8))
    for _ in range(3):
        batch = pay_all(batch)
        PayoutChunk.objects.update(leased_until=None)
    assert (batch.confirmed, money(shop), differing()) == (7, (998_800, 100), [])


def test_a_bank_that_answers_nothing_is_given_a_rest(
    quick_bank: BankInProcess, approved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(order: SendOrder) -> None:
        raise BankUnknown("HTTP 503")

    monkeypatch.setattr(paying, "MOST_UNANSWERED", 2)
    monkeypatch.setattr(paying, "BACK_OFF", 60.0)
    monkeypatch.setattr(batches.leaving, "wait", lambda seconds: None)
    quick_bank.before = never
    pay_all(approved(csv_of(40)))
    assert quick_bank.calls <= 4
    assert Payment.objects.count() == quick_bank.calls
    assert not PayoutChunk.objects.filter(attempts__gt=0).exists(), "each row that was sent is booked"


class StopsAtTheFirstWait(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


@pytest.mark.parametrize(("seconds_left", "sent"), [(1.5, 1), (20.0, 4)], ids=["short", "control"])
def test_a_worker_sends_nothing_that_may_outlast_its_lease(
    quick_bank: BankInProcess, approved: Make, seconds_left: float, sent: int
) -> None:
    """A send lasts up to two seconds here: one to connect, one for the answer."""
    batch = approved(csv_of(4))
    chunk = leases.claim(batch.pk)
    assert chunk

    def late(order: SendOrder) -> None:
        chunk.held_until = time.monotonic() + seconds_left

    quick_bank.before = late
    crew = paying._Crew(batch, chunk, rows.left(batch, chunk))
    crew.stop = StopsAtTheFirstWait()
    crew.work()
    assert (quick_bank.calls, crew.is_whole()) == (sent, sent == 4)


def test_booking_renews_the_lease_for_the_workers_threads_too(quick_bank: BankInProcess, approved: Make) -> None:
    batch = approved(csv_of(4))
    chunk = leases.claim(batch.pk)
    assert chunk
    chunk.held_until = 0.0
    settling.settle(batch, [], timezone.now(), chunk)
    assert chunk.holds()
    chunk.held_until = 0.0
    PayoutChunk.objects.update(token=None)
    with pytest.raises(leases.LeaseLost):
        settling.settle(batch, [], timezone.now(), chunk)
    assert not chunk.holds()


def test_a_row_in_doubt_is_not_sent_by_who_may_have_lost_its_chunk(
    quick_bank: BankInProcess, approved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = approved(csv_of(2))
    PayoutChunk.objects.update(attempts=1)
    with monkeypatch.context() as late:
        late.setattr(leases.Chunk, "holds", lambda chunk: False)
        pay_all(batch)
    assert (quick_bank.calls, Payment.objects.count()) == (0, 0)
    PayoutChunk.objects.update(leased_until=None)
    assert pay_all(batch).confirmed == 2


def test_a_batch_whose_last_row_was_paid_while_it_was_paused_ends_when_it_goes_on(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    batch = approved(csv_of(2))

    def pause(order: SendOrder) -> None:
        if order.pix_key == "ana2@exemplo.com":
            batches.pause(batch)
            connection.close()

    quick_bank.after = pause
    assert pay_all(batch).status == "PAUSED"
    assert batches.resume(batch).status == "DONE"
    batch.refresh_from_db()
    assert (batch.status, money(shop), differing()) == ("DONE", (999_300, 0), [])


@pytest.mark.parametrize("stop", [batches.pause, batches.cancel], ids=["pause", "cancel"])
def test_a_chunk_that_was_taken_when_its_batch_stopped_is_not_sent(
    quick_bank: BankInProcess,
    shop: Company,
    approved: Make,
    monkeypatch: pytest.MonkeyPatch,
    stop: Callable[..., PayoutBatch],
) -> None:
    batch, real = approved(csv_of(2)), leases.claim

    def claim(batch_id: int | None = None) -> leases.Chunk | None:
        chunk = real(batch_id)
        if chunk and not quick_bank.calls and PayoutBatch.objects.get(pk=batch.pk).status == "RUNNING":
            stop(batch)
        return chunk

    monkeypatch.setattr(leases, "claim", claim)
    batch = pay_all(batch)
    assert (quick_bank.calls, PayoutChunk.objects.get().attempts) == (0, 0)
    assert money(shop) == (999_500, 0 if stop is batches.cancel else 200)


def test_a_cancelled_batch_whose_rows_were_changed_is_looked_up_and_ends(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    batch = approved(csv_of(2))
    paying.send_row(batch, rows.left(batch, _claimed(batch))[0], 1, look_up=False)  # and its worker dies
    PayoutRow.objects.filter(batch=batch, line=3).update(pix_key="thief@exemplo.com")
    PayoutChunk.objects.update(leased_until=None)
    assert pay_all(batch).status == "PAUSED"
    batch = batches.cancel(batch)
    PayoutChunk.objects.update(leased_until=None)
    assert batches.pay() is False
    batches.check_open(later(60))
    batch.refresh_from_db()
    assert (quick_bank.calls, batch.confirmed, batch.failed, money(shop)) == (1, 1, 1, (999_400, 0))
    assert differing() == []


def _claimed(batch: PayoutBatch) -> leases.Chunk:
    chunk = leases.claim(batch.pk)
    assert chunk
    return chunk
