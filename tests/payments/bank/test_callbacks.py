"""Callbacks of the real simulator to a real receiver."""

from __future__ import annotations

import signal
import time

import pytest
from django.conf import settings

from payments import bank
from payments.bank.port import Bank
from tests.bank_process import BankProcess, eventually
from tests.payments.bank.conftest import Charge
from tests.payments.bank.receiver import Receiver

pytestmark = pytest.mark.django_db


def test_a_payment_is_told_at_once(bank_process: BankProcess, charge: Charge, receiver: Receiver) -> None:
    bank_process.pay(charge().txid)  # the first call opens the connection
    eventually(lambda: receiver.told)
    started = time.monotonic()
    paid = bank_process.pay(charge(2500).txid)["endToEndId"]
    eventually(lambda: paid in receiver.told)
    assert time.monotonic() - started < 20  # by the callback; no list is read here
    assert receiver.paths[0] == "/bank/pix"
    assert receiver.headers[0]["X-Bank-Callback-Token"] == settings.BANK_CALLBACK_TOKEN


def test_a_callback_reads_as_the_api_does(
    bank_process: BankProcess, charge: Charge, receiver: Receiver, connected: Bank
) -> None:
    import json

    paid = bank_process.pay(charge(2500).txid)["endToEndId"]
    eventually(lambda: receiver.told)
    assert bank.parse_callback(json.dumps(receiver.calls[0]).encode()) == [connected.read_received(paid)]


def test_a_returns_end_is_told_too(
    bank_process: BankProcess, charge: Charge, receiver: Receiver, connected: Bank
) -> None:
    bank_process.faults(settle_ms=200)
    paid = bank_process.pay(charge().txid)["endToEndId"]
    connected.request_return(paid, "r1", 1000)
    told = eventually(lambda: [pix for call in receiver.calls for pix in call["pix"] if pix["devolucoes"]][-1:])
    eventually(lambda: receiver.calls[-1]["pix"][0]["devolucoes"][0]["status"] == "DEVOLVIDO")
    assert told[0]["endToEndId"] == paid


@pytest.mark.parametrize("how", [{"callback": "duplicate"}, {"fault": "callback_duplicate_percent"}])
def test_duplicates(bank_process: BankProcess, charge: Charge, receiver: Receiver, how: dict[str, str]) -> None:
    if "fault" in how:
        bank_process.faults(callback_duplicate_percent=100)
    paid = bank_process.pay(charge().txid, callback=how.get("callback", "normal"))["endToEndId"]
    eventually(lambda: receiver.told == [paid, paid])


@pytest.mark.parametrize("how", [{"callback": "lost"}, {"fault": "callback_lost_percent"}])
def test_lost(bank_process: BankProcess, charge: Charge, receiver: Receiver, how: dict[str, str]) -> None:
    if "fault" in how:
        bank_process.faults(callback_lost_percent=100)
    lost = bank_process.pay(charge().txid, callback=how.get("callback", "normal"))["endToEndId"]
    bank_process.faults()
    told = bank_process.pay(charge().txid)["endToEndId"]
    eventually(lambda: receiver.told)
    assert receiver.told == [told]
    assert bank.current().read_received(lost).end_to_end_id == lost


def test_reordered(bank_process: BankProcess, charge: Charge, receiver: Receiver) -> None:
    bank_process.faults(callback_delay_ms=600)
    first = bank_process.pay(charge().txid, callback="delayed")["endToEndId"]
    second = bank_process.pay(charge().txid)["endToEndId"]
    eventually(lambda: receiver.told == [second, first])


def test_told_again_until_the_receiver_says_200(bank_process: BankProcess, charge: Charge, receiver: Receiver) -> None:
    receiver.status = 500
    paid = bank_process.pay(charge().txid)["endToEndId"]
    eventually(lambda: len(receiver.told) >= 2)
    receiver.status = 200
    calls = len(receiver.told)
    eventually(lambda: len(receiver.told) > calls)
    other = bank_process.pay(charge().txid)["endToEndId"]
    eventually(lambda: other in receiver.told)
    assert set(receiver.told) == {paid, other}


def test_a_receiver_that_was_down_is_told_when_it_is_back(
    bank_process: BankProcess, charge: Charge, receiver: Receiver, connected: Bank, pix_key: str
) -> None:
    receiver.close()
    paid = [bank_process.pay(charge().txid)["endToEndId"] for _ in range(3)]
    back = Receiver(receiver.port)
    try:
        eventually(lambda: set(back.told) == set(paid))
    finally:
        back.close()


def test_a_killed_bank_forgets_nothing(
    bank_process: BankProcess, charge: Charge, receiver: Receiver, pix_key: str
) -> None:
    bank_process.faults(callback_delay_ms=3000)
    paid = bank_process.pay(charge().txid, callback="delayed")["endToEndId"]
    bank_process.stop(signal.SIGKILL)
    assert receiver.told == []
    bank_process.start()
    eventually(lambda: receiver.told == [paid])


def test_several_pix_come_in_one_call(bank_process: BankProcess, charge: Charge, receiver: Receiver) -> None:
    """What is paid while the bank waits for an answer is told together."""
    receiver.may_answer.clear()
    paid = [bank_process.pay(charge().txid)["endToEndId"]]
    eventually(lambda: receiver.told == paid)
    paid += [bank_process.pay(charge().txid)["endToEndId"] for _ in range(3)]
    receiver.may_answer.set()
    eventually(lambda: set(receiver.told) == set(paid))
    assert any(len(call["pix"]) > 1 for call in receiver.calls)


def test_without_a_webhook_nobody_is_told(
    bank_process: BankProcess, charge: Charge, connected: Bank, pix_key: str
) -> None:
    unseen = bank_process.pay(charge().txid)["endToEndId"]
    server = Receiver()
    try:
        connected.set_callback(pix_key, server.url + "/")
        told = bank_process.pay(charge().txid)["endToEndId"]
        eventually(lambda: server.told)
        assert server.told == [told]
        assert unseen != told
    finally:
        server.close()
