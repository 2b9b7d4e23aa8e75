"""A company's sub-accounts. Closed ones are not shown."""

from __future__ import annotations

from django.db.models import QuerySet

from payments.models import Company, Subaccount


def listing(company: Company) -> QuerySet[Subaccount]:
    """The company's open sub-accounts, each with its account, newest first."""
    return Subaccount.objects.filter(company=company, closed_at=None).select_related("account").order_by("-id")
