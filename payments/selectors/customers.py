"""A merchant's customers."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from payments.models import Charge, Company, Customer
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


def matching(customers: QuerySet[Customer], text: str) -> QuerySet[Customer]:
    """The customers that match `text`, ignoring case: a part of the name or e-mail, a whole CPF or CNPJ, a phone, or
    the beginning of the correlationID."""
    wanted = Q(name__icontains=text) | Q(email__icontains=text) | Q(phone=text) | Q(correlation_id__istartswith=text)
    try:
        wanted |= Q(tax_id=keys.parse_tax_id(text))
    except keys.InvalidKey:
        pass
    return customers.filter(wanted)


def charges_of(customer: Customer, charges: QuerySet[Charge]) -> QuerySet[Charge]:
    """Those of the company's charges that were made for the customer: they keep what was sent, not the customer's row."""
    wanted = Q(customer__correlationID=customer.correlation_id)
    if customer.tax_id:
        wanted |= Q(customer__taxID=customer.tax_id)
    return charges.filter(wanted)
