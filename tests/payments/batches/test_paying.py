"""Each row is paid once, whatever dies, is doubled, stopped or left unanswered; and the books say so."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from payments import checks
from payments.bank.port import BankUnavailable, BankUnknown, SendOrder
from payments.models import Company, LedgerTransaction, Payment, PayoutBatch, PayoutChunk, User
from payments.services import batches
from payments.services.batches import importing, leases, paying, settling
from payments.services.charges import receiving
from payments.services.errors import Invalid
from payments.services.payments import outcomes
from tests.payments import making
from tests.payments.batches.conftest import BankInProcess, csv_of, money, pay_all
from woovi.outbox.models import OutboxEvent
from woovi.queue.models import PeriodicJob

Make = Callable[[str], PayoutBatch]


class Killed(BaseException):
    """What a kill -9 is to the code: nothing after it runs."""


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(importing, "CHUNK", 4)
    monkeypatch.setattr(paying, "BACK_OFF", 0.02)
    settings.PAYOUT_IN_FLIGHT = 2


def differing() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


def end_leases() -> None:
    """As if their time was over."""
    PayoutChunk.objects.filter(is_done=False).update(leased_until=timezone.now() - timedelta(seconds=1))


def pay_whatever_dies(batch: PayoutBatch) -> PayoutBatch:
    for _ in range(50):
        try:
            pay_all(batch)
        except Killed:
            pass
        end_leases()
        if not PayoutChunk.objects.filter(batch=batch, is_done=False).exists():
            break
    batch.refresh_from_db()
    return batch


def test_events_are_the_contracts_own(quick_bank: BankInProcess, approved: Make) -> None:
    pay_all(approved(csv_of(6, bad=2)))
    for payment in Payment.objects.select_related("company"):
        event = OutboxEvent.objects.get(payload__payment__correlationID=payment.correlation_id)
        wanted = outcomes.event(payment)
        assert (event.topic, event.payload, event.tenant) == (wanted.topic, wanted.payload, str(payment.company_id))
    posted = LedgerTransaction.objects.filter(kind="payment")
    assert sorted(posted.values_list("correlation_id", flat=True)) == sorted(
        Payment.objects.filter(status="CONFIRMED").values_list("public_id", flat=True)
    )


def test_postings_have_the_ledgers_own_hash(quick_bank: BankInProcess, shop: Company, approved: Make) -> None:
    from payments.services import ledger
    from payments.services.ledger import Line, Posting

    pay_all(approved(csv_of(1)))
    payment, accounts = Payment.objects.get(), ledger.accounts(shop.pk)
    lines = (Line(accounts["MERCHANT"], -100), Line(accounts["CLEARING"], 100))  # type: ignore[index]
    assert ledger.post(Posting(shop.pk, "payment", payment.public_id, lines))[0].replayed


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_at_a_row_leaves_it_to_the_next(
    quick_bank: BankInProcess, shop: Company, approved: Make, when: str
) -> None:
    deaths = iter([3, 5, 8])
    next_death = next(deaths)

    def die(order: SendOrder) -> None:
        nonlocal next_death
        if quick_bank.calls == next_death:
            next_death = next(deaths, 0)
            raise Killed

    setattr(quick_bank, when, die)
    batch = pay_whatever_dies(approved(csv_of(10)))
    assert (batch.status, batch.confirmed, money(shop)) == ("DONE", 10, (998_500, 0))
    assert (len(quick_bank.sent), quick_bank.paid) == (10, 1_000)
    assert differing() == []


def test_a_worker_that_dies_before_it_books_leaves_that_to_the_next(
    quick_bank: BankInProcess, shop: Company, approved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = approved(csv_of(4))
    with monkeypatch.context() as dying:
        dying.setattr(paying, "settle", lambda *given, **more: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            batches.pay(batch.pk)
    assert (len(quick_bank.sent), Payment.objects.count()) == (4, 0)
    assert batches.pay(batch.pk) is False, "its lease keeps others away"
    assert quick_bank.calls == 4

    batch = pay_whatever_dies(batch)

    assert (batch.status, quick_bank.calls, money(shop)) == ("DONE", 4, (999_100, 0))


def left_by_a_dead_worker(batch: PayoutBatch, monkeypatch: pytest.MonkeyPatch, bank: BankInProcess) -> None:
    """The batch's only chunk was begun, nothing of it is booked, and its first row alone is at the bank."""
    monkeypatch.setattr(paying, "SUSPECTS", 2)

    def die(order: SendOrder) -> None:
        raise Killed

    bank.after = die
    with pytest.raises(Killed):
        batches.pay(batch.pk)
    bank.after = lambda order: None
    bank.sent = dict(list(bank.sent.items())[:1])
    end_leases()


def test_of_a_chunk_left_behind_only_the_first_rows_are_sent_one_by_one(
    quick_bank: BankInProcess, shop: Company, approved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = approved(csv_of(4))
    left_by_a_dead_worker(batch, monkeypatch, quick_bank)
    begun, both = list[str](), threading.Barrier(2, timeout=20)

    def meet(order: SendOrder) -> None:
        begun.append(order.pix_key)
        if order.pix_key in {"ana3@exemplo.com", "ana4@exemplo.com"}:
            both.wait()

    quick_bank.before = meet
    batch = pay_all(batch)
    assert begun[0] in {"ana1@exemplo.com", "ana2@exemplo.com"}, "one of them was at the bank"
    assert sorted(begun[1:]) == ["ana3@exemplo.com", "ana4@exemplo.com"]
    assert (batch.status, len(quick_bank.sent), money(shop)) == ("DONE", 4, (999_100, 0))
    assert differing() == []


def test_a_stop_among_the_first_rows_of_a_chunk_left_behind_stops_the_others(
    quick_bank: BankInProcess, shop: Company, approved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = approved(csv_of(4))
    left_by_a_dead_worker(batch, monkeypatch, quick_bank)
    before = quick_bank.calls

    def stop(order: SendOrder) -> None:
        batches.cancel(batch)
        connection.close()

    quick_bank.before = stop
    pay_whatever_dies(batch)
    batches.check_open(timezone.now() + timedelta(minutes=5))
    batch.refresh_from_db()
    assert quick_bank.calls == before + 1
    assert (batch.status, batch.confirmed, money(shop)) == ("CANCELLED", 2, (999_300, 0))
    assert differing() == []


def test_control_without_the_look_up_it_would_be_sent_again(
    quick_bank: BankInProcess, approved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = approved(csv_of(4))
    with monkeypatch.context() as dying:
        dying.setattr(paying, "settle", lambda *given, **more: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            batches.pay(batch.pk)
    monkeypatch.setattr(paying.instructions, "look_up", lambda pix: None)
    pay_whatever_dies(batch)
    assert quick_bank.calls == 8
    assert quick_bank.paid == 400, "and only the bank's own idempotency would be left"


def test_a_row_that_kills_its_workers_is_quarantined_and_the_others_are_paid(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    tries = []

    def poison(order: SendOrder) -> None:
        if order.pix_key == "ana2@exemplo.com":
            tries.append(order)
            raise Killed

    quick_bank.before = poison
    batch = pay_whatever_dies(approved(csv_of(8)))
    assert len(tries) == 3
    assert (batch.status, batch.confirmed) == ("PARTIAL", 7)
    row = Payment.objects.get(status="QUARANTINED")
    assert (row.pix_key, money(shop)) == ("ana2@exemplo.com", (998_800, 100)), "its money stays held"
    assert differing() == []
    assert batches.ask(row).status == "QUARANTINED"
    with pytest.raises(Invalid):
        batches.retry(batch, 0, 0)

    later = timezone.now() + timedelta(seconds=120)
    with pytest.raises(Invalid, match="may still carry"):
        batches.give_up(row)
    assert money(shop) == (998_800, 100)
    batches.give_up(row, later)

    batch.refresh_from_db()
    assert (batch.failed, money(shop)) == (1, (998_800, 0))
    quick_bank.before = lambda order: None
    assert pay_all(batches.retry(batch, 1, 100)).status == "DONE"
    assert differing() == []


def test_a_batch_whose_last_row_in_quarantine_was_paid_is_done(
    quick_bank: BankInProcess, shop: Company, approved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = paying.settle

    def die_of_the_second(batch: PayoutBatch, results: Any, *given: Any, **more: Any) -> PayoutBatch:
        if any(each.row.line == 2 and each.status == Payment.Status.CONFIRMED for each in results):
            raise Killed
        return settle(batch, results, *given, **more)

    batch = approved(csv_of(4))
    with monkeypatch.context() as dying:
        dying.setattr(paying, "settle", die_of_the_second)
        batch = pay_whatever_dies(batch)
    row = Payment.objects.get(status="QUARANTINED")
    assert (batch.status, batch.confirmed, len(quick_bank.sent)) == ("PARTIAL", 3, 4)

    assert batches.ask(row).status == "CONFIRMED"

    batch.refresh_from_db()
    assert (batch.status, batch.confirmed, money(shop)) == ("DONE", 4, (999_100, 0))
    finished = OutboxEvent.objects.filter(topic="payout.finished").order_by("id")
    assert [event.payload["status"] for event in finished] == ["PARTIAL", "DONE"]
    assert differing() == []


def test_workers_at_once_pay_each_row_once(quick_bank: BankInProcess, shop: Company, approved: Make) -> None:
    batch = approved(csv_of(40))

    def work(_: int) -> None:
        try:
            batches.pay(batch.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    batch.refresh_from_db()
    assert (batch.status, batch.confirmed, quick_bank.calls) == ("DONE", 40, 40)
    assert (money(shop), differing()) == ((995_500, 0), [])


def test_control_without_leases_rows_are_sent_twice_and_booked_once(
    quick_bank: BankInProcess, shop: Company, approved: Make, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(leases, "_NEXT", leases._NEXT.replace("c.leased_until < statement_timestamp()", "true"))
    monkeypatch.setattr(leases, "_TAKE", leases._TAKE.replace("leased_until < statement_timestamp()", "true"))
    settings.PAYOUT_CHUNKS = 9
    monkeypatch.setattr(leases.Chunk, "_own", staticmethod(lambda rows: rows[0] if rows else (1,)))
    batch = approved(csv_of(4))
    both = threading.Barrier(2, timeout=10)
    first: list[bool] = []

    def meet(order: SendOrder) -> None:
        if len(first) < 2:
            first.append(True)
            both.wait()

    settings.PAYOUT_IN_FLIGHT = 1
    monkeypatch.setattr(paying.instructions, "look_up", lambda pix: None)
    quick_bank.before = meet

    def work(_: int) -> None:
        try:
            batches.pay(batch.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    batch.refresh_from_db()
    assert quick_bank.calls > 4
    assert (batch.confirmed, money(shop)) == (4, (999_100, 0)), "the payments' key books each once"


def test_who_lost_the_lease_books_nothing(quick_bank: BankInProcess, shop: Company, approved: Make) -> None:
    batch = approved(csv_of(4))
    mine = leases.claim(batch.pk)
    assert mine
    end_leases()
    assert leases.claim(batch.pk)
    row = paying.rows.left(batch, mine)[0]
    with pytest.raises(leases.LeaseLost):
        settling.settle(batch, [settling.Result(row, 1, Payment.Status.CONFIRMED)], timezone.now(), mine)
    assert (Payment.objects.count(), money(shop)) == (0, (999_500, 400))


def test_a_result_that_comes_twice_is_booked_once(quick_bank: BankInProcess, shop: Company, approved: Make) -> None:
    batch = approved(csv_of(4))
    chunk = leases.claim(batch.pk)
    assert chunk
    results = [settling.Result(row, 1, Payment.Status.CONFIRMED, "E1") for row in paying.rows.left(batch, chunk)]
    for _ in range(3):
        batch = settling.settle(batch, results, timezone.now(), chunk)
    assert (batch.confirmed, batch.reserved, money(shop)) == (4, 0, (999_100, 0))
    assert OutboxEvent.objects.filter(topic="OPENPIX:MOVEMENT_CONFIRMED").count() == 4


def test_rows_without_an_answer_are_looked_up_and_end(quick_bank: BankInProcess, shop: Company, approved: Make) -> None:
    def silent(order: SendOrder) -> None:
        if order.pix_key in {"ana2@exemplo.com", "ana3@exemplo.com"}:
            raise BankUnknown("ReadTimeout")

    quick_bank.after = silent
    batch = pay_all(approved(csv_of(4)))
    assert (batch.status, batch.confirmed, money(shop)) == ("RUNNING", 2, (999_300, 200))
    assert Payment.objects.filter(unknown_since__isnull=False).count() == 2
    assert differing() == []

    assert batches.check_open(timezone.now() + timedelta(minutes=1)) == 2

    batch.refresh_from_db()
    assert (batch.status, quick_bank.calls, money(shop)) == ("DONE", 4, (999_100, 0))
    assert differing() == []


def test_a_bank_that_is_away_is_asked_later(quick_bank: BankInProcess, shop: Company, approved: Make) -> None:
    def away(order: SendOrder) -> None:
        if quick_bank.calls in {3, 4, 5}:
            raise BankUnavailable("HTTP 503")

    quick_bank.before = away
    batch = pay_whatever_dies(approved(csv_of(8)))
    batches.check_open(timezone.now() + timedelta(minutes=1))
    batch.refresh_from_db()
    assert (batch.status, batch.confirmed, money(shop)) == ("DONE", 8, (998_700, 0))
    assert len(quick_bank.sent) == 8


def test_a_bank_that_is_away_quarantines_no_row(quick_bank: BankInProcess, shop: Company, approved: Make) -> None:
    """A row in doubt, which is asked about again and again, killed nobody."""

    def die(order: SendOrder) -> None:
        if quick_bank.calls == 1:
            raise Killed
        if quick_bank.calls < 8:
            raise BankUnavailable("HTTP 503")

    quick_bank.before = die
    batch = pay_whatever_dies(approved(csv_of(3)))
    quick_bank.before = lambda order: None
    batches.check_open(timezone.now() + timedelta(minutes=1))
    batch.refresh_from_db()
    assert (batch.status, batch.confirmed, money(shop)) == ("DONE", 3, (999_200, 0))


@pytest.mark.parametrize("stop", [batches.pause, batches.cancel], ids=["pause", "cancel"])
def test_a_stop_is_seen_between_rows(
    quick_bank: BankInProcess,
    shop: Company,
    approved: Make,
    monkeypatch: pytest.MonkeyPatch,
    stop: Callable[..., object],
) -> None:
    monkeypatch.setattr(paying, "GATHER", 0.01)
    batch = approved(csv_of(40))
    first, go_on = threading.Lock(), threading.Event()

    def at_the_tenth(order: SendOrder) -> None:
        if quick_bank.calls >= 10:
            if first.acquire(blocking=False):
                stop(batch)
                connection.close()
            go_on.wait(0.2)

    quick_bank.before = at_the_tenth
    batch = pay_all(batch)
    quick_bank.before = lambda order: None
    assert 10 <= quick_bank.calls < 30
    assert batch.confirmed == quick_bank.calls == Payment.objects.filter(status="CONFIRMED").count()
    reserved = 0 if stop is batches.cancel else (40 - batch.confirmed) * 100
    assert money(shop) == (999_500 - batch.confirmed * 100, reserved)
    assert differing() == []
    if stop is batches.pause:
        batch = pay_whatever_dies(batches.resume(batch))
        assert (batch.status, quick_bank.calls, money(shop)) == ("DONE", 40, (995_500, 0))


def test_what_was_in_doubt_at_a_cancellation_is_looked_up_and_not_sent(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    def die(order: SendOrder) -> None:
        raise Killed

    quick_bank.after = die
    batch = approved(csv_of(12))
    with pytest.raises(Killed):
        batches.pay(batch.pk)
    at_the_bank = len(quick_bank.sent)
    batch = batches.cancel(batch)
    assert money(shop)[1] == 1_200, "nothing is released while rows are in doubt"
    end_leases()

    batch = pay_all(batch)

    assert (batch.confirmed, quick_bank.calls) == (at_the_bank, at_the_bank)
    assert money(shop)[1] == Payment.objects.filter(status="PROCESSING").count() * 100 > 0, "it may still come"
    batches.check_open(timezone.now() + timedelta(minutes=1))
    assert money(shop) == (999_500 - at_the_bank * 100, 0)
    assert differing() == []


def test_work_without_a_live_lease_is_hinted_again(
    quick_bank: BankInProcess, approved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(batches.hints.queue, "send", lambda messages: sent.extend(name for name, _ in messages))
    job = PeriodicJob.objects.create(name="sweep_batches", due_at=timezone.now())

    def requeued() -> int:
        job.refresh_from_db()
        return job.requeued

    batch, other = approved(csv_of(4)), approved(csv_of(4, first=5))
    assert batches.sweep() == 2
    assert leases.claim(batch.pk)
    PayoutBatch.objects.update(approved_at=timezone.now() - timedelta(hours=1))
    assert batches.sweep() == 1, "somebody has the one"
    PayoutBatch.objects.update(served_at=None)
    assert batches.sweep() == 1
    assert requeued() == 0, "whoever pays the one goes on to the other: no message is lost"
    assert batches.sweep(timezone.now() + timedelta(minutes=1)) == 2
    assert (requeued(), other.status) == (2, "RUNNING")
    assert sent == ["pay_batches"] * 12


def test_companies_take_turns_and_none_has_more_than_its_share(
    quick_bank: BankInProcess, approved: Make, settings: Any
) -> None:
    """A company with three batches, and one that comes last with a small one."""
    settings.PAYOUT_CHUNKS = 2
    for first in (1, 101, 201):
        approved(csv_of(40, first=first))
    other = making.company()
    receiving.receive(making.pix(pix_key=other.pix_key, value=10_000))
    one, two = (User.objects.create_user(f"{name}@example.com", company=other) for name in ("a", "b"))
    small = batches.submit(batches.upload(other, one, "x.csv", io.BytesIO(csv_of(8).encode())))
    batches.approve(small, two, small.signature)

    taken = [leases.claim() for _ in range(6)]

    owners = [PayoutBatch.objects.get(pk=chunk.batch_id).company_id for chunk in taken if chunk]
    assert len(owners) == 4, "two of each company, and no more until one ends"
    assert sorted(owners) == sorted([other.pk] * 2 + [owners[0]] * 2)
    assert owners[0] != owners[1], "turn by turn"
