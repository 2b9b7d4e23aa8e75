from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from payments.services import charges


class SimulatedBank:
    """The simulator's process as tests use it: pay, misbehave, stop."""

    def __init__(self, url: str) -> None:
        self.url = url

    def pay(self, txid: str, **fields: Any) -> dict[str, Any]:
        payer = {"taxID": "52998224725", "name": "Bia"}
        answer = httpx.post(f"{self.url}/sim/pay", json={"txid": txid, "payer": payer, **fields})
        assert answer.status_code == 201, answer.text
        paid: dict[str, Any] = answer.json()
        return paid

    def faults(self, **values: int) -> None:
        quick = {"latency_ms": 0, "latency_spread_ms": 0, "settle_ms": 0, "timeout_seconds": 3}
        httpx.delete(f"{self.url}/sim/faults").raise_for_status()
        httpx.put(f"{self.url}/sim/faults", json={**quick, **values}).raise_for_status()


@pytest.fixture(scope="session")
def bank_process() -> Iterator[str]:
    """URL of a bank simulator that runs for the whole session, as a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "payments.bank.simulator", "--port", str(port)], stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        assert process.poll() is None, "the simulator ended"
        try:
            httpx.get(f"{url}/sim/faults", timeout=2)
            break
        except httpx.TransportError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                pass
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture
def bank(bank_process: str, settings: Any) -> SimulatedBank:
    """The simulator without faults, and the platform set to use it."""
    settings.BANK_URL, settings.BANK_TIMEOUT = bank_process, 1
    charges._tell_callback.cache_clear()
    made = SimulatedBank(bank_process)
    made.faults()
    return made
