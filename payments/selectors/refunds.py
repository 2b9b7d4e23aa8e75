"""Refunds as their company sees them. Those that the platform made by itself are not shown."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from payments.models import Company, Refund
from payments.selectors.ids import bare_id


def listing(company: Company) -> QuerySet[Refund]:
    """The company's refunds, newest first."""
    return Refund.objects.filter(company=company, automatic=False).order_by("-created_at", "-id")


def find(company: Company, identifier: str) -> Refund | None:
    """The company's refund by its id at the bank, correlationID, end-to-end id or global id."""
    if not identifier or "\0" in identifier:
        return None
    known = Q(return_id=identifier) | Q(correlation_id=identifier) | Q(end_to_end_id=identifier)
    return listing(company).filter(known | Q(public_id=bare_id("Refund", identifier))).first()
