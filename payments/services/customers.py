"""A merchant's customers: create, change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from payments.models import Company, Customer
from payments.pix import keys
from payments.selectors import customers
from payments.services.errors import Duplicate, Invalid, NotFound


@dataclass(frozen=True)
class CustomerRequest:
    """A customer as the merchant sends it. Empty texts are not sent."""

    name: str
    correlation_id: str = ""
    tax_id: str = ""  # with or without punctuation
    email: str = ""
    phone: str = ""
    address: dict[str, Any] = field(default_factory=dict)


def create(company: Company, request: CustomerRequest, now: datetime | None = None) -> Customer:
    """Create a customer. The same request again gives the first customer, unless it has neither correlationID nor tax id.

    Raises:
        Invalid: no name, nothing by which to reach or recognise the customer, or a wrong tax id.
        Duplicate: another customer has this correlationID or tax id.
    """
    if not request.name.strip():
        raise Invalid("name must not be empty", "name")
    if not (request.tax_id or request.email or request.phone):
        raise Invalid("a customer needs a taxID, an email or a phone", "taxID")
    wanted: dict[str, Any] = {
        "name": request.name,
        "tax_id": _tax_id(request.tax_id),
        "email": request.email,
        "phone": request.phone,
        "address": request.address,
        **({"correlation_id": request.correlation_id} if request.correlation_id else {}),
    }
    try:
        with transaction.atomic():
            now = now or timezone.now()
            return Customer.objects.create(company=company, created_at=now, updated_at=now, **wanted)
    except IntegrityError:
        first = customers.find(company, request.correlation_id) or customers.find(company, wanted["tax_id"])
        if first and all(getattr(first, name) == value for name, value in wanted.items()):
            return first
        raise Duplicate("There is already another customer with this correlationID or taxID", "correlationID") from None


def remember(company: Company, sent: dict[str, Any], now: datetime) -> None:
    """Keep the customer that was sent with a charge, unless the company has it already. It needs an id to be found by."""
    if sent.get("taxID") or sent.get("correlationID"):
        row = Customer(
            company=company,
            name=sent["name"],
            tax_id=sent.get("taxID", ""),
            email=sent.get("email", ""),
            phone=sent.get("phone", ""),
            address=sent.get("address", {}),
            created_at=now,
            updated_at=now,
            **({"correlation_id": sent["correlationID"]} if sent.get("correlationID") else {}),
        )
        Customer.objects.bulk_create([row], ignore_conflicts=True)


def change(company: Company, identifier: str, fields: dict[str, Any], now: datetime | None = None) -> Customer:
    """Change the given fields of a customer: name, tax_id, email, phone, address (its given parts).

    Raises:
        NotFound: the company has no customer with this correlationID or tax id.
        Invalid: a wrong tax id, or another one than the customer has.
        Duplicate: another customer has the tax id.
    """
    with transaction.atomic():
        found = customers.find(company, identifier)
        if found is None:
            raise NotFound("Customer not found")
        customer = Customer.objects.select_for_update().get(pk=found.pk)
        fields = dict(fields)
        if fields.get("tax_id"):
            fields["tax_id"] = _tax_id(fields["tax_id"])
            if customer.tax_id and customer.tax_id != fields["tax_id"]:
                raise Invalid("taxID cannot be changed", "taxID")
        if "address" in fields:
            fields["address"] = customer.address | fields["address"]
        for name, value in fields.items():
            setattr(customer, name, value)
        customer.updated_at = now or timezone.now()
        try:
            with transaction.atomic():
                customer.save(update_fields=[*fields, "updated_at"])
        except IntegrityError:
            raise Duplicate("There is already another customer with this taxID", "taxID") from None
        return customer


def _tax_id(text: str) -> str:
    if not text:
        return ""
    try:
        return keys.parse_tax_id(text)
    except keys.InvalidKey as error:
        raise Invalid(f"taxID: {error}", "taxID") from error
