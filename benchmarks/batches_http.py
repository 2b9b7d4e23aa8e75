"""Rows that are paid over HTTP, by a bank that takes 50 ms for an answer, 20 at once: it allows 400 a second."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import local

from django.conf import settings

from benchmarks import batches_making as making
from benchmarks.report import Row, medians
from benchmarks.slow_bank import LATENCY
from payments.models import Company
from payments.services import batches
from woovi.threads import gives_back

AT_ONCE = 20  # PAYOUT_CHUNKS (2) times PAYOUT_IN_FLIGHT (10)
ROWS, ROUNDS = 4_000, 3


def run(company: Company) -> Row:
    """Rows a second, beside what a client that does nothing with the answers gets out of this bank on this machine."""
    assert settings.PAYOUT_CHUNKS * settings.PAYOUT_IN_FLIGHT == AT_ONCE
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bank = subprocess.Popen([sys.executable, "-m", "benchmarks.slow_bank", str(port)])
    before = settings.BANK_URL
    try:
        _wait_for(port)
        settings.BANK_URL = f"http://127.0.0.1:{port}"
        seen = medians(ROUNDS, ours=lambda: _pay(company), floor=lambda: _ask(port))
    finally:
        settings.BANK_URL = before
        bank.kill()
        bank.wait()
    figure = f"rows over HTTP, the bank takes {LATENCY * 1000:.0f} ms and {AT_ONCE} at once (floor: a bare client)"
    return Row.against_floor(figure, "rows/s", seen["ours"], seen["floor"], 0.9)


def _wait_for(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return


def _pay(company: Company) -> float:
    batch, checker = making.submitted(company, ROWS)
    batch = batches.approve(batch, checker, batch.signature)

    def work() -> None:
        while batches.pay(batch.pk):
            pass

    began = time.perf_counter()
    with ThreadPoolExecutor(settings.PAYOUT_CHUNKS) as workers:
        for each in [workers.submit(gives_back(work)) for _ in range(settings.PAYOUT_CHUNKS)]:
            each.result()
    took = time.perf_counter() - began
    batch.refresh_from_db()
    assert (batch.status, batch.confirmed) == ("DONE", ROWS)
    return ROWS / took


def _ask(port: int) -> float:
    mine = local()

    def ask(number: int) -> None:
        if not hasattr(mine, "connection"):
            mine.connection = HTTPConnection("127.0.0.1", port)
        mine.connection.request("PUT", f"/sim/pix/{number}", '{"valor": "1.00"}', {"Content-Type": "application/json"})
        mine.connection.getresponse().read()

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(ask, range(ROWS)))
    return ROWS / (time.perf_counter() - began)
