"""A batch is paid while workers, relay and Redis are killed at random, Redis is emptied once, and every message comes
three times: each row once. A row at which three workers happened to be killed is in quarantine, and an operator ends it.
`STORM_ROWS=10000 pytest tests/faults/test_batch_storm.py -s -n 0` is the long one, and says what it saw.
"""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis

from tests.bank_process import eventually
from tests.faults import storm
from woovi.local import running
from woovi.local.embedded.layout import Layout

ROWS = int(os.environ.get("STORM_ROWS", "600"))
STORM, WITHIN = max(20.0, ROWS / 80), 240.0 + ROWS / 20  # seconds
BANK = {"latency_ms": 20, "latency_spread_ms": 10, "settle_ms": 0, "timeout_percent": 1, "timeout_seconds": 2}
KILLED = ("batch-worker", "redis", "relay")  # each at least once
TRIPLED = {"DJANGO_SETTINGS_MODULE": "tests.faults.tripled_settings"}
PREPARE = """
from payments.models import Company, User
from payments.bank.port import BankReceived
from payments.services.charges import receiving
from django.utils import timezone
shop = Company.objects.get()
User.objects.create_user("checker@demo.example", company=shop)
receiving.receive(BankReceived("E" + "0" * 31, "", shop.pix_key, 100_000_000, timezone.now()))
"""

OPERATE = """
from payments.models import Payment, PayoutBatch
from payments.services import batches
for row in Payment.objects.filter(status="QUARANTINED"):
    if batches.ask(row).status == "QUARANTINED":
        batches.give_up(row)
batch = PayoutBatch.objects.get()
if batch.status == "PARTIAL":
    batches.retry(batch, *batches.failed_rows(batch))
"""


@pytest.fixture
def system() -> Iterator[running.System]:
    with tempfile.TemporaryDirectory(prefix="woovi-batch-") as folder:
        Path(folder).chmod(0o711)
        with running.started(Path(folder), PORT="18100", BANK_TIMEOUT="1", PAYOUT_LEASE="3", **TRIPLED) as system:
            httpx.put(f"{system['bank']}/sim/faults", json=BANK).raise_for_status()
            told = system.manage("shell", "-c", PREPARE)
            assert told.returncode == 0, told.stderr
            yield system


def step(system: running.System, *arguments: str) -> dict[str, Any]:
    told = system.manage("payout_batch", *arguments, "--json")
    assert told.returncode == 0, told.stdout + told.stderr
    answer: dict[str, Any] = json.loads(told.stdout)
    return answer


def kill_at_random(system: running.System, stop: threading.Event, killed: list[str]) -> None:
    dice = random.Random(6)
    socket = str(Layout.of(system.data).valkey_socket)
    emptied, first = False, list(KILLED)
    while not stop.wait(dice.uniform(0.5, 2.0)):
        name = first[0] if first else dice.choice(["batch-worker", "batch-worker", "batch-worker", "relay", "redis"])
        try:
            if name == "redis":
                with redis.Redis(unix_socket_path=socket) as direct:
                    pid = direct.info()["process_id"]
                    if not emptied:
                        direct.flushall()
                        emptied = True
                os.kill(pid, signal.SIGKILL)
            else:
                os.kill(system.pids()[name], signal.SIGKILL)
        except (KeyError, ProcessLookupError, ValueError, OSError, redis.RedisError):
            continue  # it is not up again yet
        killed.append(name)
        first = first[1:]


def test_every_row_is_paid_once(system: running.System) -> None:
    began, file = time.monotonic(), system.data / "folha.csv"
    step(system, "sample", str(file), "--rows", str(ROWS))
    batch = step(system, "import", str(file), "--user", system["merchant"]["user"])["batch"]
    stop, killed = threading.Event(), list[str]()
    wind = threading.Thread(target=kill_at_random, args=(system, stop, killed))
    wind.start()
    try:
        approved = step(system, "approve", batch, "--user", "checker@demo.example")
        with psycopg.connect(storm.database(system), autocommit=True) as db:
            end = time.monotonic() + STORM  # a worker that is killed often is started again ever later

            def over() -> bool:
                row = db.execute("SELECT confirmed FROM payments_payoutbatch").fetchone()
                half = row and row[0] > ROWS * 0.5
                return bool(half or time.monotonic() > end) and set(killed) >= set(KILLED)

            eventually(over, STORM + 60)
    finally:
        stop.set()
        wind.join()

    with psycopg.connect(storm.database(system), autocommit=True) as db:

        def one(query: str) -> Any:
            row = db.execute(query).fetchone()
            return row and row[0]

        def done() -> bool:
            if (status := one("SELECT status FROM payments_payoutbatch")) == "PARTIAL":
                system.manage("shell", "-c", OPERATE)  # refused while the bank may still carry a row out: again, then
            return bool(status == "DONE")

        eventually(done, WITHIN)
        assert one("SELECT count(*) FROM bank_sim.simulator_sent") == ROWS, "each row reached the bank once"
        assert one("SELECT sum(value)::bigint FROM bank_sim.simulator_sent") == approved["total"]
        assert one("SELECT -sum(value)::bigint FROM bank_sim.simulator_movement WHERE value < 0") == approved["total"]
        assert one("SELECT count(*) FROM payments_payment WHERE status = 'CONFIRMED'") == ROWS
        given_up = "reason = 'Given up in quarantine'"
        assert one(f"SELECT count(*) FROM payments_payment WHERE status <> 'CONFIRMED' AND NOT {given_up}") == 0
        assert one("SELECT reserved FROM payments_payoutbatch") == 0
        assert one("SELECT pending_out::bigint FROM payments_account WHERE kind = 'MERCHANT'") == 0
        events = "SELECT count(*) FROM outbox_outboxevent WHERE topic = 'OPENPIX:MOVEMENT_CONFIRMED'"
        assert one(events) == ROWS
        sends = one("SELECT sum(attempts - 1)::int FROM payments_payoutchunk")
    print(
        f"{ROWS} rows in {time.monotonic() - began:.0f} s; chunks taken over: {sends}; killed: {dict(Counter(killed))}"
    )
    checked = system.manage("check_ledger")
    assert checked.returncode == 0, checked.stdout + checked.stderr
