"""Refunds: never more than was paid, one effect for one instruction, and every answer of the bank booked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.utils import timezone

from payments import checks
from payments.bank import current
from payments.bank.port import BankReturn, ReturnStatus
from payments.models import Account, Charge, Refund
from payments.services import carrying_out
from payments.services.charges import ChargeRequest, create, receiving, refunds, returning
from payments.services.errors import Duplicate, Invalid
from tests.bank_process import BankProcess
from tests.payments import making
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def paid() -> Charge:
    """A charge of 1000, paid now, of a company that has more than that. The bank knows nothing of it."""
    charge = making.charge(making.company(), 1000, expires_at=timezone.now() + timedelta(hours=1))
    receiving.receive(making.pix(charge, paid_at=timezone.now()))
    receiving.receive(making.pix(pix_key=charge.company.pix_key, value=5000))
    charge.refresh_from_db()
    return charge


@pytest.fixture
def paid_at_bank(bank: BankProcess) -> Charge:
    """The same, with the charge and its Pix at the bank too."""
    shop = making.company()
    receiving.receive(making.pix(pix_key=shop.pix_key, value=5000))
    charge = create(shop, ChargeRequest("pedido-1", 1000))
    told = bank.pay(charge.txid, callback="lost")
    receiving.receive(current().read_received(told["endToEndId"]))
    charge.refresh_from_db()
    return charge


def ask(charge: Charge, correlation_id: str = "devolucao-1", value: int | None = None, **more: Any) -> Refund:
    return refunds.request(charge.company, charge, correlation_id, value, **more)


def merchant(charge: Charge) -> tuple[int, int]:
    account = Account.objects.get(company=charge.company, kind="MERCHANT")
    return account.posted, account.pending_out


def topics(prefix: str) -> list[str]:
    return list(OutboxEvent.objects.filter(topic__startswith=prefix).values_list("topic", flat=True))


def test_the_value_is_held_and_the_bank_is_asked_later(paid: Charge) -> None:
    refund = ask(paid)

    assert (refund.value, refund.status, refund.automatic) == (1000, "IN_PROCESSING", False)
    assert merchant(paid) == (950 + 4950 + 0, 1000)
    assert topics("task:") == ["task:send_refund"]
    assert topics("refund.") == ["refund.requested"], "the company's pages are woken"


def test_parts_add_up_to_the_whole_and_no_further(paid: Charge) -> None:
    ask(paid, "a", 300)
    ask(paid, "b", 300)
    with pytest.raises(Invalid) as refusal:
        ask(paid, "c", 401)
    assert refusal.value.field == "value"
    assert ask(paid, "c").value == 400
    with pytest.raises(Invalid):
        ask(paid, "d", 1)
    with pytest.raises(Invalid):
        ask(paid, "d")
    assert merchant(paid)[1] == 1000


@pytest.mark.parametrize("value", [0, -1, 1001])
def test_a_value_that_cannot_be(paid: Charge, value: int) -> None:
    with pytest.raises(Invalid):
        ask(paid, value=value)
    assert not Refund.objects.exists()


def test_the_same_instruction_is_the_first_refund_and_another_under_its_id_is_refused(paid: Charge) -> None:
    first = ask(paid, "a", 300, comment="Desculpe")
    assert ask(paid, "a", 300, comment="Desculpe").pk == first.pk
    with pytest.raises(Duplicate):
        ask(paid, "a", 301, comment="Desculpe")
    with pytest.raises(Duplicate):
        ask(paid, "a", 300)
    whole = ask(paid, "b")
    assert ask(paid, "b").pk == whole.pk  # "what is left" is nothing by now, and still the same instruction
    assert Refund.objects.count() == 2


def test_only_what_is_paid_and_not_longer_than_90_days(paid: Charge) -> None:
    assert paid.paid_at
    with pytest.raises(Invalid, match="not paid"):
        ask(making.charge(paid.company))
    with pytest.raises(Invalid, match="90 days"):
        ask(paid, now=paid.paid_at + timedelta(days=90, seconds=1))
    assert ask(paid, now=paid.paid_at + timedelta(days=90)).value == 1000


def test_more_than_the_balance_is_refused_and_changes_nothing() -> None:
    charge = making.charge(making.company(), 1000)
    receiving.receive(making.pix(charge))

    with pytest.raises(Invalid, match="balance"):
        ask(charge, now=making.NOW + timedelta(hours=1))  # 950 are there

    charge.refresh_from_db()
    assert charge.refunded == 0
    assert not Refund.objects.exists()


def test_the_bank_gives_it_back(bank: BankProcess, paid_at_bank: Charge) -> None:
    refund = returning.send(ask(paid_at_bank, value=400).pk)

    assert (refund.status, refund.end_to_end_id[0]) == ("CONFIRMED", "D")
    assert merchant(paid_at_bank) == (950 + 4950 - 400, 0)
    assert making.balances(paid_at_bank.company)["CLEARING"] == -5600
    event = OutboxEvent.objects.get(topic="OPENPIX:PIX_TRANSACTION_REFUND_SENT_CONFIRMED")
    assert event.payload["event"] == "PIX_TRANSACTION_REFUND_SENT_CONFIRMED"
    assert event.payload["refundTransaction"]["value"] == 400
    assert event.payload["originalTransaction"]["endToEndId"].startswith("E")


def test_the_bank_refuses_and_the_money_is_free_again(bank: BankProcess, paid_at_bank: Charge) -> None:
    bank.faults(return_refused_percent=100)

    refund = returning.send(ask(paid_at_bank).pk)

    paid_at_bank.refresh_from_db()
    assert (refund.status, paid_at_bank.refunded) == ("REJECTED", 0)
    assert refund.reason
    assert merchant(paid_at_bank) == (950 + 4950, 0)
    assert topics("OPENPIX:PIX") == ["OPENPIX:PIX_TRANSACTION_REFUND_SENT_REJECTED"]
    bank.faults()
    assert returning.send(ask(paid_at_bank, "again").pk).status == "CONFIRMED"


def test_a_pix_that_the_bank_does_not_know_is_refused(bank: BankProcess, paid: Charge) -> None:
    assert returning.send(ask(paid).pk).status == "REJECTED"


def test_an_answer_that_is_lost_is_looked_up_and_given_once(bank: BankProcess, paid_at_bank: Charge) -> None:
    bank.faults(timeout_percent=100)
    refund = returning.send(ask(paid_at_bank).pk)
    assert refund.status == "IN_PROCESSING"

    bank.faults()
    assert returning.check_open(timezone.now() + timedelta(minutes=1)) == 1

    refund.refresh_from_db()
    assert refund.status == "CONFIRMED"
    received = current().read_received(refund.received.end_to_end_id)
    assert [back.value for back in received.returns] == [1000]


def test_a_bank_that_is_away_is_asked_again(bank: BankProcess, paid_at_bank: Charge) -> None:
    bank.faults(unavailable_percent=100)
    refund = returning.send(ask(paid_at_bank).pk)
    assert refund.status == "IN_PROCESSING"

    bank.faults()
    returning.check_open(timezone.now() + timedelta(minutes=1))

    refund.refresh_from_db()
    assert refund.status == "CONFIRMED"


def test_a_return_that_is_under_way_ends_by_the_sweeper(bank: BankProcess, paid_at_bank: Charge) -> None:
    bank.faults(settle_ms=300)
    refund = returning.send(ask(paid_at_bank).pk)
    assert (refund.status, refund.end_to_end_id[0]) == ("IN_PROCESSING", "D")
    later = timezone.now() + timedelta(minutes=1)
    for _ in range(500):
        later += timedelta(minutes=1)
        returning.check_open(later)
        refund.refresh_from_db()
        if refund.status == "CONFIRMED":
            return
    pytest.fail("the refund is still open")


@pytest.mark.parametrize("where", ["request_return", "_book"])
def test_a_crash_around_the_bank_call_gives_the_money_back_once(
    bank: BankProcess, paid_at_bank: Charge, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    refund = ask(paid_at_bank)
    with monkeypatch.context() as broken:
        target = type(current()) if where == "request_return" else returning
        broken.setattr(target, where, lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            returning.send(refund.pk)

    returning.check_open(timezone.now() + timedelta(minutes=1))
    returning.send(refund.pk)

    refund.refresh_from_db()
    assert refund.status == "CONFIRMED"
    assert len(current().read_received(refund.received.end_to_end_id).returns) == 1
    assert merchant(paid_at_bank) == (950 + 4950 - 1000, 0)


def test_what_settled_nothing_goes_back_to_its_payer(bank: BankProcess, paid_at_bank: Charge) -> None:
    told = bank.pay(paid_at_bank.txid, force=True, callback="lost")
    receiving.receive(current().read_received(told["endToEndId"]))

    refund = returning.send(Refund.objects.get(automatic=True).pk)

    assert refund.status == "CONFIRMED"
    assert making.balances(paid_at_bank.company)["SUSPENSE"] == 0


def test_what_the_bank_will_not_take_back_stays_in_suspense(bank: BankProcess, paid_at_bank: Charge) -> None:
    told = bank.pay(paid_at_bank.txid, force=True, callback="lost")
    receiving.receive(current().read_received(told["endToEndId"]))
    bank.faults(return_refused_percent=100)

    refund = returning.send(Refund.objects.get(automatic=True).pk)

    account = Account.objects.get(company=paid_at_bank.company, kind="SUSPENSE")
    assert refund.status == "REJECTED"
    assert (account.posted, account.pending_out) == (1000, 0)


def _at_once(charge: Charge, values: list[int]) -> list[Refund | Exception]:
    def one(numbered: tuple[int, int]) -> Refund | Exception:
        try:
            return ask(charge, f"r{numbered[0]}", numbered[1])
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(values)) as pool:
        return list(pool.map(one, enumerate(values)))


def test_refunds_at_once_never_exceed_the_value(paid: Charge) -> None:
    got = _at_once(paid, [300] * 8)

    paid.refresh_from_db()
    assert sum(isinstance(each, Refund) for each in got) == 3
    assert sum(isinstance(each, Invalid) for each in got) == 5
    assert paid.refunded == 900


def test_without_the_lock_only_the_database_stops_them(paid: Charge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: each sees the charge as it was, so all pass our check and the CHECK must refuse."""
    reserve = refunds._reserve

    def stale(charge: Charge, *rest: Any) -> Refund:
        charge.refunded = 0
        return reserve(charge, *rest)

    monkeypatch.setattr(refunds, "_reserve", stale)

    got = _at_once(paid, [300] * 8)

    paid.refresh_from_db()
    assert any(isinstance(each, IntegrityError) for each in got)
    assert paid.refunded == 900


def test_the_database_refuses_refunds_above_the_value(paid: Charge) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Charge.objects.filter(pk=paid.pk).update(refunded=1001)


def test_many_stuck_ones_starve_nobody(
    bank: BankProcess, paid_at_bank: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look begins with those that were not asked about for longest, however old the others are."""
    monkeypatch.setattr(carrying_out, "CHECK_BATCH", 3)
    bank.faults(settle_ms=3_600_000)
    opened = [ask(paid_at_bank, f"r{number}", 1).pk for number in range(5)]
    now = timezone.now() + timedelta(minutes=1)

    assert [returning.check_open(now), returning.check_open(now + timedelta(minutes=1))] == [3, 3]

    assert set(Refund.objects.filter(asked_at__isnull=False).values_list("pk", flat=True)) == set(opened)


def test_a_look_ends_when_its_seconds_are_over(
    bank: BankProcess, paid_at_bank: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying_out, "CHECK_SECONDS", 0.05)
    bank.faults(latency_ms=100)
    for number in range(3):
        ask(paid_at_bank, f"r{number}", 1)
    assert returning.check_open(timezone.now() + timedelta(minutes=1)) == 1


@pytest.mark.parametrize(("ended", "told"), [("REJECTED", "DEVOLVIDO"), ("CONFIRMED", "NAO_REALIZADO")])
def test_a_bank_that_tells_the_opposite_later_is_seen(
    paid: Charge, caplog: pytest.LogCaptureFixture, ended: str, told: str
) -> None:
    refund, opposite = ask(paid), {"DEVOLVIDO": ReturnStatus.DONE, "NAO_REALIZADO": ReturnStatus.REFUSED}
    first = ReturnStatus.REFUSED if ended == "REJECTED" else ReturnStatus.DONE
    end_to_end_id = refund.received.end_to_end_id

    def say(status: ReturnStatus) -> None:
        returning.note_returns(end_to_end_id, (BankReturn(refund.return_id, "", refund.value, status),))

    def differing() -> list[str]:
        name = "a refund ended at the bank as it did here"
        return next(finding.offenders for finding in checks.run() if finding.name == name)

    say(first)
    say(first)
    assert differing() == []
    assert not caplog.records

    say(opposite[told])

    refund.refresh_from_db()
    assert refund.status == ended
    assert differing() == [str(refund.pk)]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_completed_charge_of_another_value_than_its_pix_is_seen(paid: Charge) -> None:
    name = "a completed charge has its Pix's value and time, and its fee"

    def offenders() -> list[str]:
        return next(finding.offenders for finding in checks.run() if finding.name == name)

    assert offenders() == []
    Charge.objects.filter(pk=paid.pk).update(value=1001)
    assert offenders() == [str(paid.pk)]


@pytest.mark.parametrize("change", ["UPDATE payments_receivedpix SET value = 1", "DELETE FROM payments_receivedpix"])
def test_a_received_pix_stays_as_it_is(paid: Charge, change: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(change)
