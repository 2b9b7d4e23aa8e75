"""Withdrawals: money of a company goes to its own account at another bank, by its CNPJ or CPF as Pix key.

A withdrawal is a payment like any other. That of a day has a correlationID that is made of the day, so a company has one a
day, however often and by however many it is asked for.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, datetime

from django.db import transaction
from django.utils import timezone

from payments.models import Account, Company, Payment
from payments.services import ledger, payments
from payments.services.errors import Duplicate, Invalid
from payments.services.payments import PaymentOrder

LEAST = 101  # centavos: Woovi's minimum of a withdrawal


def withdraw(company: Company, value: int, correlation_id: str = "", now: datetime | None = None) -> Payment:
    """Send `value` centavos to the company's CNPJ or CPF as a Pix key, at another bank. Approved at once; a worker sends it.

    The same correlationID and value give the first withdrawal again. What is refused leaves no payment behind.

    Raises:
        Invalid: less than the minimum, or more than the balance has available or a limit allows.
        Duplicate: the correlationID was used for another payment.
    """
    if value < LEAST:
        raise Invalid(f"value must be at least {LEAST} centavos", "value")
    now = now or timezone.now()
    order = PaymentOrder(correlation_id or str(uuid.uuid4()), value, pix_key=company.tax_id, comment="Saque")
    if first := _first(company, order.correlation_id, value=value):
        return first
    payments.look_up(company, order)
    try:
        with transaction.atomic():
            return payments.approve_new(payments.write(company, order, now), now)
    except ledger.InsufficientFunds as error:
        raise Invalid("You do not have enough balance to make this payment") from error
    except Duplicate:  # perhaps of the same withdrawal, just now
        if first := _first(company, order.correlation_id, value=value):
            return first
        raise


def _first(company: Company, correlation_id: str, **wanted: int) -> Payment | None:
    """The withdrawal with this correlationID, if it is as `wanted`."""
    paid = Payment.objects.filter(company=company, batch=None, correlation_id=correlation_id)
    return paid.filter(pix_key=company.tax_id, source=None, **wanted).exclude(approved_at=None).first()


def correlation_id(day: date) -> str:
    """The correlationID of a day's withdrawal."""
    return f"saque-{day:%Y-%m-%d}"


def due(day: date, tax_ids: list[str] | None = None) -> Iterator[tuple[Company, int]]:
    """Companies (all, or those with `tax_ids`) that may withdraw that day, with the centavos that they have available."""
    accounts = Account.objects.filter(kind=Account.Kind.MERCHANT, is_default=True).select_related("company")
    if tax_ids is not None:
        accounts = accounts.filter(company__tax_id__in=tax_ids)
    settled = Payment.objects.filter(batch=None, correlation_id=correlation_id(day))
    for account in accounts.exclude(company__in=settled.values("company")).order_by("company_id"):
        if account.available >= LEAST:
            yield account.company, account.available


def settle(company: Company, value: int, day: date, now: datetime | None = None) -> Payment:
    """Withdraw `value` centavos for a day, once. Returns that day's withdrawal.

    Raises:
        Invalid: above the balance or a limit, or the tax id is no key of another bank. It may be tried again.
        Duplicate: the company has used the correlationID for another payment.
    """
    try:
        return withdraw(company, value, correlation_id(day), now)
    except Duplicate:
        if first := _first(company, correlation_id(day)):  # of another value
            return first
        raise
