"""Payments as their company sees them. A removed one is not shown."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from payments.models import Company, Payment
from payments.selectors.ids import bare_id


def listing(company: Company, start: datetime | None = None, end: datetime | None = None) -> QuerySet[Payment]:
    """The company's payments, newest first, created from `start` to `end`."""
    found = _visible(company)
    if start:
        found = found.filter(created_at__gte=start)
    if end:
        found = found.filter(created_at__lte=end)
    return found.order_by("-id")


def alone(company: Company, status: str = "") -> QuerySet[Payment]:
    """The company's payments that are in no batch, newest first; with a status, those in it."""
    found = _visible(company).filter(batch=None).order_by("-id")
    return found.filter(status=status) if status else found


def find(company: Company, identifier: str) -> Payment | None:
    """The company's payment by correlationID, id (plain or global) or end-to-end id. The correlationID wins.

    Rows of batches come after single payments, the latest batch's latest round first. They are asked for apart: each of
    them has its index.
    """
    if "\0" in identifier:
        return None
    payments = _visible(company)
    return (
        payments.filter(batch=None, correlation_id=identifier).first()
        or payments.filter(batch__isnull=False, correlation_id=identifier).order_by("-batch_id", "-round").first()
        or payments.filter(public_id=bare_id("Payment", identifier)).first()
        or payments.filter(end_to_end_id=identifier).first()
    )


def _visible(company: Company) -> QuerySet[Payment]:
    return Payment.objects.filter(company=company).exclude(status=Payment.Status.REMOVED).select_related("company")
