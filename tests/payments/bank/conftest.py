from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import httpx
import pytest

from payments import bank
from payments.bank.port import Bank, BankCharge, ChargeOrder
from payments.bank.session import Session
from payments.pix import ids
from tests.bank_process import BankProcess
from tests.payments.bank.receiver import Receiver

Charge = Callable[..., BankCharge]
Open = Callable[..., Session]


@pytest.fixture
def connected(bank_process: BankProcess) -> Bank:
    return bank.current()


@pytest.fixture
def session() -> Iterator[Open]:
    """Open a session that the test's end closes."""
    with ExitStack() as opened:

        def make(url: str, secret: str = "simulated-bank-secret", timeout: float = 10.0) -> Session:
            return opened.enter_context(closing(Session(url, "woovi", secret, timeout=timeout)))

        yield make


@pytest.fixture
def pix_key() -> str:
    """A key of this test alone."""
    return str(uuid.uuid4())


@pytest.fixture
def charge(connected: Bank, pix_key: str) -> Charge:
    """Register a charge at the bank."""

    def make(value: int = 1000, expires_in: int = 3600, **fields: object) -> BankCharge:
        return connected.register_charge(ChargeOrder(ids.new_txid(), value, pix_key, expires_in, **fields))  # type: ignore[arg-type]

    return make


@pytest.fixture
def receiver(connected: Bank, pix_key: str) -> Iterator[Receiver]:
    """A platform that the bank's callbacks for `pix_key` go to."""
    server = Receiver()
    connected.set_callback(pix_key, server.url)
    yield server
    server.close()


@pytest.fixture
def api(bank_process: BankProcess) -> Iterator[httpx.Client]:
    """The bank's API as any client sees it, with a token."""
    answer = bank_process.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=("woovi", "simulated-bank-secret")
    )
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    with httpx.Client(base_url=bank_process.url, headers=headers, timeout=30) as client:
        yield client
