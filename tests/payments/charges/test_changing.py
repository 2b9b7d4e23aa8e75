"""A charge's end is moved, and a charge is deleted, here and at the bank, whatever happens in between."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections
from django.utils import timezone

from payments import checks
from payments.bank import current
from payments.models import Charge, ReceivedPix
from payments.services import reconciliation
from payments.services.charges import ChargeRequest, changing, create, expire_due, receiving
from payments.services.errors import Duplicate, Invalid, Unavailable
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant, merchant
from woovi.locks import SplitLock, names
from woovi.locks.manager import LockedRows

pytestmark = pytest.mark.django_db(transaction=True)
PAYER = {"name": "Bia", "taxID": making.BIA}
ASKED = ChargeRequest("pedido-1", 1000)


@pytest.fixture
def charge(bank: BankProcess) -> Charge:
    return create(making.company(), ASKED)


@pytest.fixture
def shop(db: None) -> Merchant:
    return merchant()


@pytest.fixture
def rival(db: None) -> Merchant:
    return merchant()


def first(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], Any]) -> None:
    """Let `act` happen while the bank's call `name` is under way: after the bank has done it."""
    kind: Any = type(current())
    real = getattr(kind, name)

    def call(*given: Any, **named: Any) -> Any:
        answer = real(*given, **named)
        act()
        return answer

    monkeypatch.setattr(kind, name, call)


def outcome() -> str:
    reconciliation.run()
    return ReceivedPix.objects.get().outcome


def test_the_end_moves_at_the_bank_too(charge: Charge) -> None:
    for hours in (48, 1, 1):
        wanted = timezone.now() + timedelta(hours=hours)
        changed = changing.reschedule(charge, wanted)
        assert timedelta(0) <= changed.expires_at - wanted < timedelta(seconds=1)
        assert current().read_charge(charge.txid).expires_in == changed.expires_in
        charge.refresh_from_db()
        assert (charge.expires_at, charge.status) == (changed.expires_at, "ACTIVE")


@pytest.mark.parametrize("seconds", [-1, 60, 40_000_000])
def test_an_end_too_near_or_too_far_is_refused(charge: Charge, seconds: int) -> None:
    with pytest.raises(Invalid, match="expiresDate"):
        changing.reschedule(charge, timezone.now() + timedelta(seconds=seconds))


def test_what_is_over_is_not_active_again(charge: Charge) -> None:
    later = charge.expires_at + timedelta(days=1)
    with pytest.raises(Invalid, match="not active"):
        changing.reschedule(charge, later, now=charge.expires_at + timedelta(seconds=1))
    Charge.objects.update(status="EXPIRED")
    with pytest.raises(Invalid, match="not active"):
        changing.reschedule(charge, later)
    Charge.objects.update(status="COMPLETED", paid_at=timezone.now())
    with pytest.raises(Invalid, match="paid"):
        changing.delete(charge)


def test_a_deleted_charge_is_gone_and_a_pix_for_it_goes_back(charge: Charge, bank: BankProcess) -> None:
    gone = changing.delete(charge)
    assert changing.delete(charge).deleted_at == gone.deleted_at
    assert current().read_charge(charge.txid).status == changing.REMOVED
    assert (gone.status, expire_due(charge.expires_at + timedelta(days=9))) == ("EXPIRED", 0)

    assert bank.http.post("/sim/pay", json={"txid": charge.txid, "payer": PAYER}).status_code == 422
    bank.pay(charge.txid, force=True)
    assert outcome() == "LATE"
    assert making.balances(charge.company)["MERCHANT"] == 0
    assert [refund.automatic for refund in gone.company.refunds.all()] == [True]
    assert not [finding for finding in checks.run() if finding.count]


def test_the_id_of_a_deleted_charge_stays_used(charge: Charge) -> None:
    changing.delete(charge)
    with pytest.raises(Duplicate):
        create(charge.company, ASKED, return_existing=True)


def test_who_is_paid_at_the_bank_is_not_deleted(charge: Charge, bank: BankProcess) -> None:
    bank.pay(charge.txid, callback="lost")  # we do not know yet
    with pytest.raises(Invalid, match="not active"):
        changing.delete(charge)
    assert outcome() == "SETTLED"


def test_a_charge_that_the_bank_lost_is_deleted(charge: Charge, monkeypatch: pytest.MonkeyPatch) -> None:
    Charge.objects.update(txid="0" * 32)
    assert changing.delete(charge).deleted_at


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("remove_charge", changing.delete),
        ("revise_charge", lambda charge: changing.reschedule(charge, timezone.now() + timedelta(hours=1))),
    ],
)
def test_a_pix_that_is_booked_while_the_bank_is_asked_wins(
    charge: Charge, monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[Charge], Charge]
) -> None:
    """A bank that removes a charge and lists a Pix that settled it: what is booked stays."""
    now = timezone.now()
    first(monkeypatch, name, lambda: receiving.receive(making.pix(charge, paid_at=now), now))
    with pytest.raises(Invalid):
        act(charge)
    charge.refresh_from_db()
    assert (charge.status, charge.deleted_at) == ("COMPLETED", None)
    assert making.balances(charge.company)["MERCHANT"] == 950


def test_control_over_what_was_read_before_only_the_database_refuses(
    charge: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def stale(lock: SplitLock) -> Iterator[LockedRows]:
        yield lock.rows

    monkeypatch.setattr(SplitLock, "write", stale)
    now = timezone.now()
    first(monkeypatch, "remove_charge", lambda: receiving.receive(making.pix(charge, paid_at=now), now))
    with pytest.raises(IntegrityError):
        changing.delete(charge)


def test_after_a_lost_answer_the_same_request_ends_it(charge: Charge, bank: BankProcess) -> None:
    bank.faults(timeout_percent=100, timeout_seconds=3)
    with pytest.raises(Unavailable):
        changing.delete(charge)
    charge.refresh_from_db()
    assert (charge.status, charge.deleted_at) == ("ACTIVE", None)
    bank.faults()
    assert changing.delete(charge).deleted_at


def test_one_change_at_a_time(charge: Charge, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere() -> None:
        try:
            changing.delete(charge)
        finally:
            connections.close_all()

    def other() -> None:
        with ThreadPoolExecutor(1) as pool, pytest.raises(Unavailable, match="under way"):
            pool.submit(elsewhere).result()

    first(monkeypatch, "revise_charge", other)
    assert changing.reschedule(charge, timezone.now() + timedelta(hours=1)).status == "ACTIVE"
    assert current().read_charge(charge.txid).status == "ATIVA"


def test_control_without_the_lock_the_later_change_is_the_one_that_stays(
    charge: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every lock has a name of its own here, so that it keeps nobody away; the fence does."""
    monkeypatch.setattr(names, "key", lambda row: f"lk:{{{uuid.uuid4()}}}")
    soon, later = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(hours=9)

    def other() -> None:
        monkeypatch.undo()
        monkeypatch.setattr(names, "key", lambda row: f"lk:{{{uuid.uuid4()}}}")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: (changing.reschedule(charge, later), connections.close_all())).result()

    first(monkeypatch, "revise_charge", other)
    with pytest.raises(Unavailable):
        changing.reschedule(charge, soon)
    charge.refresh_from_db()
    assert current().read_charge(charge.txid).expires_in == charge.expires_in > 30_000


def test_by_the_api(bank: BankProcess, shop: Merchant, rival: Merchant) -> None:
    shop.post("/api/v1/charge", {"correlationID": "a#ção", "value": 100})
    path, at = "/api/v1/charge/a%23%C3%A7%C3%A3o", timezone.now() + timedelta(hours=2)
    for theirs in (rival.delete(path), rival.send("PATCH", path, {"expiresDate": at.isoformat()})):
        assert (theirs.status_code, theirs.json()) == (400, {"error": "Charge not found"})
    changed = shop.send("PATCH", path, {"expiresDate": at.isoformat()})
    assert changed.status_code == 200, changed.content
    body = changed.json()
    assert (body["status"], body["id"], body["expiresDate"]) == ("OK", "a#ção", body["charge"]["expiresDate"])
    assert shop.send("PATCH", path, {"expiresDate": "soon"}).json() == {
        "error": "expiresDate: must be an ISO 8601 time"
    }
    for _ in range(2):
        assert shop.delete(path).json() == {"status": "OK", "id": "a#ção"}
    assert shop.get(path).json() == {"error": "Charge not found"}
    assert shop.get("/api/v1/charge").json()["charges"] == []
    assert rival.delete(path).status_code == 400
