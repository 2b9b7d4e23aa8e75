"""The bank pays once, whatever it answers or leaves unanswered, and the hold ends as the payment does."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from payments import checks
from payments.bank import current
from payments.bank.port import BankConflict, BankRefused, BankSent, BankUnavailable, BankUnknown, SendStatus
from payments.models import Company, LedgerTransaction, Payment
from payments.services import carrying_out, payments
from payments.services.errors import Unavailable
from payments.services.payments import PaymentOrder, outcomes, sending
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.payments.conftest import money
from tests.processes import wait_until
from tests.topologies.topologies import Standalone
from woovi.locks import metrics, names
from woovi.locks.holders import current as holders
from woovi.locks.holders import force_release
from woovi.outbox.models import OutboxEvent
from woovi.queue.models import PeriodicJob

LABEL = "payments.payment"
Approved = Callable[..., Payment]
Elsewhere = Callable[..., Future[Any]]


def later(seconds: int = 60) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


def events() -> list[str]:
    return list(OutboxEvent.objects.filter(topic__contains="MOVEMENT").values_list("topic", flat=True))


def differing() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


def test_the_bank_pays(bank: BankProcess, shop: Company, approved: Approved) -> None:
    minted = approved()
    payment = payments.send(minted.pk)

    assert (payment.status, payment.end_to_end_id) == ("CONFIRMED", minted.end_to_end_id)
    assert money(shop) == (9_920 - 400, 0)
    assert making.balances(shop)["CLEARING"] == -9_600
    told = OutboxEvent.objects.get(topic="OPENPIX:MOVEMENT_CONFIRMED").payload
    assert told["event"] == "OPENPIX:MOVEMENT_CONFIRMED"
    assert (told["payment"]["status"], told["payment"]["correlationID"]) == ("CONFIRMED", "pagamento-1")
    assert told["transaction"]["endToEndId"] == payment.end_to_end_id
    assert differing() == []
    assert payments.send(minted.pk).status == "CONFIRMED"
    assert len(events()) == 1


@pytest.mark.parametrize(
    ("key", "code"),
    [("bank-error@woovi.com", "PAY_PIX_KEY_ERROR"), ("pix-key-not-found@woovi.com", "PIX_KEY_INFO_NOT_FOUND")],
)
def test_the_bank_refuses_and_the_money_is_free_again(
    bank: BankProcess, shop: Company, approved: Approved, key: str, code: str
) -> None:
    bank.faults(unavailable_percent=100)  # its directory too, which would have refused one of the keys
    minted = approved(pix_key=key)
    bank.faults()

    payment = payments.send(minted.pk)

    assert (payment.status, payment.error_code, money(shop)) == ("FAILED", code, (9_920, 0))
    told = OutboxEvent.objects.get(topic="OPENPIX:MOVEMENT_FAILED").payload
    assert told["error"] == {"code": code, "description": payment.reason}
    assert differing() == []


@pytest.mark.parametrize(
    ("number", "code", "provider"),
    [("00000000000001111111", "ACCOUNT_NOT_FOUND", None), ("1010101", "PIX_OUT_NOT_AUTHORIZED", "AC06")],
)
def test_the_sandboxs_error_accounts(
    bank: BankProcess, shop: Company, number: str, code: str, provider: str | None
) -> None:
    account = {
        "holder": {"name": "Ana", "taxID": {"taxID": making.ANA, "type": "BR:CPF"}},
        "account": {"account": number, "branch": "0001", "accountType": "TRAN"},
        "psp": {"id": "54811417"},
    }
    payments.create(shop, PaymentOrder("a", 100, account=account))
    payment = payments.send(payments.approve(shop, "a").pk)
    assert (payment.status, payment.error_code) == ("FAILED", code)
    told = OutboxEvent.objects.get(topic="OPENPIX:MOVEMENT_FAILED").payload
    assert told["transaction"].get("providerErrorCode") == provider


def test_any_other_account_is_paid(bank: BankProcess, shop: Company) -> None:
    account = {
        "holder": {"name": "Ana", "taxID": {"taxID": making.ANA, "type": "BR:CPF"}},
        "account": {"account": "981", "branch": "0001", "accountType": "TRAN"},
        "psp": {"id": "54811417"},
    }
    payments.create(shop, PaymentOrder("a", 100, account=account))
    assert payments.send(payments.approve(shop, "a").pk).status == "CONFIRMED"


def test_an_answer_that_is_lost_is_looked_up_and_paid_once(
    bank: BankProcess, shop: Company, approved: Approved
) -> None:
    bank.faults(timeout_percent=100)
    before = current_balance(bank)
    bank.faults(timeout_percent=100)
    payment = payments.send(approved().pk)
    assert (payment.status, money(shop)) == ("PROCESSING", (9_920, 400))
    assert payment.unknown_since is not None

    bank.faults()
    assert payments.check_open(later()) == 1

    payment.refresh_from_db()
    assert (payment.status, payment.unknown_since) == ("CONFIRMED", None)
    assert current().balance() == before - 400


def current_balance(bank: BankProcess) -> int:
    bank.faults()
    return current().balance()


def test_a_bank_that_is_away_is_asked_again(bank: BankProcess, shop: Company, approved: Approved) -> None:
    bank.faults(unavailable_percent=100)
    payment = payments.send(approved().pk)
    assert (payment.status, money(shop)) == ("PROCESSING", (9_920, 400))
    bank.faults()
    payments.check_open(later())
    payment.refresh_from_db()
    assert payment.status == "CONFIRMED"


def test_one_whose_task_was_lost_is_sent_by_the_sweep(bank: BankProcess, shop: Company, approved: Approved) -> None:
    payment = approved()
    assert payments.check_open(timezone.now()) == 0
    sweep = PeriodicJob.objects.create(name="check_payments", due_at=timezone.now())
    assert payments.check_open(later()) == 1
    payment.refresh_from_db()
    assert payment.status == "CONFIRMED"
    bank.faults(settle_ms=60_000)
    payments.send(approved("o-2").pk)  # whose task was not lost
    assert payments.check_open(later()) == 1
    sweep.refresh_from_db()
    assert (sweep.requeued, sweep.requeued_at is None) == (1, False)


def test_one_that_is_under_way_ends_by_the_sweep(bank: BankProcess, shop: Company, approved: Approved) -> None:
    bank.faults(settle_ms=300)
    payment = payments.send(approved().pk)
    assert payment.status == "PROCESSING"
    moments = iter(range(60, 60_000, 60))

    def ended() -> bool:
        payments.check_open(later(next(moments)))
        payment.refresh_from_db()
        return payment.status == "CONFIRMED"

    wait_until(ended)
    assert money(shop) == (9_520, 0)


@pytest.mark.parametrize("where", ["send_pix", "book"])
def test_a_crash_around_the_bank_call_pays_once(
    bank: BankProcess, shop: Company, approved: Approved, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    before, payment = current().balance(), approved()
    with monkeypatch.context() as broken:
        broken.setattr(type(current()) if where == "send_pix" else sending, where, lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            payments.send(payment.pk)

    payments.check_open(later())
    payments.send(payment.pk)

    payment.refresh_from_db()
    assert (payment.status, current().balance(), money(shop)) == ("CONFIRMED", before - 400, (9_520, 0))


def test_a_bank_that_tells_the_opposite_later_is_seen(
    bank: BankProcess, shop: Company, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = payments.send(approved().pk)
    payments.ask(payment)
    assert differing() == []

    def refused(*_: Any) -> BankSent:
        return BankSent(payment.public_id, "", 400, SendStatus.REFUSED)

    with monkeypatch.context() as lying:
        lying.setattr(type(current()), "read_sent", refused)
        payments.ask(payment)
        assert payment.contradicted_at is not None
        assert differing() == ["a payment ended at the bank as it did here"]
    payments.ask(payment)
    assert differing() == []
    bank.faults(unavailable_percent=100)
    with pytest.raises(Unavailable):
        payments.ask(payment)


def test_a_payment_of_another_value_at_the_bank_is_not_booked(
    bank: BankProcess, shop: Company, approved: Approved, caplog: pytest.LogCaptureFixture
) -> None:
    payment = approved()
    told = BankSent(payment.public_id, "", 401, SendStatus.DONE)
    assert outcomes.book(payment, told, timezone.now()).status == "APPROVED"
    assert "401" in caplog.text


class Door:
    """The real bank, with a door in front of payments: who asks stands there until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.inside, self.door = 0, threading.Event(), threading.Event()
        kind: Any = type(current())
        real = kind.send_pix

        def send_pix(*given: Any) -> BankSent:
            assert not connection.in_atomic_block, "no transaction is open while the bank is asked"
            self.asked += 1
            self.inside.set()
            assert self.door.wait(20)
            answer: BankSent = real(*given)
            return answer

        monkeypatch.setattr(kind, "send_pix", send_pix)


@pytest.fixture
def door(bank: BankProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    made = Door(monkeypatch)
    yield made
    made.door.set()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Run in another thread, with a database connection of its own that is closed again."""

    def run(act: Callable[..., Any], *given: Any) -> Any:
        try:
            return act(*given)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        yield lambda act, *given: pool.submit(run, act, *given)


def booked() -> int:
    return LedgerTransaction.objects.filter(kind="payment").count()


def test_one_at_a_time_asks_the_bank(door: Door, approved: Approved, elsewhere: Elsewhere) -> None:
    payment = approved()
    first = elsewhere(payments.send, payment.pk)
    assert door.inside.wait(20)
    assert payments.send(payment.pk).status == "PROCESSING"  # at once: it waits for nobody
    door.door.set()
    assert first.result().status == "CONFIRMED"
    assert (door.asked, booked()) == (1, 1)


def test_control_without_the_lock_two_ask_and_one_books(
    door: Door, approved: Approved, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every lock has a name of its own here, so that it keeps nobody away."""
    monkeypatch.setattr(names, "key", lambda row: f"lk:{{{uuid.uuid4()}}}")
    monkeypatch.setattr(carrying_out, "look_up", lambda instruction: None)
    payment, senders = approved(), []
    for asked in (1, 2):
        senders.append(elsewhere(payments.send, payment.pk))
        wait_until(lambda asked=asked: door.asked == asked)
    door.door.set()
    assert [sender.result().pk for sender in senders] == [payment.pk] * 2
    assert door.asked == 2
    assert booked() <= 1  # none where the bank told the one that may book "in processing"; the next look tells
    wait_until(lambda: payments.send(payment.pk).status == "CONFIRMED")
    assert booked() == 1


def test_who_was_overtaken_while_the_bank_answered_books_nothing(
    door: Door, shop: Company, approved: Approved, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = approved()
    stale = metrics.read().get(LABEL, {}).get("stale", 0)
    slow = elsewhere(payments.send, payment.pk)
    assert door.inside.wait(20)
    assert [held.pk for held in holders(LABEL)] == [str(payment.pk)]
    assert force_release(Payment, payment.pk)
    refused = BankSent(payment.public_id, "", payment.value, SendStatus.REFUSED, "no")
    with monkeypatch.context() as answering:
        answering.setattr(carrying_out, "look_up", lambda instruction: refused)
        assert payments.send(payment.pk).status == "FAILED"
    door.door.set()
    assert slow.result().status == "FAILED"
    assert booked() == 0
    assert metrics.read()[LABEL]["stale"] == stale + 1


def test_without_redis_the_database_alone_locks(bank: BankProcess, approved: Approved, valkey: Standalone) -> None:
    payment = approved()
    valkey.servers[0].kill()
    assert payments.send(payment.pk).status == "CONFIRMED"


def test_a_refusal_after_a_lost_answer_is_final_only_after_a_while(
    bank: BankProcess, shop: Company, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bank may still be at the first request when it refuses the second."""
    payment, kind = approved(), type(current())

    def silent(*_: Any) -> BankSent:
        raise BankUnknown("ReadTimeout")

    def refuse(*_: Any) -> BankSent:
        raise BankRefused("HTTP 422")

    monkeypatch.setattr(kind, "send_pix", silent)
    payments.send(payment.pk)
    monkeypatch.setattr(kind, "send_pix", refuse)
    for seconds in (5, 10, 15):
        assert payments.send(payment.pk, later(seconds)).status == "PROCESSING"
    assert money(shop) == (9_920, 400)
    assert payments.send(payment.pk, later()).status == "FAILED"
    assert (money(shop), differing()) == ((9_920, 0), [])


def test_a_refusal_by_a_bank_that_was_away_before_is_final(
    bank: BankProcess, shop: Company, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment, kind = approved(), type(current())

    def away(*_: Any) -> BankSent:
        raise BankUnavailable("ConnectError")

    def refuse(*_: Any) -> BankSent:
        raise BankRefused("HTTP 422")

    monkeypatch.setattr(kind, "send_pix", away)
    assert payments.send(payment.pk).status == "PROCESSING"
    monkeypatch.setattr(kind, "send_pix", refuse)
    assert payments.send(payment.pk, later(5)).status == "FAILED"


def test_a_conflict_ends_a_payment_only_after_a_while(
    bank: BankProcess, shop: Company, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer may be of the same request, sent again by a proxy; one that never changes must end."""
    payment = approved()

    def taken(*_: Any) -> BankSent:
        raise BankConflict("HTTP 409")

    monkeypatch.setattr(type(current()), "send_pix", taken)
    for seconds in (0, 5, 10):
        assert payments.send(payment.pk, later(seconds)).status == "PROCESSING"
    assert payments.send(payment.pk, later(40)).status == "FAILED"
    assert (money(shop), differing()) == ((9_920, 0), [])
