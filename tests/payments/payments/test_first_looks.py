"""A payment that the bank is carrying out is looked up soon after, and not more often than so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from payments import tasks
from payments.bank import current
from payments.models import Company, Payment
from payments.services.payments import sending
from tests.bank_process import BankProcess
from tests.payments.payments.conftest import money
from woovi import queue

Approved = Callable[..., Payment]


class Worker:
    """Runs what is queued, when it is due."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.queued: list[dict[str, Any]] = []

    def send(self, messages: Iterable[tuple[str, dict[str, Any]]], countdown: float) -> None:
        ((name, given),) = messages
        assert name == "send_payment"
        self.waits.append(countdown)
        self.queued.append(given)

    def run(self, payment: Payment, hurry: float = 1.0) -> Payment:
        self.queued.append({"payment_id": payment.pk})
        while self.queued:
            tasks.send_payment(**self.queued.pop())
            if self.queued:
                time.sleep(self.waits[-1] * hurry)
        payment.refresh_from_db()
        return payment


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    made = Worker()
    monkeypatch.setattr(queue, "send", made.send)
    return made


@pytest.fixture
def patient(settings: Any) -> None:
    """A busy machine's bank is late, and not in trouble."""
    settings.BANK_TIMEOUT = 30


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bank is asked about these."""
    kind: Any = type(current())
    asked, read = [], kind.read_sent

    def read_sent(self: Any, send_id: str) -> Any:
        asked.append(send_id)
        return read(self, send_id)

    monkeypatch.setattr(kind, "read_sent", read_sent)
    return asked


def test_it_is_confirmed_by_a_first_look_without_the_sweep(
    bank: BankProcess, patient: None, shop: Company, approved: Approved, worker: Worker
) -> None:
    bank.faults(settle_ms=300)
    assert worker.run(approved()).status == "CONFIRMED"
    assert money(shop) == (9_520, 0)
    assert worker.waits == list(sending.LOOKS[: len(worker.waits)])
    assert worker.waits, "a control: it was not confirmed at once"


def test_one_that_stays_open_is_looked_up_four_times_and_then_left_to_the_sweep(
    bank: BankProcess, patient: None, approved: Approved, worker: Worker, reads: list[str]
) -> None:
    bank.faults(settle_ms=3_600_000)
    payment = worker.run(approved(), hurry=0)
    assert (payment.status, worker.waits) == ("PROCESSING", [0.3, 0.3, 0.6, 1.2])
    assert reads == [payment.public_id] * 4


@pytest.mark.parametrize("fault", ["unavailable_percent", "too_many_percent", "timeout_percent"])
def test_a_bank_in_trouble_is_not_asked_more_often(
    bank: BankProcess, approved: Approved, worker: Worker, fault: str
) -> None:
    payment = approved()
    bank.faults(**{fault: 100})
    assert worker.run(payment).status == "PROCESSING"
    assert worker.waits == []
