"""POST, GET /charge; GET /charge/{id}; POST, GET /charge/{id}/refund."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import P, PathEx, Query, Router
from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, model_validator

from payments import contract, limits
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import (
    CAPITALS,
    DIGITS,
    Address,
    Body,
    Flag,
    Id,
    Text,
    Text140,
    Text255,
    Timestamp,
    bare_tax_id,
    decoded,
    holds_nothing,
)
from payments.api.pages import Page, paginate
from payments.models import Charge
from payments.selectors import charges as selectors
from payments.services import charges
from payments.services.charges import MAX_VALUE, ChargeRequest, Split, refunds
from payments.services.errors import NotFound

router = Router(tags=["charge"])
Json = dict[str, Any]
Value = Annotated[int, Field(gt=0, le=MAX_VALUE, description="Centavos."), DIGITS]
Identifier = PathEx[str, P(description="The charge's correlationID (URI-encoded), id or txid.")]


# Woovi's SDK for Node spells it the second way. Ignoring that would let another payer's money in.
SameTaxID = Annotated[bool | None, Field(validation_alias=AliasChoices("ensureSameTaxID", "ensureSameTaxId"))]


class Customer(Body):
    """Who is to pay, with a tax id, an e-mail or a phone."""

    name: Annotated[Text, Field(max_length=200)]
    taxID: Annotated[Text255 | None, BeforeValidator(bare_tax_id)] = None
    email: Text255 | None = None
    phone: Text255 | None = None
    correlationID: Text255 | None = None
    address: Address | None = None
    ensureSameTaxID: Annotated[SameTaxID, Field(exclude=True)] = None  # where Woovi's n8n node has it

    @model_validator(mode="after")
    def _reachable(self) -> Customer:
        if not (self.taxID or self.email or self.phone):
            raise ValueError("needs a taxID, an email or a phone")
        return self


class AdditionalInfo(Body):
    """A line that the payer's bank shows."""

    key: Annotated[Text, Field(max_length=50)]
    value: Annotated[Text, Field(max_length=200)]


class SplitBody(Body):
    """A part of the charge for somebody else."""

    value: Value
    pixKey: Text255
    splitType: Annotated[
        Literal["SPLIT_SUB_ACCOUNT", "SPLIT_INTERNAL_TRANSFER", "SPLIT_PARTNER"],
        Field(validation_alias=AliasChoices("splitType", "type")),
        CAPITALS,
    ] = "SPLIT_INTERNAL_TRANSFER"


def _without_empty_lines(lines: object) -> object:
    """Additional information without lines of an empty value: shops send their optional fields so."""
    if not isinstance(lines, list):
        return lines
    return [line for line in lines if not (isinstance(line, dict) and holds_nothing(line.get("value", 0)))]


class ChargeBody(Body):
    """A charge to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "correlationID": "pedido-1",
                "value": 1990,
                "comment": "Pedido 1",
                "expiresIn": 3600,
                "customer": {"name": "Ana Souza", "taxID": "529.982.247-25", "email": "ana@exemplo.com"},
                "additionalInfo": [{"key": "Pedido", "value": "1"}],
            }
        }
    )

    correlationID: Annotated[Id, Field(description="Yours, unique for each charge: the same again is the same charge.")]
    value: Value
    type: Annotated[Literal["DYNAMIC"], CAPITALS] = "DYNAMIC"
    comment: Annotated[Text140 | None, Field(description="Shown to the payer.")] = None
    expiresIn: Annotated[int | None, Field(description="Seconds, 300 at least."), DIGITS] = None
    expiresDate: Timestamp | None = None
    customer: Customer | None = None
    ensureSameTaxID: SameTaxID = None
    additionalInfo: (
        Annotated[list[AdditionalInfo], Field(max_length=50), BeforeValidator(_without_empty_lines)] | None
    ) = None
    splits: Annotated[
        list[SplitBody] | None, Field(max_length=50, description="Parts for others, once it is paid.")
    ] = None
    subaccount: Annotated[Text255 | None, Field(description="The sub-account that gets all but the fee.")] = None
    # In Woovi's contract, and not built yet. Each changes who gets how much, so they are refused, not ignored.
    discountSettings: None = None
    interests: None = None
    fines: None = None
    paymentLinkID: None = None
    fixedLocation: Literal[False] | None = None


class ChargeFilter(Page):
    """The query of the list of charges."""

    start: Annotated[Timestamp | None, Field(description="Created then or later (ISO 8601).")] = None
    end: Annotated[Timestamp | None, Field(description="Created then or before (ISO 8601).")] = None
    status: Annotated[Charge.Status | Literal["ALL"], CAPITALS] = "ALL"
    customer: Annotated[Text255 | None, Field(description="The customer's correlationID.")] = None
    subscription: Annotated[Text255 | None, Field(description="Of a subscription. There are none yet.")] = None


class RefundBody(Body):
    """A refund to request."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"correlationID": "devolucao-1", "value": 500, "comment": "Troca"}}
    )

    correlationID: Annotated[Id, Field(description="Yours, unique for each refund: the same again is the same refund.")]
    value: Annotated[Value | None, Field(description="Centavos; what is left, if absent.")] = None
    comment: Text140 | None = None


@router.post(
    "/charge",
    **needs("CHARGE_POST"),
    summary="Create a charge",
    response=answers.of(answers.ChargeCreated, answers.WITH_BODY),
)
def create(request: HttpRequest, body: ChargeBody, return_existing: Flag = False) -> Json:
    """Create a charge. A used correlationID is refused, or answered with its charge under `?return_existing=true`."""
    customer = body.customer
    order = ChargeRequest(
        correlation_id=body.correlationID,
        value=body.value,
        comment=body.comment or "",
        expires_in=body.expiresIn,
        expires_at=body.expiresDate,
        customer=customer.given() if customer else None,
        additional_info=tuple(item.given() for item in body.additionalInfo or ()),
        splits=tuple(Split(part.value, part.pixKey, part.splitType) for part in body.splits or ()),
        subaccount=body.subaccount or "",
        ensure_same_tax_id=bool(body.ensureSameTaxID or (customer and customer.ensureSameTaxID)),
    )
    charge = charges.create(company(request), order, return_existing=return_existing)
    return {"charge": _as_json(charge), "correlationID": charge.correlation_id, "brCode": charge.br_code}


@router.get("/charge", **needs("CHARGE_GET_LIST"), summary="List charges", response=answers.of(answers.Charges))
def listing(request: HttpRequest, filters: Query[ChargeFilter]) -> Json:
    """The company's charges, newest first."""
    status = None if filters.status == "ALL" else filters.status
    found = selectors.listing(company(request), status=status, start=filters.start, end=filters.end)
    if filters.subscription:
        found = found.none()
    if filters.customer:
        found = found.filter(customer__correlationID=filters.customer)
    rows, info = paginate(request, found.select_related("company"), filters)
    return {"charges": [_as_json(charge) for charge in rows], "pageInfo": info}


@router.get(
    "/charge/{identifier}", **needs("CHARGE_GET"), summary="Get a charge", response=answers.of(answers.OneCharge)
)
def read(request: HttpRequest, identifier: Identifier) -> Json:
    """A charge by its id or correlationID (URI-encoded)."""
    return {"charge": _as_json(_find(request, identifier))}


@router.post(
    "/charge/{identifier}/refund",
    **needs("CHARGE_REFUND_POST"),
    summary="Refund a charge",
    response=answers.of(answers.OneRefund, answers.WITH_BODY),
)
def refund(request: HttpRequest, identifier: Identifier, body: RefundBody) -> Json:
    """Give back all or part of a paid charge. The same correlationID gives the first refund again."""
    made = refunds.request(
        company(request), _find(request, identifier), body.correlationID, body.value, body.comment or ""
    )
    return {"refund": contract.refund(made)}


@router.get(
    "/charge/{identifier}/refund",
    **needs("CHARGE_REFUND_GET_LIST"),
    summary="List a charge's refunds",
    response=answers.of(answers.Refunds),
)
def list_refunds(request: HttpRequest, identifier: Identifier, page: Query[Page]) -> Json:
    """A charge's refunds, oldest first."""
    rows, info = paginate(request, _find(request, identifier).refunds.order_by("id"), page)
    return {"refunds": [contract.refund(row) for row in rows], "pageInfo": info}


def _find(request: HttpRequest, identifier: str) -> Charge:
    owner = company(request)
    with limits.lookup(request, str(owner.pk)) as looked_up:
        charge = selectors.find(owner, decoded(identifier))
        if charge is None:
            raise NotFound("Charge not found")
        looked_up.settle(1)
    return charge


def _as_json(charge: Charge) -> Json:
    return contract.charge(charge, charge.company, selectors.settled_by(charge))
