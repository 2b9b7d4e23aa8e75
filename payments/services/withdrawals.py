"""The daily withdrawal: what a company has goes to its own account at another bank, by its CNPJ or CPF as Pix key.

It is a payment like any other. Its correlationID is made of the day, so a company withdraws once a day, however often
and by however many it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from payments.models import Account, Company, Payment
from payments.services import payments
from payments.services.errors import Duplicate, Invalid
from payments.services.payments import PaymentOrder

LEAST = 101  # centavos: Woovi's minimum of a withdrawal


def correlation_id(day: date) -> str:
    """The correlationID of a day's withdrawal."""
    return f"saque-{day:%Y-%m-%d}"


def due(day: date, tax_ids: list[str] | None = None) -> Iterator[tuple[Company, int]]:
    """Companies (all, or those with `tax_ids`) that may withdraw that day, with the centavos that they have available."""
    accounts = Account.objects.filter(kind=Account.Kind.MERCHANT, is_default=True).select_related("company")
    if tax_ids is not None:
        accounts = accounts.filter(company__tax_id__in=tax_ids)
    settled = Payment.objects.filter(batch=None, correlation_id=correlation_id(day)).exclude(
        status=Payment.Status.CREATED
    )
    for account in accounts.exclude(company__in=settled.values("company")).order_by("company_id"):
        if account.available >= LEAST:
            yield account.company, account.available


def settle(company: Company, value: int, day: date, now: datetime | None = None) -> Payment:
    """Withdraw `value` centavos for a day, once. Returns that day's withdrawal.

    One that was refused waits, CREATED: the same call tries it again.

    Raises:
        Invalid: above the balance or a limit, or the tax id is no key of another bank.
        Duplicate: the company has used the correlationID for another payment.
        Unavailable: another process is at it. The same call may be made again.
    """
    id_ = correlation_id(day)
    order = PaymentOrder(id_, value, pix_key=company.tax_id, comment="Saque diário")
    try:
        made = payments.create(company, order, now)
    except Duplicate:
        first = Payment.objects.filter(company=company, batch=None, correlation_id=id_, pix_key=company.tax_id).first()
        if first is None:
            raise
        made = first
    if made.status != Payment.Status.CREATED:
        return made
    try:
        return payments.approve(company, id_, now)
    except Invalid:
        made.refresh_from_db()
        if made.status == Payment.Status.CREATED:
            raise
        return made  # another process has just approved it
