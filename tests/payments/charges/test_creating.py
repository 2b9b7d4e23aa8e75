"""A charge is registered at a real bank process once, whatever fails in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from payments.bank import current
from payments.models import Charge, Company
from payments.pix import brcode
from payments.selectors import charges as selected
from payments.services import charges, reconciliation
from payments.services.charges import ChargeRequest, create, registering
from payments.services.errors import Duplicate, Invalid, Unavailable
from payments.services.reconciliation import unfinished
from tests.bank_process import BankProcess, eventually
from tests.payments import making
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = ChargeRequest("pedido-1", 1000, comment="Pedido 1")


@pytest.fixture
def shop() -> Company:
    return making.company()


def created_events() -> int:
    return OutboxEvent.objects.filter(topic="OPENPIX:CHARGE_CREATED").count()


def test_the_bank_has_the_charge_and_we_have_its_code(bank: BankProcess, shop: Company) -> None:
    asked = ChargeRequest(
        "pedido-1",
        1000,
        "Obrigado",
        3600,
        {"name": "Ana", "taxID": "111.444.777-35"},
        ({"key": "Cor", "value": "Azul"},),
    )

    charge = create(shop, asked)

    at_bank = current().read_charge(charge.txid)
    assert (at_bank.value, at_bank.expires_in, at_bank.br_code) == (1000, 3600, charge.br_code)
    assert brcode.decode(charge.br_code).url
    assert charge.customer == {"name": "Ana", "taxID": making.ANA}
    assert charge.expires_at == at_bank.created_at + timedelta(hours=1)
    event = OutboxEvent.objects.get()
    assert event.topic == "OPENPIX:CHARGE_CREATED"
    assert event.payload["charge"]["brCode"] == charge.br_code
    assert selected.find(shop, "pedido-1") == charge


def test_the_same_id_again_is_refused_or_answered_with_the_first(bank: BankProcess, shop: Company) -> None:
    first = create(shop, ASKED)

    with pytest.raises(Duplicate) as refusal:
        create(shop, ASKED)
    again = create(shop, ASKED, return_existing=True)

    assert refusal.value.field == "correlationID"
    assert again == first
    assert created_events() == 1


def test_two_companies_may_use_the_same_id(bank: BankProcess, shop: Company) -> None:
    assert create(shop, ASKED) != create(making.company(), ASKED)


def test_a_bank_that_is_away_leaves_a_row_that_nobody_sees_and_the_same_request_goes_on(
    bank: BankProcess, shop: Company
) -> None:
    bank.faults(unavailable_percent=100)
    with pytest.raises(Unavailable):
        create(shop, ASKED)
    txid = Charge.objects.get().txid
    assert selected.find(shop, "pedido-1") is None
    assert not selected.listing(shop).exists()
    with pytest.raises(Duplicate):
        create(shop, ChargeRequest("pedido-1", 2000))

    bank.faults()
    charge = create(shop, ASKED)

    assert charge.txid == txid
    assert created_events() == 1


def test_a_bank_that_cannot_be_reached(shop: Company, settings: Any) -> None:
    settings.BANK_URL = "http://127.0.0.1:9"
    with pytest.raises(Unavailable):
        create(shop, ASKED)


def test_an_answer_that_is_lost_after_the_effect(bank: BankProcess, shop: Company) -> None:
    create(shop, ChargeRequest("vorher", 1))  # the callback's URL is set, the token is there
    bank.faults(timeout_percent=100)
    with pytest.raises(Unavailable):
        create(shop, ASKED)
    left = Charge.objects.get(correlation_id="pedido-1")

    bank.faults()
    assert current().read_charge(left.txid).value == 1000  # it had happened
    charge = create(shop, ASKED)

    assert charge.txid == left.txid
    assert created_events() == 2


@pytest.mark.parametrize("step", ["_at_bank", "write_event"])
def test_a_crash_in_any_step_is_healed_by_the_same_request(
    bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(registering, step, lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            create(shop, ASKED)
    assert Charge.objects.get().registered_at is None
    assert created_events() == 0

    create(shop, ASKED)

    assert Charge.objects.get().registered_at
    assert created_events() == 1


def test_reconciliation_finishes_what_the_bank_has_and_forgets_what_it_has_not(
    bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step, name in (("write_event", "known"), ("_at_bank", "unknown")):
        with monkeypatch.context() as broken:
            broken.setattr(registering, step, lambda *given: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                create(shop, ChargeRequest(name, 1000))

    assert reconciliation.finish_charges(timezone.now()) == 0  # somebody may still be at it
    assert reconciliation.finish_charges(timezone.now() + timedelta(minutes=2)) == 1

    assert Charge.objects.get().correlation_id == "known"
    assert created_events() == 1


def test_paid_before_we_knew_that_it_was_registered(
    bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(registering, "write_event", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            create(shop, ASKED)
    charge = Charge.objects.get()
    bank.pay(charge.txid, callback="lost")

    reconciliation.read_received(timezone.now())

    charge.refresh_from_db()
    assert (charge.status, bool(charge.registered_at)) == ("COMPLETED", True)
    assert making.balances(shop)["MERCHANT"] == 950


def half_made(shop: Company, monkeypatch: pytest.MonkeyPatch, name: str = "pedido-1", step: str = "_at_bank") -> Charge:
    """A charge whose making died two minutes ago, before the bank had it (or after, in `write_event`)."""
    with monkeypatch.context() as broken:
        broken.setattr(registering, step, lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            create(shop, ChargeRequest(name, 1000), now=timezone.now() - timedelta(minutes=2))
    return Charge.objects.get(correlation_id=name)


def test_a_request_sent_again_keeps_reconciliation_from_forgetting_its_charge(
    bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reconciliation has heard from the bank that it has it not; the request registers it; then it would forget."""
    txid = half_made(shop, monkeypatch).txid
    read = type(current()).read_charge

    def read_and_be_overtaken(self: Any, asked: str, *, overdue: bool) -> Any:
        try:
            return read(self, asked)
        finally:
            with monkeypatch.context() as dying:
                dying.setattr(registering, "write_event", lambda *given: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    create(shop, ChargeRequest("pedido-1", 1000))

    with monkeypatch.context() as race:
        race.setattr(type(current()), "read_charge", read_and_be_overtaken)
        reconciliation.finish_charges()

    assert create(shop, ChargeRequest("pedido-1", 1000)).txid == txid


def test_a_charge_that_is_forgotten_under_a_request_is_a_clean_answer(
    bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_bank = registering._at_bank

    def forgotten(order: Any) -> Any:
        Charge.objects.filter(txid=order.txid).delete()
        return at_bank(order)

    with monkeypatch.context() as race:
        race.setattr(registering, "_at_bank", forgotten)
        with pytest.raises(Unavailable):
            create(shop, ASKED)
    assert create(shop, ASKED).registered_at


def test_half_made_charges_take_turns(bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "BATCH", 2)
    for name in "abcd":
        half_made(shop, monkeypatch, name, "write_event")
    monkeypatch.setattr(registering, "register", lambda *given: (_ for _ in ()).throw(Unavailable("stuck")))
    asked: list[str] = []
    monkeypatch.setattr(type(current()), "read_charge", lambda self, txid, overdue: asked.append(txid))

    for minute in (0, 2):
        reconciliation.finish_charges(timezone.now() + timedelta(minutes=minute))

    assert len(set(asked)) == 4


def test_what_the_bank_refuses_may_be_corrected_under_its_id(bank: BankProcess, shop: Company) -> None:
    key = shop.pix_key
    Company.objects.update(pix_key="")  # no bank takes a charge without a key
    shop.refresh_from_db()
    with pytest.raises(Invalid, match="bank refused"):
        create(shop, ASKED)
    assert not Charge.objects.exists()

    Company.objects.update(pix_key=key)
    shop.refresh_from_db()
    assert create(shop, ChargeRequest("pedido-1", 2000)).value == 2000


def test_the_same_request_again_is_the_first_charge_when_its_end_has_come_near(
    bank: BankProcess, shop: Company
) -> None:
    now = timezone.now()
    asked = ChargeRequest("pedido-1", 1000, expires_at=now + timedelta(seconds=300))
    first = create(shop, asked, now=now)
    assert create(shop, asked, return_existing=True, now=now + timedelta(seconds=5)) == first


def _at_once(shop: Company, times: int) -> list[Charge | Exception]:
    def one(_: int) -> Charge | Exception:
        try:
            return create(shop, ASKED)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def test_of_many_at_once_one_creates_it(bank: BankProcess, shop: Company) -> None:
    bank.faults(latency_ms=50)

    got = _at_once(shop, 6)

    assert Charge.objects.count() == 1
    assert created_events() == 1
    assert sum(isinstance(each, Charge) for each in got) == 1
    assert sum(isinstance(each, Duplicate) for each in got) == 5


def test_without_the_condition_many_at_once_write_many_events(
    bank: BankProcess, shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: publishing is not conditional on being the first."""
    bank.faults(latency_ms=100)
    monkeypatch.setattr(Charge, "refresh_from_db", lambda *given, **named: None)
    published = registering.register

    def always(charge: Charge, now: Any = None) -> bool:
        published(charge, now)
        Charge.objects.filter(pk=charge.pk).update(registered_at=None)
        return True

    monkeypatch.setattr(registering, "register", always)

    _at_once(shop, 4)

    assert created_events() > 1


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (ChargeRequest("", 1), "correlationID"),
        (ChargeRequest("a", 0), "value"),
        (ChargeRequest("a", 10**12), "value"),
        (ChargeRequest("a", 1, expires_in=299), "expiresIn"),
        (ChargeRequest("a", 1, customer={"name": "Ana", "taxID": "123"}), "customer.taxID"),
        (ChargeRequest("a", 1, ensure_same_tax_id=True), "ensureSameTaxID"),
    ],
)
def test_a_wrong_request_leaves_nothing(shop: Company, asked: ChargeRequest, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        create(shop, asked)
    assert refusal.value.field == field
    assert not Charge.objects.exists()


@pytest.mark.parametrize(
    ("value", "fee"),
    [(1, 1), (49, 49), (50, 50), (6_249, 50), (6_312, 50), (6_313, 51), (62_500, 500), (10**12 - 1, 500)],
)
def test_the_fee_is_a_share_half_up_within_limits(shop: Company, value: int, fee: int) -> None:
    assert charges.fee(shop, value) == fee


def _race(delete: Callable[[Charge], object]) -> bool:
    """Another process registers a charge while somebody who found it unregistered deletes it. Whether it is there."""
    charge = making.charge(making.company(), registered_at=None)
    began, looked = threading.Event(), threading.Event()

    def other() -> None:
        try:
            began.set()
            delete(charge)
        finally:
            looked.set()
            connections.close_all()

    with transaction.atomic():
        Charge.objects.filter(pk=charge.pk).update(registered_at=timezone.now())
        rival = threading.Thread(target=other)
        rival.start()
        began.wait(10)
        eventually(_somebody_waits)
    rival.join(10)
    assert looked.is_set()
    return Charge.objects.filter(pk=charge.pk).exists()


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone() == (True,))


def test_a_charge_that_is_registered_meanwhile_is_not_forgotten() -> None:
    assert _race(charges.forget)


def test_by_djangos_delete_it_would_be() -> None:
    """The negative control: it looks first, and deletes by id what it saw."""
    assert not _race(lambda charge: Charge.objects.filter(pk=charge.pk, registered_at=None).delete())


def test_one_that_was_touched_meanwhile_is_not_forgotten() -> None:
    charge = making.charge(making.company(), registered_at=None)
    charges.forget(charge, charge.updated_at - timedelta(seconds=1))
    assert Charge.objects.filter(pk=charge.pk).exists()
    charges.forget(charge, charge.updated_at)
    assert not Charge.objects.filter(pk=charge.pk).exists()
