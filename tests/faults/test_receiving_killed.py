"""Processes that book the same Pix, tripled and shuffled, are killed with -9 in the middle of it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from payments.bank.port import BankReceived
from payments.models import Charge, ReceivedPix
from tests.bank_process import ROOT, _test_database_url
from tests.payments import making
from woovi.outbox.models import OutboxEvent

CHARGES, WORKERS, KILLS = 60, 3, 1


def _run(told: list[BankReceived], url: str, stop_after: int | None) -> None:
    """A worker on `told`, killed once it has booked `stop_after` of them."""
    lines = "".join(json.dumps(asdict(each), default=str) + "\n" for each in told)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.receiving_worker"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(lines)
        worker.stdin.close()
        booked = 0
        for _ in worker.stdout:
            booked += 1
            if booked == stop_after:
                worker.kill()
                return
    assert (worker.returncode, booked) == (0, len(told))


@pytest.mark.django_db(transaction=True)
def test_every_charge_is_credited_once() -> None:
    shop = making.company()
    told = [making.pix(making.charge(shop)) for _ in range(CHARGES)] * 3
    url = _test_database_url()

    def work(seed: int) -> None:
        dice = random.Random(seed)
        mine = dice.sample(told, len(told))
        for _ in range(KILLS):
            _run(mine, url, dice.randint(1, CHARGES))
        _run(mine, url, None)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))

    assert ReceivedPix.objects.count() == CHARGES
    assert Charge.objects.filter(status="COMPLETED").count() == CHARGES
    assert making.balances(shop) == {"CLEARING": -60_000, "MERCHANT": 57_000, "FEES": 3_000, "SUSPENSE": 0}
    assert OutboxEvent.objects.filter(topic="OPENPIX:CHARGE_COMPLETED").count() == CHARGES
