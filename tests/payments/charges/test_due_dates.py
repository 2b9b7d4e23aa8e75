"""Charges with a due date: worth what the bank says on the day they are paid, and over when their last day is."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payments import checks
from payments.bank import current
from payments.models import Charge, Customer, ReceivedPix
from payments.pix import brcode
from payments.pix.business_days import BRAZIL, local_day
from payments.services import reconciliation
from payments.services.charges import changing, expire_due, receiving
from payments.services.errors import Invalid
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant, merchant

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = {"street": "Rua A", "number": "1", "city": "Recife", "state": "PE", "zipcode": "70011750"}
CUSTOMER = {"name": "Bia", "taxID": making.BIA, "address": ADDRESS}
TERMS = {
    "fines": {"value": 200},
    "interests": {"value": 33},
    "discountSettings": {"modality": "VALUE_PER_RUNNING_DAY_ADVANCE", "value": 10},
}


@pytest.fixture
def shop(db: None) -> Merchant:
    return merchant()


def ask(shop: Merchant, **fields: Any) -> Any:
    body = {
        "correlationID": "a",
        "value": 10_000,
        "type": "OVERDUE",
        "customer": CUSTOMER,
        "daysForDueDate": 5,
        **fields,
    }
    return shop.post("/api/v1/charge", {name: value for name, value in body.items() if value is not None})


def made(shop: Merchant, **fields: Any) -> Charge:
    answer = ask(shop, **{**TERMS, "daysAfterDueDate": 10, **fields})
    assert answer.status_code == 200, answer.content
    return Charge.objects.select_related("company").get()


def noon(charge: Charge, days: int) -> datetime:
    """Noon in Brazil, so many days after the charge's due day."""
    return datetime.combine(charge.due.due_day + timedelta(days=days), time(12), BRAZIL)


def pay(bank: BankProcess, charge: Charge, at: datetime, **more: Any) -> str:
    bank.pay(charge.txid, at=at.isoformat(), callback="lost", **more)
    reconciliation.run(at + timedelta(minutes=2))
    charge.refresh_from_db()
    return ReceivedPix.objects.latest("id").outcome


def test_the_bank_has_it_as_it_was_asked_for(shop: Merchant, bank: BankProcess) -> None:
    charge = made(shop)
    at_bank = bank.http.get("/" + brcode.decode(charge.br_code).url.partition("/")[2])
    assert at_bank.status_code == 200
    body = at_bank.json()
    assert body["calendario"]["dataDeVencimento"] == str(local_day(charge.created_at) + timedelta(days=5))
    assert body["calendario"]["validadeAposVencimento"] == 10
    days = (charge.due.due_day - local_day(timezone.now())).days
    assert body["valor"]["final"] == f"{100 - days / 10:.2f}"
    assert current().read_charge(charge.txid, overdue=True).value == 10_000
    assert charge.expires_at.astimezone(BRAZIL).date() == charge.due.last_day
    assert bank.http.get(f"/qr/v2/cobv/{'0' * 32}").status_code == 404


def test_the_answer_says_what_it_is_worth(shop: Merchant, bank: BankProcess) -> None:
    charge = made(shop)
    shown = shop.get("/api/v1/charge/a").json()["charge"]
    off = 10 * (charge.due.due_day - local_day(timezone.now())).days
    assert (shown["type"], shown["value"], shown["discount"], shown["valueWithDiscount"]) == (
        "OVERDUE",
        10_000,
        off,
        10_000 - off,
    )
    assert (shown["finesValue"], shown["interestsValue"], shown["valueToPay"]) == (0, 0, 10_000 - off)
    assert shown["dueDate"] == f"{charge.due_date}T12:00:00.000Z"
    assert shown["interestsSettings"] == {"value": 33, "type": "PERCENTAGE"}
    assert shown["discountSettings"] == TERMS["discountSettings"]
    page = Client().get(f"/pay/{charge.payment_link_id}").content.decode()
    assert f"{(10_000 - off) / 100:.2f}".replace(".", ",") in page


@pytest.mark.parametrize(("days", "value"), [(-1, 9_990), (0, 10_000), (1, 10_233), (2, 10_266)])
def test_it_is_paid_with_what_it_is_worth_that_day(shop: Merchant, bank: BankProcess, days: int, value: int) -> None:
    charge = made(shop)
    assert pay(bank, charge, noon(charge, days)) == "SETTLED"
    assert (charge.status, charge.paid_value, charge.left) == ("COMPLETED", value, value)
    assert making.balances(shop.company)["MERCHANT"] == value - charge.fee
    refund = shop.post("/api/v1/charge/a/refund", {"correlationID": "r", "value": value + 1})
    assert refund.json()["error"].startswith("value must be from 1 to")
    shown = shop.get("/api/v1/charge/a").json()["charge"]
    assert (shown["valueToPay"], shown["status"]) == (value, "COMPLETED")
    assert not [finding for finding in checks.run() if finding.count]


def test_more_than_the_value_is_given_back_in_full(shop: Merchant, bank: BankProcess) -> None:
    charge = made(shop)
    pay(bank, charge, noon(charge, 2))
    receiving.receive(making.pix(pix_key=shop.company.pix_key, paid_at=timezone.now()))
    charge.paid_at = timezone.now()
    assert shop.post("/api/v1/charge/a/refund", {"correlationID": "r"}).json()["refund"]["value"] == 10_266
    assert not [finding for finding in checks.run() if finding.count]


def test_another_value_goes_back(shop: Merchant, bank: BankProcess) -> None:
    charge = made(shop)
    assert pay(bank, charge, noon(charge, 1), value=10_000, force=True) == "WRONG_VALUE"
    assert charge.status == "ACTIVE"


def test_just_after_midnight_the_value_of_before_is_right(shop: Merchant, bank: BankProcess) -> None:
    charge = made(shop)
    midnight = datetime.combine(charge.due.due_day + timedelta(days=1), time(), BRAZIL)
    received = making.pix(
        charge, value=10_000, paid_at=midnight + timedelta(minutes=4), end_to_end_id=making.end_to_end_id()
    )
    assert receiving._worth(charge, received.paid_at) == {10_000, 10_233}
    assert receiving._worth(charge, midnight + timedelta(minutes=6)) == {10_233}


def test_it_is_over_after_its_last_day(shop: Merchant, bank: BankProcess) -> None:
    charge = made(shop, daysAfterDueDate=0)
    order = {"txid": charge.txid, "payer": {"name": "Bia", "taxID": making.BIA}, "at": noon(charge, 9).isoformat()}
    assert bank.http.post("/sim/pay", json=order).status_code == 422
    reconciliation.run(charge.expires_at + timedelta(seconds=59))
    charge.refresh_from_db()
    assert charge.status == "ACTIVE"
    reconciliation.run(charge.expires_at + timedelta(seconds=62))
    assert expire_due(charge.expires_at + timedelta(seconds=62)) == 0
    charge.refresh_from_db()
    assert charge.status == "EXPIRED"
    assert pay(bank, charge, noon(charge, 9), force=True) == "LATE"


def test_its_end_is_moved_and_it_is_deleted(shop: Merchant, bank: BankProcess) -> None:
    charge = made(shop)
    wanted = noon(charge, 20)
    changed = shop.send("PATCH", "/api/v1/charge/a", {"expiresDate": wanted.isoformat()})
    assert changed.status_code == 200, changed.content
    charge.refresh_from_db()
    assert charge.expires_at.astimezone(BRAZIL).date() == charge.due.last_day >= wanted.date()
    with pytest.raises(Invalid, match="expiresDate"):
        changing.reschedule(charge, noon(charge, -1))
    assert shop.delete("/api/v1/charge/a").status_code == 200
    assert current().read_charge(charge.txid, overdue=True).status == changing.REMOVED


def test_the_address_that_is_kept_is_enough(shop: Merchant, bank: BankProcess) -> None:
    bare = {"name": "Bia", "taxID": making.BIA}
    assert ask(shop, customer=bare).json()["error"].startswith("customer.address")
    shop.post("/api/v1/customer", CUSTOMER)
    assert ask(shop, customer=bare).status_code == 200
    assert Customer.objects.count() == 1


def test_a_due_date_is_a_day_in_brazil(shop: Merchant, bank: BankProcess) -> None:
    wanted = local_day(timezone.now()) + timedelta(days=3)
    made(shop, daysForDueDate=None, dueDate=str(wanted))
    assert Charge.objects.get().due_date == wanted
    Charge.objects.all().delete()
    made(shop, daysForDueDate=None, dueDate=f"{wanted}T00:30:00.000Z")
    assert Charge.objects.get().due_date == wanted - timedelta(days=1)


STEPS = "FIXED_VALUE_UNTIL_SPECIFIED_DATE"


def test_fixed_discounts_keep_their_dates(shop: Merchant, bank: BankProcess) -> None:
    steps = [{"daysActive": 2, "value": 300}, {"daysActive": 90, "value": 100}]
    charge = made(shop, discountSettings={"modality": STEPS, "discountFixedDate": steps})
    shown = shop.get("/api/v1/charge/a").json()["charge"]
    today = local_day(charge.created_at)
    assert [step["data"] for step in shown["discountSettings"]["discountFixedDate"]] == [
        str(today + timedelta(days=2)),
        str(charge.due_date),
    ]
    assert shown["discount"] == 300


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("customer.taxID", {"customer": {"name": "Bia", "email": "b@example.com"}}),
        ("customer.address", {"customer": {**CUSTOMER, "address": {"city": "Recife"}}}),
        ("daysForDueDate", {"daysForDueDate": None}),
        ("daysForDueDate", {"daysForDueDate": 0}),
        ("daysForDueDate", {"daysForDueDate": 9_999}),
        ("daysAfterDueDate", {"daysAfterDueDate": -1}),
        ("dueDate", {"dueDate": "2020-01-01"}),
        ("dueDate", {"dueDate": "soon"}),
        ("fines.value", {"fines": {"value": "1.5"}}),
        ("fines.type", {"fines": {"value": 1, "type": "DAILY"}}),
        ("discountSettings.modality", {"discountSettings": {"modality": "ALL", "value": 1}}),
        ("discountSettings.value", {"discountSettings": {"modality": "VALUE_PER_RUNNING_DAY_ADVANCE"}}),
        ("discountSettings", {"discountSettings": {"modality": "VALUE_PER_RUNNING_DAY_ADVANCE", "value": 9_000}}),
        ("discountSettings.discountFixedDate", {"discountSettings": {"modality": STEPS}}),
        ("discountSettings", {"discountSettings": {"modality": STEPS, "discountFixedDate": [{"daysActive": 1, "value": 10_000}]}}),
        ("interests", {"type": "DYNAMIC", "interests": {"value": 1}}),
        ("interests", {"interests": {"value": 10**11}}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(shop: Merchant, field: str, fields: dict[str, Any]) -> None:
    answer = ask(shop, **fields)
    assert (answer.status_code, answer.json()["error"].partition(":")[0].partition(" ")[0]) == (400, field)
    assert not Charge.objects.exists()
