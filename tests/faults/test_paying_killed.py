"""Processes that send the same payments, to a bank that leaves answers out, are killed or told to quit in the middle of it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.utils import timezone

from payments import checks
from payments.bank import current
from payments.models import Payment
from payments.services import payments
from payments.services.charges import receiving
from payments.services.payments import PaymentOrder
from tests.bank_process import ROOT, BankProcess, _test_database_url, eventually
from tests.payments import making
from woovi.outbox.models import OutboxEvent

PAYMENTS, WORKERS = 30, 3


def _run(ids: list[int], bank: str, stop_after: int, how: signal.Signals) -> None:
    """A worker on the payments, which gets a signal once it has sent `stop_after` of them."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.paying_worker", *map(str, ids)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": _test_database_url(), "BANK_URL": bank, "BANK_TIMEOUT": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout
        for sent, _ in enumerate(worker.stdout, 1):
            if sent == stop_after:
                worker.send_signal(how)
                return
    assert worker.returncode == 0


@pytest.mark.django_db(transaction=True)
def test_every_payment_is_made_once(bank_process: BankProcess) -> None:
    shop = making.company()
    receiving.receive(making.pix(pix_key=shop.pix_key, value=100_000))
    for number in range(PAYMENTS):
        payments.create(shop, PaymentOrder(str(number), 100, pix_key="ana@exemplo.com"))
        payments.approve(shop, str(number))
    ids = list(Payment.objects.values_list("pk", flat=True))
    before = current().balance()
    bank_process.faults(timeout_percent=10, timeout_seconds=2, settle_ms=50)

    def work(seed: int) -> None:
        dice = random.Random(seed)
        mine = dice.sample(ids, len(ids))
        for how in (signal.SIGKILL, signal.SIGQUIT):
            _run(mine, bank_process.url, dice.randint(1, PAYMENTS // 3), how)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    bank_process.faults()

    def ended() -> bool:
        payments.check_open(timezone.now() + timedelta(minutes=1))
        return Payment.objects.filter(status="CONFIRMED").count() == PAYMENTS

    eventually(ended)
    assert before - current().balance() == PAYMENTS * 100, "the bank's books"
    assert making.balances(shop)["MERCHANT"] == 99_500 - PAYMENTS * 100
    assert OutboxEvent.objects.filter(topic="OPENPIX:MOVEMENT_CONFIRMED").count() == PAYMENTS
    assert [finding for finding in checks.run() if finding.count] == []
