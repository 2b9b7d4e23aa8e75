"""A refund's row is locked while the bank is asked: one asks at a time, and who was overtaken books nothing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from payments.bank import current
from payments.bank.port import BankReturn, ReturnStatus
from payments.models import Charge, LedgerTransaction, Refund
from payments.services import reconciliation
from payments.services.charges import ChargeRequest, create, receiving, refunds, returning
from payments.services.errors import Unavailable
from tests.bank_process import BankProcess
from tests.payments import making
from tests.processes import wait_until
from tests.topologies.topologies import Standalone
from woovi.locks import metrics, names
from woovi.locks.holders import current as holders
from woovi.locks.holders import force_release

pytestmark = pytest.mark.django_db(transaction=True)
LABEL = "payments.refund"


@pytest.fixture
def paid(bank: BankProcess) -> Charge:
    """A charge of 1000, paid at the bank, of a company that has more than that."""
    shop = making.company()
    receiving.receive(making.pix(pix_key=shop.pix_key, value=5000))
    charge = create(shop, ChargeRequest("pedido-1", 1000))
    told = bank.pay(charge.txid, callback="lost")
    receiving.receive(current().read_received(told["endToEndId"]))
    charge.refresh_from_db()
    return charge


@pytest.fixture
def refund(paid: Charge) -> Refund:
    return refunds.request(paid.company, paid, "devolucao-1", 400)


class Bank:
    """The real bank, with a door in front of returns: who asks stands there until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.inside, self.door = 0, threading.Event(), threading.Event()
        kind: Any = type(current())
        real = kind.request_return

        def request_return(*given: Any) -> BankReturn:
            assert not connection.in_atomic_block, "no transaction is open while the bank is asked"
            self.asked += 1
            self.inside.set()
            assert self.door.wait(20)
            answer: BankReturn = real(*given)
            return answer

        monkeypatch.setattr(kind, "request_return", request_return)


@pytest.fixture
def door(paid: Charge, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    made = Bank(monkeypatch)
    yield made
    made.door.set()


@pytest.fixture
def elsewhere() -> Iterator[Callable[..., Future[Any]]]:
    """Run in another thread, with a database connection of its own that is closed again."""

    def run(act: Callable[..., Any], *given: Any) -> Any:
        try:
            return act(*given)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        yield lambda act, *given: pool.submit(run, act, *given)


def booked() -> int:
    return LedgerTransaction.objects.filter(kind="refund").count()


def test_one_at_a_time_asks_the_bank(door: Bank, refund: Refund, elsewhere: Callable[..., Future[Refund]]) -> None:
    first = elsewhere(returning.send, refund.pk)
    assert door.inside.wait(20)
    assert returning.send(refund.pk).status == "IN_PROCESSING"  # at once: it waits for nobody
    door.door.set()
    assert first.result().status == "CONFIRMED"
    assert (door.asked, booked()) == (1, 1)


def test_control_without_the_lock_two_ask_and_the_fence_lets_one_book(
    door: Bank, refund: Refund, elsewhere: Callable[..., Future[Refund]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every lock has a name of its own here, so that it keeps nobody away."""
    monkeypatch.setattr(names, "key", lambda row: f"lk:{{{uuid.uuid4()}}}")
    stale = metrics.read().get(LABEL, {}).get("stale", 0)
    senders = []
    for asked in (1, 2):  # one after the other: of two claims at once the lower fence would not come to ask
        senders.append(elsewhere(returning.send, refund.pk))
        wait_until(lambda asked=asked: door.asked == asked)
    door.door.set()
    assert [sender.result().pk for sender in senders] == [refund.pk] * 2
    assert metrics.read()[LABEL]["stale"] == stale + 1
    assert booked() <= 1  # none where the bank told the one that may book "in processing"; the next look tells
    wait_until(lambda: returning.send(refund.pk).status == "CONFIRMED")
    assert booked() == 1


def test_who_was_overtaken_while_the_bank_answered_books_nothing(
    door: Bank, refund: Refund, elsewhere: Callable[..., Future[Refund]]
) -> None:
    stale = metrics.read().get(LABEL, {}).get("stale", 0)
    slow = elsewhere(returning.send, refund.pk)
    assert door.inside.wait(20)
    assert [held.pk for held in holders(LABEL)] == [str(refund.pk)]
    assert force_release(Refund, refund.pk)
    refused = BankReturn(refund.return_id, "", refund.value, ReturnStatus.REFUSED, "no")
    assert returning.resolve(refund.pk, refused).status == "REJECTED"
    door.door.set()
    assert slow.result().status == "REJECTED"
    assert booked() == 0
    assert metrics.read()[LABEL]["stale"] == stale + 1


def test_what_the_bank_tells_while_it_is_asked_is_booked_once(
    door: Bank, refund: Refund, elsewhere: Callable[..., Future[Any]]
) -> None:
    done = BankReturn(refund.return_id, "D1", refund.value, ReturnStatus.DONE)
    sender = elsewhere(returning.send, refund.pk)
    assert door.inside.wait(20)
    teller = elsewhere(returning.note_returns, refund.received.end_to_end_id, (done,))
    wait_until(lambda: [len(held.waiting) for held in holders(LABEL)] == [1])
    door.door.set()
    assert sender.result().status == "CONFIRMED"
    teller.result()
    assert booked() == 1


def test_a_callback_that_waits_too_long_is_told_again(
    door: Bank, refund: Refund, elsewhere: Callable[..., Future[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    done = BankReturn(refund.return_id, "D1", refund.value, ReturnStatus.DONE)
    told = making.pix(refund.charge, end_to_end_id=refund.received.end_to_end_id, returns=(done,))
    sender = elsewhere(returning.send, refund.pk)
    assert door.inside.wait(20)
    assert not reconciliation.book_all([told])
    assert [record.levelname for record in caplog.records if record.name.endswith("reconciliation.booking")] == [
        "WARNING"
    ]
    door.door.set()
    sender.result()
    assert reconciliation.book_all([told])
    assert booked() == 1


def test_a_charge_at_which_others_are_is_busy_and_no_error(
    refund: Refund, paid: Charge, elsewhere: Callable[..., Future[Any]]
) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with Charge.objects.lock_for_update(pk=paid.pk):
            held.set()
            go_on.wait(20)

    holder = elsewhere(hold)
    assert held.wait(20)
    with pytest.raises(Unavailable):
        refunds.request(paid.company, paid, "devolucao-2", 100)
    go_on.set()
    holder.result()
    assert refunds.request(paid.company, paid, "devolucao-2", 100).value == 100


def test_another_companys_charge_is_none(paid: Charge) -> None:
    with pytest.raises(Charge.DoesNotExist):
        refunds.request(making.company(), paid, "devolucao-2", 100)


def test_without_redis_money_goes_back_by_the_database_alone(paid: Charge, valkey: Standalone) -> None:
    valkey.servers[0].kill()
    refund = refunds.request(paid.company, paid, "devolucao-1", 400)
    before = metrics.read()[LABEL]["fallbacks"] if LABEL in metrics.read() else 0
    assert returning.send(refund.pk).status == "CONFIRMED"
    assert metrics.read()[LABEL]["fallbacks"] == before + 1
    assert returning.send(refund.pk, timezone.now()).status == "CONFIRMED"
