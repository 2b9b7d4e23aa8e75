"""The bank simulator as a process of its own, on the test database, for every test that needs a bank."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import psycopg
import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
# A bank that answers at once and does nothing wrong. Tests order the faults that they want.
QUIET = {"latency_ms": 0, "settle_ms": 0}
PAYER = {"taxID": "11144477735", "name": "Ana Souza"}

T = TypeVar("T")


def eventually(probe: Callable[[], T], seconds: float = 30.0) -> T:
    """The first true answer of `probe`. Fails the test where none comes in `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {probe}"
        time.sleep(0.02)
    return answer


class BankProcess:
    """A running simulator. `url` is its address; the rest are the tools of `docs/bank.md`."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bank_simulator", "--port", str(self.port)],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": _test_database_url(), "BANK_URL": self.url},
            stdout=subprocess.DEVNULL,
        )
        eventually(self._answers, 60)

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(sig)
            self.process.wait(20)
            self.process = None

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, "the simulator did not start"
        try:
            return self.http.get("/sim/faults").is_success
        except httpx.TransportError:
            return False

    def faults(self, **faults: int) -> None:
        """Set exactly these faults, and quiet else."""
        assert self.http.delete("/sim/faults").is_success
        assert self.http.put("/sim/faults", json={**QUIET, **faults}).is_success

    def pay(self, txid: str, **fields: Any) -> dict[str, Any]:
        """Pay the charge `txid`; `fields` as of POST /sim/pay."""
        answer = self.http.post("/sim/pay", json={"txid": txid, "payer": PAYER, **fields})
        assert answer.status_code == 201, answer.text
        paid: dict[str, Any] = answer.json()
        return paid

    def forget_callbacks(self) -> None:
        """Of those that nobody took: they would be sent for as long as the simulator runs, whosever turn it is."""
        waiting = "SELECT id FROM bank_sim.simulator_callback WHERE delivered_at IS NULL FOR UPDATE SKIP LOCKED"
        with psycopg.connect(_test_database_url(), autocommit=True) as database:
            database.execute(f"DELETE FROM bank_sim.simulator_callback WHERE id IN ({waiting})")


def _test_database_url() -> str:
    own = connection.settings_dict
    user = quote(f"{own['USER']}:{own['PASSWORD']}" if own["PASSWORD"] else own["USER"] or "", safe=":")
    return f"postgresql://{user}@/{own['NAME']}?host={quote(str(own['HOST']))}" + (
        f"&port={own['PORT']}" if own["PORT"] else ""
    )


@pytest.fixture(scope="session")
def _bank_server(django_db_setup: None) -> Iterator[BankProcess]:
    server = BankProcess()
    server.start()
    yield server
    server.stop()
    server.http.close()


@pytest.fixture
def bank_process(_bank_server: BankProcess, settings: Any) -> Iterator[BankProcess]:
    """A bank that runs and is quiet, and that `payments.bank.current()` talks to."""
    if _bank_server.process is None:
        _bank_server.start()
    _bank_server.faults()
    settings.BANK_URL = _bank_server.url
    yield _bank_server
    _bank_server.forget_callbacks()
