"""What nobody told us is found, and a charge expires only when nothing can come to light any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from payments.bank import current
from payments.bank.port import BankUnavailable
from payments.models import BankCursor, Charge, Company, ReceivedPix
from payments.services import charges, reconciliation
from payments.services.charges import BANK_DELAY, ChargeRequest, create, receiving
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.making import NOW
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop() -> Company:
    return making.company()


def read_until(moment: Any) -> None:
    BankCursor.objects.update_or_create(name="received", defaults={"read_until": moment})


def test_a_lost_callback_is_found(bank: BankProcess, shop: Company) -> None:
    charge = create(shop, ChargeRequest("pedido-1", 1000))
    bank.pay(charge.txid, callback="lost")

    reconciliation.run()
    reconciliation.run()

    charge.refresh_from_db()
    assert charge.status == "COMPLETED"
    assert making.balances(shop)["MERCHANT"] == 950
    assert ReceivedPix.objects.count() == 1


def test_the_cursor_moves_forward_only(bank: BankProcess, shop: Company) -> None:
    now = timezone.now()
    reconciliation.read_received(now)
    reconciliation.read_received(now - timedelta(seconds=30))
    assert BankCursor.objects.get().read_until == now


def test_a_bank_that_is_away_does_not_move_the_cursor(bank: BankProcess) -> None:
    read_until(NOW)
    bank.faults(unavailable_percent=100)
    with pytest.raises(BankUnavailable):
        reconciliation.read_received(timezone.now())
    assert BankCursor.objects.get().read_until == NOW


def test_a_pix_that_cannot_be_read_holds_neither_the_others_nor_the_cursor(
    bank: BankProcess, shop: Company, caplog: pytest.LogCaptureFixture
) -> None:
    charge = create(shop, ChargeRequest("pedido-1", 1000))
    with connection.cursor() as sql:
        sql.execute(
            "INSERT INTO bank_sim.simulator_pix (end_to_end_id, txid, pix_key, value, payer_tax_id, payer_name,"
            " payer_message, paid_at) VALUES ('E123-of-another-shape', '', '', 1, '', 'Beatriz', '', now())"
        )
    try:
        bank.pay(charge.txid, callback="lost")
        now = timezone.now()
        reconciliation.read_received(now)
    finally:
        with connection.cursor() as sql:
            sql.execute("DELETE FROM bank_sim.simulator_pix WHERE end_to_end_id LIKE 'E123-%'")

    charge.refresh_from_db()
    assert charge.status == "COMPLETED"
    assert BankCursor.objects.get().read_until == now
    assert "E123-of-another-shape" in caplog.text
    assert "Beatriz" not in caplog.text


def test_nothing_expires_before_the_banks_list_was_read_past_its_end(shop: Company) -> None:
    charge = making.charge(shop)
    long_after = NOW + timedelta(days=1)

    assert charges.expire_due(long_after) == 0  # never read
    read_until(charge.expires_at + BANK_DELAY)
    assert charges.expire_due(long_after) == 0  # a Pix of the last moment may still show
    read_until(charge.expires_at + BANK_DELAY + timedelta(milliseconds=1))
    assert charges.expire_due(long_after) == 1

    charge.refresh_from_db()
    assert charge.status == "EXPIRED"
    assert list(OutboxEvent.objects.values_list("topic", flat=True)) == ["OPENPIX:CHARGE_EXPIRED"]
    assert charges.expire_due(long_after) == 0


def test_a_paid_or_unregistered_charge_does_not_expire(shop: Company) -> None:
    paid = making.charge(shop)
    receiving.receive(making.pix(paid), NOW)
    making.charge(shop, registered_at=None)
    read_until(NOW + timedelta(days=1))

    assert charges.expire_due() == 0


def test_paid_in_time_told_after_the_end_is_completed_and_not_expired(bank: BankProcess, shop: Company) -> None:
    """The callback is lost and nobody reads for hours: reading comes before expiring, so the payer's money counts."""
    charge = create(shop, ChargeRequest("pedido-1", 1000, expires_in=300))
    bank.pay(charge.txid, callback="lost")

    reconciliation.run(timezone.now() + timedelta(hours=5))

    charge.refresh_from_db()
    assert charge.status == "COMPLETED"


def test_without_reading_first_the_same_charge_would_expire(bank: BankProcess, shop: Company) -> None:
    """The negative control of the cursor: as if the list had been read, though it had not."""
    charge = create(shop, ChargeRequest("pedido-1", 1000, expires_in=300))
    bank.pay(charge.txid, callback="lost")
    read_until(timezone.now() + timedelta(hours=5))

    assert charges.expire_due(timezone.now() + timedelta(hours=5)) == 1


def test_the_states_are_final(shop: Company) -> None:
    charge = making.charge(shop)
    read_until(NOW + timedelta(days=1))
    charges.expire_due()

    receiving.receive(making.pix(charge), NOW)

    assert Charge.objects.get(pk=charge.pk).status == "EXPIRED"
    assert making.balances(shop)["SUSPENSE"] == 1000


def test_the_bank_is_told_where_to_call_back(bank: BankProcess, shop: Company, settings: Any) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    create(shop, ChargeRequest("pedido-1", 1000))
    answer = current()._session.call("GET", f"/webhook/{shop.pix_key}")  # type: ignore[attr-defined]
    assert answer["webhookUrl"] == "http://127.0.0.1:9/bank"
