"""A merchant's customers."""

from __future__ import annotations

from django.db.models import QuerySet

from payments.models import Company, Customer
from payments.pix import keys


def find(company: Company, identifier: str) -> Customer | None:
    """The company's customer by correlationID, or by tax id with or without punctuation."""
    if not identifier or "\0" in identifier:
        return None
    mine = Customer.objects.filter(company=company)
    if found := mine.filter(correlation_id=identifier).first():
        return found
    try:
        return mine.filter(tax_id=keys.parse_tax_id(identifier)).first()
    except keys.InvalidKey:
        return None


def listing(company: Company) -> QuerySet[Customer]:
    """The company's customers, newest first."""
    return Customer.objects.filter(company=company).order_by("-created_at", "-id")
