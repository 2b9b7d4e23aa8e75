"""What a Pix does, case by case, and that it does it once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction

from payments.bank import current
from payments.bank.port import BankReceived
from payments.models import Charge, LedgerTransaction, ReceivedPix, Refund
from payments.services.charges import ChargeRequest, create, receiving
from payments.services.charges.receiving import receive
from payments.services.errors import Unavailable
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.making import ANA, BIA, NOW
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db
CUSTOMER = {"name": "Ana", "taxID": ANA}


def topics() -> list[str]:
    return list(OutboxEvent.objects.order_by("id").values_list("topic", flat=True))


def test_a_pix_pays_its_charge_and_the_fee_is_taken() -> None:
    charge = making.charge(making.company(), 1000)

    got = receive(making.pix(charge), NOW + timedelta(minutes=2))

    charge.refresh_from_db()
    assert got is not None
    assert got.outcome == "SETTLED"
    assert (charge.status, charge.paid_at) == ("COMPLETED", NOW + timedelta(minutes=1))
    assert making.balances(charge.company) == {"CLEARING": -1000, "MERCHANT": 950, "FEES": 50, "SUSPENSE": 0}
    assert topics() == ["OPENPIX:CHARGE_COMPLETED", "OPENPIX:TRANSACTION_RECEIVED"]


def test_the_events_carry_what_the_contract_shows() -> None:
    charge = making.charge(making.company(), 1000, customer=CUSTOMER)

    receive(making.pix(charge, payer_message="Pedido 7"), NOW)

    completed, received, other = OutboxEvent.objects.order_by("id")
    assert completed.tenant == str(charge.company_id)
    assert completed.payload["event"] == completed.topic == "OPENPIX:CHARGE_COMPLETED"
    assert completed.payload["charge"]["status"] == "COMPLETED"
    assert completed.payload["charge"]["paidAt"] == "2026-03-02T17:29:51.000Z"
    assert completed.payload["charge"]["payer"] == {"name": "Bia", "taxID": {"taxID": BIA, "type": "BR:CPF"}}
    assert completed.payload["pix"]["infoPagador"] == "Pedido 7"
    assert completed.payload["company"]["taxID"] == charge.company.tax_id
    assert received.payload["charge"]["correlationID"] == charge.correlation_id
    assert received.payload["pixQrCode"] is None
    assert other.topic == "OPENPIX:CHARGE_COMPLETED_NOT_SAME_CUSTOMER_PAYER"
    assert other.payload["payer"]["name"] == "Bia"


@pytest.mark.parametrize(
    ("charged", "paid", "outcome"),
    [
        pytest.param({}, {"value": 999}, "WRONG_VALUE", id="under"),
        pytest.param({}, {"value": 1001}, "WRONG_VALUE", id="over"),
        pytest.param({}, {"paid_at": NOW + timedelta(hours=1, seconds=1)}, "LATE", id="late"),
        pytest.param({"status": "EXPIRED"}, {}, "LATE", id="after we expired it"),
        pytest.param({"ensure_same_tax_id": True, "customer": CUSTOMER}, {}, "WRONG_PAYER", id="wrong payer"),
    ],
)
def test_what_settles_nothing_goes_back(charged: dict[str, Any], paid: dict[str, Any], outcome: str) -> None:
    charge = making.charge(making.company(), 1000, **charged)
    received = making.pix(charge, **paid)
    heard = max(NOW, received.paid_at)

    got = receive(received, heard)

    before = charge.status
    charge.refresh_from_db()
    refund = Refund.objects.get(received=got)
    assert got is not None
    assert got.outcome == outcome
    assert charge.status == before
    assert making.balances(charge.company)["SUSPENSE"] == received.value
    assert making.balances(charge.company)["MERCHANT"] == 0
    assert (refund.automatic, refund.value, refund.charge_id) == (True, received.value, None)
    assert topics() == ["refund.requested", "task:send_refund"], "pages are woken too"


def test_paid_at_the_last_moment_is_in_time_however_late_we_hear() -> None:
    charge = making.charge(making.company())

    got = receive(making.pix(charge, paid_at=charge.expires_at), NOW + timedelta(days=2))

    assert got is not None
    assert got.outcome == "SETTLED"


def test_the_right_payer_settles_under_ensure_same_tax_id() -> None:
    charge = making.charge(making.company(), ensure_same_tax_id=True, customer=CUSTOMER)

    got = receive(making.pix(charge, payer_tax_id=ANA), NOW)

    assert got is not None
    assert got.outcome == "SETTLED"


def test_a_second_payment_goes_back() -> None:
    charge = making.charge(making.company())
    receive(making.pix(charge), NOW)

    got = receive(making.pix(charge), NOW)

    assert got is not None
    assert got.outcome == "DUPLICATE"
    assert making.balances(charge.company) == {"CLEARING": -2000, "MERCHANT": 950, "FEES": 50, "SUSPENSE": 1000}


def test_a_pix_without_charge_is_the_merchants_less_the_fee() -> None:
    owner = making.company()

    got = receive(making.pix(pix_key=owner.pix_key, value=30), NOW)

    assert got is not None
    assert (got.outcome, got.fee) == ("LOOSE", 30)  # the least fee is 50, but never more than the value
    assert making.balances(owner) == {"CLEARING": -30, "MERCHANT": 0, "FEES": 30, "SUSPENSE": 0}
    assert OutboxEvent.objects.get().payload["charge"] is None


def test_a_txid_does_not_turn_money_to_another_companys_key() -> None:
    charge, other = making.charge(making.company()), making.company()

    got = receive(making.pix(charge, pix_key=other.pix_key), NOW)

    assert got is not None
    assert (got.company_id, got.outcome) == (other.pk, "LOOSE")
    assert Charge.objects.get(pk=charge.pk).status == "ACTIVE"


def test_a_key_that_is_not_ours_is_ignored() -> None:
    assert receive(making.pix(pix_key="nobody@example.com"), NOW) is None
    assert not ReceivedPix.objects.exists()


@pytest.mark.parametrize("key", ["***.982.247-**", "l***@exemplo.com", "5511999991234", "191", "EVP", "\ufffd", "?"])
def test_a_key_as_the_bank_writes_it_does_not_lose_a_charges_payment(key: str) -> None:
    charge = making.charge(making.company())

    got = receive(making.pix(charge, pix_key=key), NOW)

    assert got is not None
    assert (got.company_id, got.outcome) == (charge.company_id, "SETTLED")


def test_texts_of_any_bank_are_taken() -> None:
    charge = making.charge(making.company())

    got = receive(making.pix(charge, payer_name="B\0" * 300, payer_message="ç" * 500), NOW)

    assert got is not None
    got.refresh_from_db()
    assert len(got.payer_message) == 140


def test_the_same_pix_thrice_is_credited_once() -> None:
    charge = making.charge(making.company())
    told = making.pix(charge)

    first, *others = [receive(told, NOW) for _ in range(3)]

    assert [other and other.pk for other in others] == [first and first.pk] * 2
    assert making.balances(charge.company)["MERCHANT"] == 950
    assert len(topics()) == 2


@pytest.mark.django_db(transaction=True)
def test_a_crash_before_the_commit_leaves_nothing_and_the_next_telling_books_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charge = making.charge(making.company())
    told = making.pix(charge)
    with monkeypatch.context() as broken:
        broken.setattr(receiving.ledger, "post", lambda *postings: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            receive(told, NOW)
    assert not ReceivedPix.objects.exists()
    assert Charge.objects.get().status == "ACTIVE"

    receive(told, NOW)

    assert making.balances(charge.company)["MERCHANT"] == 950


def _at_once(told: list[Any]) -> list[Any]:
    def one(received: Any) -> Any:
        try:
            return receive(received, NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(told)) as pool:
        return list(pool.map(one, told))


@pytest.mark.django_db(transaction=True)
def test_one_pix_told_by_eight_at_once_is_credited_once() -> None:
    charge = making.charge(making.company())

    got = _at_once([making.pix(charge)] * 8)

    assert len({each.pk for each in got}) == 1
    assert making.balances(charge.company)["MERCHANT"] == 950


@pytest.mark.django_db(transaction=True)
def test_of_eight_pix_at_once_one_settles_the_charge() -> None:
    charge = making.charge(making.company())

    got = _at_once([making.pix(charge) for _ in range(8)])

    assert sorted(each.outcome for each in got) == ["DUPLICATE"] * 7 + ["SETTLED"]
    assert making.balances(charge.company) == {"CLEARING": -8000, "MERCHANT": 950, "FEES": 50, "SUSPENSE": 7000}
    assert Refund.objects.count() == 7


@pytest.mark.django_db(transaction=True)
def test_without_the_guards_a_pix_told_twice_is_booked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: unique id and lock off, and the ledger's own key with them."""
    charge = making.charge(making.company())
    told = making.pix(charge)
    monkeypatch.setattr(receiving, "_INSERT", receiving._INSERT.replace("ON CONFLICT (end_to_end_id) DO NOTHING", ""))
    monkeypatch.setattr(receiving, "_outcome", lambda charge, received: "SETTLED")
    kinds = iter("ab")
    posting = receiving._posting

    def other_kind(*given: Any) -> Any:
        made = posting(*given)
        return type(made)(made.company_id, next(kinds), made.correlation_id, made.lines)

    monkeypatch.setattr(receiving, "_posting", other_kind)
    with connection.cursor() as cursor:
        cursor.execute(  # of contype: NOT NULL is a constraint with a name like that, too
            "SELECT conname FROM pg_constraint WHERE contype = 'u' AND conname LIKE 'payments_receivedpix_end_to_end_id%'"
        )
        unique = cursor.fetchone()[0]
        try:
            cursor.execute(f"ALTER TABLE payments_receivedpix DROP CONSTRAINT {unique}")
            cursor.execute("DROP INDEX charge_settled_once")
            receive(told, NOW)
            receive(told, NOW)
            assert making.balances(charge.company)["MERCHANT"] == 1900
        finally:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("TRUNCATE payments_receivedpix CASCADE")
            cursor.execute("SET session_replication_role = DEFAULT")
            cursor.execute(f"ALTER TABLE payments_receivedpix ADD CONSTRAINT {unique} UNIQUE (end_to_end_id)")
            cursor.execute(
                "CREATE UNIQUE INDEX charge_settled_once ON payments_receivedpix (charge_id) WHERE outcome = 'SETTLED'"
            )


def test_the_database_lets_only_one_pix_settle_a_charge() -> None:
    charge = making.charge(making.company())
    receive(making.pix(charge), NOW)
    first = ReceivedPix.objects.get()
    first.pk, first.end_to_end_id, first.public_id = None, making.end_to_end_id(), "0" * 24
    with pytest.raises(IntegrityError), transaction.atomic():
        first.save(force_insert=True)
    assert LedgerTransaction.objects.count() == 1


def paid_by(bank: BankProcess, tax_id: str) -> BankReceived:
    """A Pix of `tax_id` for a charge that only Ana may pay, told without its payer, as some banks do."""
    charge = create(making.company(), ChargeRequest("a", 1000, customer=CUSTOMER, ensure_same_tax_id=True))
    told = bank.pay(charge.txid, callback="lost", payer={"taxID": tax_id, "name": "X"})
    return replace(current().read_received(told["endToEndId"]), payer_tax_id="", payer_name="")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("tax_id", "outcome"), [(ANA, "SETTLED"), (BIA, "WRONG_PAYER")])
def test_a_payer_who_is_not_told_is_asked_for(bank: BankProcess, tax_id: str, outcome: str) -> None:
    got = receive(paid_by(bank, tax_id))
    assert got is not None
    assert (got.outcome, got.payer_tax_id) == (outcome, tax_id)


@pytest.mark.django_db(transaction=True)
def test_a_payer_whom_nobody_knows_gets_the_money_back(bank: BankProcess) -> None:
    got = receive(replace(paid_by(bank, ANA), end_to_end_id=making.end_to_end_id()))
    assert got is not None
    assert got.outcome == "WRONG_PAYER"


@pytest.mark.django_db(transaction=True)
def test_while_the_bank_cannot_be_asked_for_the_payer_nothing_is_decided(bank: BankProcess) -> None:
    told = paid_by(bank, ANA)
    bank.faults(unavailable_percent=100)
    with pytest.raises(Unavailable):
        receive(told)
    assert not ReceivedPix.objects.exists()


def test_an_unknown_payer_is_not_called_another_one() -> None:
    receive(making.pix(making.charge(making.company(), customer=CUSTOMER), payer_tax_id=""), NOW)
    assert topics() == ["OPENPIX:CHARGE_COMPLETED", "OPENPIX:TRANSACTION_RECEIVED"]


@pytest.mark.parametrize("txid", ["", "mesa1", "0" * 32])
def test_a_pix_of_which_the_bank_tells_no_key_is_not_ignored(bank: BankProcess, txid: str) -> None:
    """It is set aside, and an operator sees it: the money is in our account."""
    making.company()
    with pytest.raises(Unavailable, match="whose Pix"):
        receive(making.pix(txid=txid))
