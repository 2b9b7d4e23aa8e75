"""Charges with a due date (OVERDUE): what a merchant asks for, checked and as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from payments.models import Company
from payments.models.charge import terms_of
from payments.pix.business_days import BRAZIL, local_day
from payments.pix.overdue import MODALITIES, OF_PERCENT, UNTIL_DATE, Terms, amounts
from payments.selectors import customers
from payments.services.errors import Invalid

MAX_DAYS = 1_825  # until the due date, and after it: five years
MAX_STEPS = 3  # fixed discounts that the API Pix takes
WHOLE = 10_000  # basis points
ADDRESS = ("street", "city", "state", "zipcode")  # what a bank asks of a debtor
Json = dict[str, Any]


@dataclass(frozen=True)
class DueRequest:
    """When a charge is due, by a date or in days from now; how long it may still be paid; and in the contract's shape `fines`
    and `interests` (`{"value", "type"}`) and `discountSettings`."""

    date: date | None = None
    days: int | None = None
    valid_for: int = 15  # days; Woovi's
    fines: Json | None = None
    interests: Json | None = None
    discount: Json | None = None


@dataclass(frozen=True)
class Due:
    """The columns of such a charge."""

    due_date: date
    valid_for: int
    terms: Json


def checked(request: DueRequest, value: int, now: datetime) -> Due:
    """The due date and terms of a charge of `value` centavos. Raises Invalid."""
    today = local_day(now)
    due = _due_date(request, today)
    if not 0 <= request.valid_for <= MAX_DAYS:
        raise Invalid(f"daysAfterDueDate must be from 0 to {MAX_DAYS}", "daysAfterDueDate")
    terms: Json = {}
    for name, given in (("fines", request.fines), ("interests", request.interests)):
        if given:
            terms[name] = {"value": given["value"], "type": given.get("type") or "PERCENTAGE"}
    if request.discount:
        terms["discountSettings"] = _discount(request.discount, value, today, due)
    found = terms_of(value, due, request.valid_for, terms)
    if amounts(found, today).total < 1:
        raise Invalid("discountSettings: a discount must be less than the value", "discountSettings")
    if amounts(found, found.last_day).total > 10**12 - 1:
        raise Invalid("interests: with fine and interest the value is too large for a bank", "interests")
    return Due(due, request.valid_for, terms)


def ends_at(terms: Terms) -> datetime:
    """The last moment in which the charge may be paid."""
    return datetime.combine(terms.last_day + timedelta(days=1), time(), BRAZIL) - timedelta(microseconds=1)


def with_address(company: Company, customer: Json | None) -> Json:
    """The customer with the address that it was sent with, or that the company keeps. Raises Invalid where one lacks."""
    if not customer or not customer.get("taxID"):
        raise Invalid("customer.taxID: an OVERDUE charge needs its customer's", "customer.taxID")
    kept = customers.find(company, customer["taxID"])
    address = customer.get("address") or (kept.address if kept else {})
    missing = [name for name in ADDRESS if not str(address.get(name) or "").strip()]
    if missing:
        raise Invalid(f"customer.address: an OVERDUE charge needs its {', '.join(missing)}", "customer.address")
    return {**customer, "address": address}


def _due_date(request: DueRequest, today: date) -> date:
    if request.date:
        if not today <= request.date <= today + timedelta(days=MAX_DAYS):
            raise Invalid(f"dueDate must be from today to {MAX_DAYS} days from now", "dueDate")
        return request.date
    if request.days is None or not 1 <= request.days <= MAX_DAYS:
        raise Invalid(f"daysForDueDate must be from 1 to {MAX_DAYS}", "daysForDueDate")
    return today + timedelta(days=request.days)


def _discount(given: Json, value: int, today: date, due: date) -> Json:
    """The discount with the date of each step, which is the due date at the latest, as banks demand."""
    modality = MODALITIES[given["modality"]]
    if modality not in UNTIL_DATE:
        if not given.get("value"):
            raise Invalid("discountSettings.value: is needed by this modality", "discountSettings.value")
        return {"modality": given["modality"], "value": given["value"]}
    steps = given.get("discountFixedDate") or []
    if not 1 <= len(steps) <= MAX_STEPS:
        raise Invalid(
            f"discountSettings.discountFixedDate: needs 1 to {MAX_STEPS}", "discountSettings.discountFixedDate"
        )
    if max(step["value"] for step in steps) >= (WHOLE if modality in OF_PERCENT else value):
        raise Invalid("discountSettings: a discount must be less than the value", "discountSettings")
    dated = [{**step, "data": min(today + timedelta(days=step["daysActive"]), due).isoformat()} for step in steps]
    return {"modality": given["modality"], "discountFixedDate": dated}
