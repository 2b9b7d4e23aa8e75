"""10,000 payouts of one merchant, from the approval to the last settled row, with the bank answering in process at once.

Ours: reserve, payment, ledger entries, balances and event of every row, each row once. Durable (synchronous_commit=on).
The peers do one INSERT and one UPDATE of the merchant's account a job, on the same PostgreSQL: no ledger, no event.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import psycopg
from django.db import connection, transaction

from benchmarks import batches_http, batches_neighbour, peers
from benchmarks import batches_making as making
from benchmarks.report import Row, medians
from payments import bank
from payments.bank.port import BankSent, SendOrder, SendStatus
from payments.management.commands.payout_batch import sample
from payments.models import Company, PayoutBatch, User
from payments.services import batches
from woovi import outbox
from woovi.local import embedded
from woovi.local.embedded.layout import Layout
from woovi.outbox.relay import Relay

ROWS, ROUNDS = 10_000, 3
BIG, EVENTS, NEIGHBOUR_ROWS = 1_000_000, 10_000, 30_000


class BankInProcess:
    """Answers at once."""

    def __init__(self) -> None:
        self.count = itertools.count()

    def send_pix(self, order: SendOrder) -> BankSent:
        return BankSent(order.send_id, f"E{next(self.count):031d}", order.value, SendStatus.DONE)


def run() -> list[Row]:
    company = making.company()
    os.environ |= _celery_environment()
    with _bank_in_process():
        first = _settle(company)  # on a new database, whose statistics say that it is empty
        seen = medians(ROUNDS, ours=lambda: _settle(company), **_peers())
    ours = seen.pop("ours")
    figure = f"{ROWS:,} rows on one account, approval to the last settled row"
    return [
        Row(figure, "s", ours, None, seen, "at most 1.0 s", ours <= 1.0),
        Row(f"the same on a new database: its first {ROWS:,} rows", "s", first),
        batches_http.run(company),
        _relayed(company),
        *_validation(),
        *batches_neighbour.run(NEIGHBOUR_ROWS),
    ]


@contextlib.contextmanager
def _bank_in_process() -> Iterator[None]:
    made, before = BankInProcess(), bank.current
    bank.current = lambda: made
    yield
    bank.current = before


def _settle(company: Company) -> float:
    batch, checker = making.submitted(company, ROWS)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    began = time.perf_counter()
    batches.approve(batch, checker, batch.signature)
    while batches.pay(batch.pk):
        pass
    took = time.perf_counter() - began
    batch = PayoutBatch.objects.get(pk=batch.pk)
    assert (batch.status, batch.confirmed, batch.reserved) == ("DONE", ROWS, 0)
    return took


BARE = """
CREATE TABLE bare_payout (id text PRIMARY KEY, value bigint NOT NULL);
CREATE TABLE bare_payout_account (id int PRIMARY KEY, posted bigint NOT NULL);
INSERT INTO bare_payout_account VALUES (1, 0);
"""


def _peers() -> dict[str, Callable[[], float]]:
    with psycopg.connect(embedded.database_url(), autocommit=True) as db:
        db.execute(BARE)
    found: dict[str, Callable[[], float]] = {"plain Celery": _celery}
    folder = peers.node("bullmq@6.7.0", "ioredis@6.0.0", "pg@8.23.1")
    if folder:
        found["BullMQ + pg"] = lambda: _bullmq(folder)
    return found


def _bullmq(folder: Path) -> float:
    script = str(Path(__file__).with_suffix(".mjs"))
    socket = str(Layout.current().valkey_socket)
    command = ["node", script, str(folder), socket, _database(), str(ROWS)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _celery() -> float:
    """From the first message to the last row, with a worker of two processes that is up already."""
    from benchmarks import batches_celery

    environment = {**os.environ, **_celery_environment()}
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.batches_celery", "worker", "-c", "2", "-l", "ERROR"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = subprocess.Popen([*command, *quiet], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        batches_celery.pay.delay(f"warm-{time.time()}")
        _wait_for(1, "warm-%")
        began, run_ = time.perf_counter(), f"celery-{time.time()}"
        with batches_celery.app.producer_or_acquire() as producer:
            for number in range(ROWS):
                batches_celery.pay.apply_async((f"{run_}-{number}",), producer=producer)
        _wait_for(ROWS, f"{run_}-%")
        return time.perf_counter() - began
    finally:
        worker.terminate()
        worker.wait()


def _celery_environment() -> dict[str, str]:
    broker = f"redis+socket://{Layout.current().valkey_socket}?virtual_host=9"
    return {"BENCH_BROKER": broker, "BENCH_DATABASE": _database()}


def _database() -> str:
    return embedded.database_url()


def _wait_for(rows: int, name: str) -> None:
    with psycopg.connect(_database(), autocommit=True) as db:
        while db.execute("SELECT count(*) FROM bare_payout WHERE id LIKE %s", (name,)).fetchone() < (rows,):  # type: ignore[operator]
            time.sleep(0.02)


def _relayed(company: Company) -> Row:
    """Events that one relay carries a second, to everything that the platform has carry them; median of three."""
    topic, body = "OPENPIX:MOVEMENT_CONFIRMED", {"payment": {"value": 100, "comment": "x" * 300}}
    relay, rates = Relay.configured(), []
    for _ in range(4):
        while relay.once():
            pass
        with transaction.atomic():
            outbox.write_many((topic, str(company.pk), body) for _ in range(EVENTS))
        began = time.perf_counter()
        while relay.once():
            pass
        rates.append(EVENTS / (time.perf_counter() - began))
    rate = median(rates[1:])
    return Row("outbox events carried by one relay", "events/s", rate, None, {}, "at least 5,000/s", rate >= 5_000)


def _validation() -> list[Row]:
    """A million rows, by the command in a process of its own, so that its memory is its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write(making.HEADER)
        file.writelines(sample(BIG))
        file.flush()
        maker = User.objects.create_user("big@example.com", company=making.company())
        command = [sys.executable, "manage.py", "payout_batch", "import", file.name, "--user", maker.email, "--dry-run"]
        began = time.perf_counter()
        worker = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(worker.pid, 0)
        took, memory = time.perf_counter() - began, usage.ru_maxrss / 1024
    assert status == 0
    return [
        Row(f"validation of {BIG:,} rows", "s", took, None, {}, "under 60 s", took < 60),
        Row(f"validation of {BIG:,} rows, memory", "MB", memory, None, {}, "under 300 MB", memory < 300),
    ]
