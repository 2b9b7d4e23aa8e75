"""Workers whose clocks differ by minutes: who may send a row, and when it has failed, is told by the database's clock alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments import checks
from payments.bank.port import BankUnknown, SendOrder
from payments.models import Company, Payment, PayoutBatch
from payments.services import batches
from payments.services.batches import importing
from payments.services.errors import Invalid
from tests.payments.batches.conftest import BankInProcess, csv_of, money
from tests.payments.batches.test_paying import Killed, end_leases, pay_whatever_dies
from woovi.outbox.models import OutboxEvent
from woovi.outbox.relay import Relay

Make = Callable[[str], PayoutBatch]
true_now = timezone.now


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(importing, "CHUNK", 4)
    settings.PAYOUT_IN_FLIGHT = 2


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the clock of this process so many seconds forward or back. The database keeps its own."""

    def set_to(seconds: int) -> None:
        monkeypatch.setattr(timezone, "now", lambda: true_now() + timedelta(seconds=seconds))

    return set_to


@pytest.mark.parametrize("skew", [120, -120])
def test_a_worker_of_another_time_takes_nobodys_rows_and_each_is_paid_once(
    quick_bank: BankInProcess, shop: Company, approved: Make, clock: Callable[[int], None], skew: int
) -> None:
    batch = approved(csv_of(4))

    def die(order: SendOrder) -> None:
        if quick_bank.calls == 2:
            raise Killed

    quick_bank.after = die
    clock(-skew)
    with pytest.raises(Killed):
        batches.pay(batch.pk)
    clock(skew)
    called = quick_bank.calls
    assert batches.pay(batch.pk) is False, "the lease is not over, whatever this clock says"
    assert quick_bank.calls == called
    quick_bank.after = lambda order: None
    clock(0)
    end_leases()
    clock(skew)
    batch = pay_whatever_dies(batch)
    assert (batch.status, len(quick_bank.sent), quick_bank.paid, money(shop)) == ("DONE", 4, 400, (999_100, 0))
    assert quick_bank.calls == 4
    assert [finding.name for finding in checks.run() if finding.count] == []


@pytest.mark.parametrize("skew", [120, -120])
def test_relays_of_another_time_carry_each_event_once(
    quick_bank: BankInProcess, shop: Company, clock: Callable[[int], None], skew: int
) -> None:
    carried: list[int] = []

    def die(events: Any) -> None:
        raise Killed

    def carry(events: Any) -> None:
        carried.extend(event.pk for event in events)

    clock(-skew)
    with pytest.raises(Killed):
        Relay({"": die}).once()
    clock(skew)
    Relay({"": carry}).once()
    assert carried == [], "they are leased, whatever this clock says"
    OutboxEvent.objects.filter(relayed_at=None).update(leased_until=true_now() - timedelta(seconds=1))
    Relay({"": carry}).once()
    assert sorted(carried) == sorted(OutboxEvent.objects.values_list("pk", flat=True))


def test_a_row_in_doubt_is_failed_by_nobody_whose_clock_is_ahead(
    quick_bank: BankInProcess, shop: Company, approved: Make, clock: Callable[[int], None]
) -> None:
    def lost(order: SendOrder) -> None:
        raise BankUnknown("ReadTimeout")

    quick_bank.before = lost
    batch = approved(csv_of(1))
    batches.pay(batch.pk)
    batches.cancel(batch)
    Payment.objects.update(asked_at=true_now() - timedelta(minutes=1))

    clock(600)
    assert batches.check_open() == 1

    row = Payment.objects.get()
    assert (row.status, money(shop)) == ("PROCESSING", (999_500, 100)), "the bank may still be at it"
    Payment.objects.update(status=Payment.Status.QUARANTINED)
    with pytest.raises(Invalid, match="may still carry"):
        batches.give_up(Payment.objects.get())
