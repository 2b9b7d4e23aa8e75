"""A customer of a merchant."""

from __future__ import annotations

from payments.contract.parts import Json, tax_id
from payments.models import Customer


def customer(customer: Customer) -> Json:
    """The customer as `GET /customer/{id}` shows it."""
    shown: Json = {"name": customer.name, "correlationID": customer.correlation_id}
    for name in ("email", "phone", "address"):
        if value := getattr(customer, name):
            shown[name] = value
    if customer.tax_id:
        shown["taxID"] = tax_id(customer.tax_id)
    return shown
