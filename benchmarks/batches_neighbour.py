"""A single payment of one merchant while another's large batch is paid: everything as `manage.py up` runs it."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import httpx

from benchmarks import batches_making as making
from benchmarks.report import Row
from payments.models import Company, Payment, PayoutBatch
from payments.services import batches
from payments.services.companies import issue_application
from woovi.local import running

PAYMENTS, PAUSE = 100, 0.15  # single payments, seconds between two
BANK = {"latency_ms": 50, "latency_spread_ms": 0, "settle_ms": 0}
_numbers = itertools.count(1)


def run(rows: int) -> list[Row]:
    """Seconds from the approval's request to the confirmed payment, p50 and p99, with `rows` being paid and without."""
    with running.started(Path(os.environ["WOOVI_DATA_DIR"]), PORT="18200") as system:
        httpx.put(f"{system['bank']}/sim/faults", json=BANK).raise_for_status()
        large, small = making.company(), making.company()
        application = issue_application(small, "bench")[1]
        with httpx.Client(base_url=system["web"], headers={"Authorization": application}, timeout=30) as api:
            alone = _pay(api)
            batch = _begin(large, rows)
            beside = _pay(api)
            batch.refresh_from_db()
            assert batch.status == "RUNNING", f"the batch ended too early: {batch.status}"
            batches.cancel(batch)
    return [_row(name, share, beside, alone, rows) for name, share in (("p50", 0.5), ("p99", 0.99))]


def _begin(company: Company, rows: int) -> PayoutBatch:
    batch, checker = making.submitted(company, rows)
    batch = batches.approve(batch, checker, batch.signature)
    while not PayoutBatch.objects.filter(pk=batch.pk, confirmed__gt=0).exists():
        time.sleep(0.01)
    return batch


def _pay(api: httpx.Client) -> list[float]:
    seconds = []
    for _ in range(PAYMENTS):
        name = f"single-{next(_numbers)}"
        order = {"correlationID": name, "value": 100, "destinationAlias": "ana@exemplo.com", "destinationAliasType": "EMAIL"}  # fmt: skip
        api.post("/api/v1/payment", json=order).raise_for_status()
        began = time.perf_counter()
        api.post("/api/v1/payment/approve", json={"correlationID": name}).raise_for_status()
        while not Payment.objects.filter(correlation_id=name, status="CONFIRMED").exists():
            assert time.perf_counter() < began + 60
            time.sleep(0.005)
        seconds.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    return seconds


def _row(name: str, share: float, beside: list[float], alone: list[float], rows: int) -> Row:
    ours, floor = (1000 * sorted(seen)[int(share * (len(seen) - 1))] for seen in (beside, alone))
    figure = (
        f"a payment, approval to confirmation, while another merchant's {rows:,} rows are paid, {name} (floor: alone)"
    )
    goal, met = ("under 1,000 ms", ours < 1000) if name == "p99" else ("", None)
    return Row(figure, "ms", ours, floor, {}, goal, met)
