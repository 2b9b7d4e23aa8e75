"""What mutations are given. Fields are named as in the REST API, whose bodies check them too: one set of rules."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

import strawberry
from pydantic import ValidationError
from strawberry.scalars import JSON

from payments.api.fields import Body, complaint
from payments.graphql import enums  # noqa: F401 (names Payment.Type)
from payments.graphql.scalars import Centavos
from payments.models import Payment
from payments.services.errors import Invalid

B = TypeVar("B", bound=Body)


@strawberry.input
class AdditionalInfoInput:
    """A line that the payer's bank shows."""

    key: str
    value: str


@strawberry.input(description="Who is to pay, with a taxID, an e-mail or a phone.")
class CustomerInput:
    """`api.charges.Customer`."""

    name: str
    taxID: str | None = None
    email: str | None = None
    phone: str | None = None
    correlationID: str | None = None
    address: JSON | None = None


@strawberry.input
class ChargeInput:
    """`api.charges.ChargeBody`."""

    correlationID: str
    value: Centavos
    comment: str | None = None
    expiresIn: int | None = strawberry.field(default=None, description="Seconds, 300 at least.")
    expiresDate: datetime | None = None
    customer: CustomerInput | None = None
    ensureSameTaxID: bool | None = None
    additionalInfo: list[AdditionalInfoInput] | None = None


@strawberry.input
class RefundInput:
    """`api.charges.RefundBody`, and the charge."""

    charge: strawberry.ID = strawberry.field(description="Its global id, id, correlationID or txid.")
    correlationID: str
    value: Centavos | None = strawberry.field(default=None, description="What is left, if absent.")
    comment: str | None = None


@strawberry.input(description="A payment by one of: Pix key; BR Code; holder, account and psp as in the REST API.")
class PaymentInput:
    """`api.payments.PaymentBody`."""

    correlationID: str
    type: Payment.Type | None = None
    value: Centavos | None = None
    destinationAlias: str | None = None
    destinationAliasType: str | None = None
    qrCode: str | None = None
    holder: JSON | None = None
    account: JSON | None = None
    psp: JSON | None = None
    comment: str | None = None
    pixKeyEndToEndId: str | None = None
    metadata: JSON | None = None


def body(kind: type[B], given: Any) -> B:
    """The input, or the fields, as the REST API's body, checked. Raises Invalid with the API's words."""
    fields = given if isinstance(given, dict) else asdict(given)
    if at := fields.get("expiresDate"):
        fields["expiresDate"] = at.isoformat()
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        field, message = complaint(error.errors()[0])
        raise Invalid(message, field) from None
