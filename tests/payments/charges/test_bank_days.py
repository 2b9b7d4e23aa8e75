"""Whole days are read again and compared with the bank, line by line and by the balance."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from payments import checks
from payments.bank import current
from payments.bank.connector import Connector
from payments.bank.port import BankNotOffered
from payments.models import BankCursor, BankDay, BankDifference, Charge, Company, Refund, SetAsidePix
from payments.services import reconciliation
from payments.services.charges import ChargeRequest, create, receiving, returning
from payments.services.reconciliation import bank_days
from tests.bank_process import BankProcess
from tests.payments import making

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fresh(bank: BankProcess) -> BankProcess:
    """A bank whose account of ours is empty, as our books are."""
    _sql("TRUNCATE bank_sim.simulator_movement, bank_sim.simulator_pix CASCADE")
    return bank


@pytest.fixture
def shop() -> Company:
    return making.company()


def _sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def paid(bank: BankProcess, shop: Company, name: str = "a", **fields: Any) -> tuple[Charge, str]:
    charge = create(shop, ChargeRequest(name, 1000))
    return charge, bank.pay(charge.txid, callback="lost", **fields)["endToEndId"]


def tomorrow() -> tuple[date, datetime]:
    """Today, and a moment when it is over."""
    today = timezone.localdate()
    return today, timezone.make_aware(datetime.combine(today + timedelta(days=1), datetime.min.time())) + timedelta(
        hours=3
    )


def compare() -> BankDay:
    today, later = tomorrow()
    return bank_days.run([today], later)[0]


def differences(**fields: Any) -> list[tuple[str, int, int, str]]:
    rows = BankDifference.objects.filter(**fields).order_by("pk")
    return [(row.kind, row.bank_value, row.our_value, row.status) for row in rows]


@pytest.mark.parametrize("statement", [True, False])
def test_a_pix_that_was_listed_too_late_and_a_return_that_nobody_told_are_booked(
    fresh: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch, statement: bool
) -> None:
    if not statement:
        _without_statement(monkeypatch)
    _, first = paid(fresh, shop)
    reconciliation.run()
    back = fresh.http.post("/sim/return", json={"endToEndId": first, "value": 300})
    assert back.status_code == 201, back.text
    paid(fresh, shop, "b")
    BankCursor.objects.update(read_until=timezone.now() + timedelta(hours=1))  # as if it had been listed late

    day = compare()

    assert (day.bank_in, day.bank_out, day.our_in, day.our_out) == (2000, -300, 2000, -300)
    assert (day.bank_balance, day.our_balance) == (1700 if statement else None, 1700)
    assert differences() == []
    assert making.balances(shop)["MERCHANT"] == 950 + 950 - 300
    refund = Refund.objects.get()
    assert (refund.by_bank, refund.status, refund.comment) == (True, "CONFIRMED", "Returned by the bank: MED_FRAUDE")
    assert [finding.name for finding in checks.run() if finding.count] == []


def _without_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*given: Any) -> Any:
        raise BankNotOffered("NotOffered")

    monkeypatch.setattr(Connector, "balance", no)
    monkeypatch.setattr(Connector, "statement", no)


def test_a_bank_that_has_no_such_address_does_not_offer_it(bank: BankProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    connected, call = current(), current()._session.call  # type: ignore[attr-defined]
    elsewhere = lambda method, path, **more: call(method, path.replace("/sim/", "/no/"), **more)  # noqa: E731
    monkeypatch.setattr(connected._session, "call", elsewhere)  # type: ignore[attr-defined]
    with pytest.raises(BankNotOffered):
        connected.balance()
    with pytest.raises(BankNotOffered):
        list(connected.statement(timezone.now(), timezone.now()))


def test_each_way_of_differing_is_a_row_once(fresh: BankProcess, shop: Company) -> None:
    _, other_value = paid(fresh, shop, "a")
    reconciliation.run()
    receiving.receive(
        making.pix(pix_key=shop.pix_key, value=70, paid_at=timezone.now())
    )  # the bank knows nothing of it
    _sql("UPDATE bank_sim.simulator_movement SET value = 900 WHERE end_to_end_id = %s", other_value)
    missing = making.end_to_end_id()
    _sql("INSERT INTO bank_sim.simulator_movement (end_to_end_id, value, at) VALUES (%s, 500, now())", missing)

    for _ in range(2):
        day = compare()

    assert sorted(differences()) == [
        ("MISSING_AT_BANK", 0, 70, "OPEN"), ("MISSING_HERE", 500, 0, "OPEN"), ("VALUE", 900, 1000, "OPEN"),
    ]  # fmt: skip
    assert (day.bank_balance, day.our_balance) == (1400, 1070)
    assert SetAsidePix.objects.get().end_to_end_id == missing, "it is looked for by its id"


def test_a_balance_that_nothing_explains_is_told_once_and_a_difference_that_is_gone_heals(
    fresh: BankProcess, shop: Company
) -> None:
    today, later = tomorrow()
    before = timezone.now() - timedelta(days=9)
    old = making.end_to_end_id()
    _sql("INSERT INTO bank_sim.simulator_movement (end_to_end_id, value, at) VALUES (%s, 500, %s)", old, before)

    bank_days.run([today], later)
    bank_days.run([today + timedelta(days=1)], later + timedelta(days=1))
    assert differences() == [("BALANCE", 500, 0, "OPEN")]

    _sql("DELETE FROM bank_sim.simulator_movement WHERE end_to_end_id = %s", old)
    bank_days.run([today], later)
    assert differences() == [("BALANCE", 500, 0, "HEALED")]


def test_a_line_that_is_booked_days_later_heals_and_the_balance_is_right_again(
    fresh: BankProcess, shop: Company
) -> None:
    today, later = tomorrow()
    pix = making.pix(pix_key=shop.pix_key, value=500, paid_at=timezone.now())
    _sql(
        "INSERT INTO bank_sim.simulator_movement (end_to_end_id, value, at) VALUES (%s, 500, now())", pix.end_to_end_id
    )
    bank_days.run([today], later)
    assert differences() == [("MISSING_HERE", 500, 0, "OPEN")]

    receiving.receive(pix)
    bank_days.run([today + timedelta(days=5)], later + timedelta(days=5))

    assert differences() == [("MISSING_HERE", 500, 0, "HEALED")]


def test_a_day_without_movements_that_agrees_has_no_rows(fresh: BankProcess) -> None:
    day = compare()
    assert (day.bank_balance, day.our_balance, differences()) == (0, 0, [])


def test_days_that_were_missed_are_compared_too(fresh: BankProcess) -> None:
    today, later = tomorrow()
    assert len(bank_days.run(None, later)) == 3
    assert len(bank_days.run(None, later + timedelta(days=4))) == 3 + 4
    assert BankDay.objects.order_by("-day")[0].day == today + timedelta(days=4)


def test_the_command_says_what_differs_and_ends_with_1(fresh: BankProcess) -> None:
    yesterday = timezone.localdate() - timedelta(days=1)
    at = timezone.now() - timedelta(days=1)
    _sql("INSERT INTO bank_sim.simulator_movement (end_to_end_id, value, at) VALUES (%s, -5, %s)", "D" + "1" * 31, at)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("compare_bank", day=[yesterday], json=True, stdout=out)
    answer = json.loads(out.getvalue())
    assert (answer["passed"], answer["failed"]) == (0, 1)
    assert answer["differences"][0]["kind"] == "MISSING_HERE"
    bank_days.resolve(BankDifference.objects.get(), "a fee of the bank's")
    out = StringIO()
    call_command("compare_bank", day=[yesterday], stdout=out)
    assert out.getvalue().endswith("1 passed, 0 failed\n")


def test_an_automatic_return_that_the_bank_has_not_listed_yet_is_asked_for_again(
    bank: BankProcess, shop: Company
) -> None:
    charge, _ = paid(bank, shop)
    reconciliation.run()
    told = bank.pay(charge.txid, force=True, callback="lost")
    receiving.receive(current().read_received(told["endToEndId"]))
    refund = Refund.objects.get(automatic=True)
    bank.faults(listed_after_ms=3_600_000)

    assert returning.send(refund.pk).status == "IN_PROCESSING", "not found is no refusal yet"
    returning.check_open(timezone.now() + timedelta(minutes=1))
    bank.faults()
    returning.check_open(timezone.now() + timedelta(minutes=2))
    refund.refresh_from_db()
    assert refund.status == "CONFIRMED"


def test_not_found_for_an_hour_is_a_refusal(bank: BankProcess, shop: Company) -> None:
    charge, _ = paid(bank, shop)
    reconciliation.run()
    receiving.receive(making.pix(charge, paid_at=timezone.now()))
    refund = Refund.objects.get(automatic=True)
    returning.send(refund.pk, refund.created_at + returning.SEEN_WITHIN - timedelta(seconds=1))
    refund.refresh_from_db()
    assert refund.status == "IN_PROCESSING"
    assert returning.send(refund.pk, refund.created_at + returning.SEEN_WITHIN).status == "REJECTED"
