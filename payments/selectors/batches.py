"""Payout batches as their company sees them."""

from __future__ import annotations

from django.db.models import QuerySet

from payments.models import Company, PayoutBatch
from payments.selectors.ids import bare_id


def listing(company: Company) -> QuerySet[PayoutBatch]:
    """The company's batches, newest first."""
    return PayoutBatch.objects.filter(company=company).order_by("-id")


def find(company: Company, identifier: str) -> PayoutBatch | None:
    """The company's batch by id, plain or global."""
    if "\0" in identifier:
        return None
    return listing(company).filter(public_id=bare_id("Batch", identifier)).first()
