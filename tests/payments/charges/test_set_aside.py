"""A Pix that cannot be read or booked is kept and tried again, and holds up neither the cursor nor anybody's expiry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from payments.models import BankCursor, Charge, Company, ReceivedPix, Refund, SetAsidePix
from payments.services import reconciliation
from payments.services.charges import BANK_DELAY, ChargeRequest, create, expire_due, receiving
from payments.services.errors import Invalid
from payments.services.reconciliation import bank_list, set_aside
from tests.bank_process import BankProcess
from tests.payments import making

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def failing(bank: BankProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Charge, pytest.MonkeyPatch]]:
    """A paid charge whose Pix cannot be booked; undo the patch, and it can."""
    charge = create(making.company(), ChargeRequest("a", 1000, expires_in=300))
    bank.pay(charge.txid, callback="lost")
    receive = receiving.receive

    def broken(received: Any, now: Any = None) -> Any:
        return 1 / 0 if received.txid == charge.txid else receive(received, now)

    with monkeypatch.context() as patch:
        patch.setattr(receiving, "receive", broken)
        yield charge, patch


def test_one_that_fails_is_set_aside_and_booked_later(
    bank: BankProcess, failing: tuple[Charge, pytest.MonkeyPatch]
) -> None:
    charge, patch = failing
    other = create(making.company(), ChargeRequest("b", 1000))
    bank.pay(other.txid, callback="lost")
    now = timezone.now()

    reconciliation.read_received(now)

    assert BankCursor.objects.get().read_until == now
    assert making.balances(other.company)["MERCHANT"] == 950
    row = SetAsidePix.objects.get()
    assert (row.txid, row.reason, row.attempts) == (charge.txid, "ZeroDivisionError", 0)

    later = now + timedelta(seconds=6)
    assert set_aside.retry(later) == 0
    row.refresh_from_db()
    assert (row.attempts, row.next_attempt_at) == (1, later + set_aside.FIRST_WAIT)
    patch.undo()
    assert set_aside.retry(later) == 0, "its time has not come"
    assert set_aside.retry(later + timedelta(minutes=1)) == 1
    charge.refresh_from_db()
    row.refresh_from_db()
    assert (charge.status, row.resolution) == ("COMPLETED", "booked")


def test_its_own_charge_waits_and_others_expire(failing: tuple[Charge, pytest.MonkeyPatch]) -> None:
    charge, _ = failing
    other = making.charge(making.company(), expires_at=timezone.now())
    later = timezone.now() + timedelta(hours=2)

    reconciliation.run(later)

    charge.refresh_from_db()
    other.refresh_from_db()
    assert (charge.status, other.status) == ("ACTIVE", "EXPIRED")
    set_aside.resolve(SetAsidePix.objects.get(), "returned by hand", later)
    assert expire_due(later) == 1
    with pytest.raises(Invalid):
        set_aside.resolve(SetAsidePix.objects.get(), "again", later)


def test_without_the_row_its_charge_would_expire(failing: tuple[Charge, pytest.MonkeyPatch]) -> None:
    """The negative control."""
    charge, _ = failing
    later = timezone.now() + timedelta(hours=2)
    reconciliation.read_received(later)
    SetAsidePix.objects.all().delete()
    assert charge.expires_at < later - BANK_DELAY
    assert expire_due(later) == 1


@pytest.mark.parametrize("id_", ["E123-of-another-shape", "E99999999999999999999999999999é", ""])
def test_one_that_cannot_be_read_is_a_row_too(bank: BankProcess, id_: str) -> None:
    _at_bank("INSERT INTO bank_sim.simulator_pix (end_to_end_id, txid, pix_key, value, payer_tax_id, payer_name,"
             " payer_message, paid_at) VALUES (%s, 'MESA4', '', 1, '', 'Beatriz', '', now())", id_)  # fmt: skip
    try:
        now = timezone.now()
        reconciliation.run(now)
        reconciliation.run(now + timedelta(seconds=10))
    finally:
        _at_bank("DELETE FROM bank_sim.simulator_pix WHERE end_to_end_id = %s", id_)
    row = SetAsidePix.objects.get(txid="MESA4")
    assert row.end_to_end_id == (id_ or row.end_to_end_id)
    assert row.attempts == 1
    assert "Beatriz" not in row.reason
    assert BankCursor.objects.get().read_until == now + timedelta(seconds=10)


def _at_bank(statement: str, *values: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_one_whose_company_is_not_told_is_asked_for(bank: BankProcess) -> None:
    shop = making.company()
    charge = create(shop, ChargeRequest("a", 1000))
    told = bank.pay(charge.txid, callback="lost")

    got = receiving.receive(making.pix(end_to_end_id=told["endToEndId"]))  # neither key nor txid

    assert got is not None
    assert (got.outcome, got.company) == ("SETTLED", shop)


def test_a_cursor_that_is_set_back_is_not_moved_on_by_a_reading_that_began_before(
    bank: BankProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    BankCursor.objects.create(name="received", read_until=now - timedelta(minutes=5))
    to, read = now - timedelta(days=3), bank_list.read_between

    def meanwhile(*given: Any) -> int:
        assert reconciliation.set_back(to, now) == now - timedelta(minutes=5)
        return read(*given)

    with monkeypatch.context() as patch:
        patch.setattr(bank_list, "read_between", meanwhile)
        reconciliation.read_received(now)
    assert BankCursor.objects.get().read_until == to
    reconciliation.read_received(now)
    assert BankCursor.objects.get().read_until == now


@pytest.mark.parametrize("days", [-1, 91])
def test_a_cursor_is_set_back_only_and_not_for_ever(days: int) -> None:
    now = timezone.now()
    BankCursor.objects.create(name="received", read_until=now)
    with pytest.raises(Invalid):
        reconciliation.set_back(now - timedelta(days=days), now)


def test_nobody_elses_row_is_made_of_a_known_pix(bank: BankProcess) -> None:
    shop: Company = making.company()
    charge = create(shop, ChargeRequest("a", 1000))
    bank.pay(charge.txid, callback="lost")
    reconciliation.run()
    reconciliation.run()
    assert ReceivedPix.objects.filter(company=shop).count() == 1
    assert not SetAsidePix.objects.exists()


def test_one_that_an_operator_has_dealt_with_is_not_booked_by_a_later_reading(
    failing: tuple[Charge, pytest.MonkeyPatch],
) -> None:
    charge, patch = failing
    reconciliation.read_received()
    set_aside.resolve(SetAsidePix.objects.get(), "returned by hand")
    patch.undo()

    reconciliation.read_between(charge.created_at, timezone.now(), timezone.now())

    assert not ReceivedPix.objects.exists()


def test_one_that_was_set_aside_and_booked_has_its_returns_read(
    bank: BankProcess, failing: tuple[Charge, pytest.MonkeyPatch]
) -> None:
    charge, patch = failing
    now = timezone.now()
    reconciliation.read_received(now)
    patch.undo()
    assert set_aside.retry(now + timedelta(minutes=1)) == 1
    told = SetAsidePix.objects.get().end_to_end_id
    assert bank.http.post("/sim/return", json={"endToEndId": told, "value": 300}).status_code == 201

    reconciliation.read_between(charge.created_at, timezone.now(), timezone.now())

    assert Refund.objects.get().by_bank
