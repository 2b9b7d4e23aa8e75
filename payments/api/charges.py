"""POST, GET /charge; GET, PATCH, DELETE /charge/{id}; POST, GET /charge/{id}/refund."""

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
    DueDate,
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
from payments.services.charges import MAX_VALUE, ChargeRequest, Split, changing, due_dates, refunds
from payments.services.charges.due_dates import DueRequest
from payments.services.errors import Invalid, NotFound

router = Router(tags=["charge"])
Json = dict[str, Any]
Value = Annotated[int, Field(gt=0, le=MAX_VALUE, description="Centavos."), DIGITS]
Identifier = PathEx[str, P(description="The charge's correlationID (URI-encoded), id or txid.")]


Modality = Literal[
    "FIXED_VALUE_UNTIL_SPECIFIED_DATE",
    "PERCENTAGE_UNTIL_SPECIFIED_DATE",
    "VALUE_PER_RUNNING_DAY_ADVANCE",
    "VALUE_PER_BUSINESS_DAY_ADVANCE",
    "PERCENTAGE_PER_RUNNING_DAY_ADVANCE",
    "PERCENTAGE_PER_BUSINESS_DAY_ADVANCE",
]
# Woovi's SDK for Node spells it the second way, languages with their own style the others. Ignoring one would let another
# payer's money in.
SPELLED = (
    "ensureSameTaxID", "ensureSameTaxId", "ensureSameTaxid", "ensuresametaxid",
    "EnsureSameTaxID", "EnsureSameTaxId", "ensure_same_tax_id", "ensure_same_taxid",
)  # fmt: skip
SameTaxID = Annotated[bool | None, Field(validation_alias=AliasChoices(*SPELLED))]


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


def _own_code(wanted: object) -> None:
    """Refuse a code that several charges would share."""
    if wanted:
        raise ValueError("is not supported: each charge has a QR code of its own")


class Part(Body):
    """Interest or a fine: basis points of the value (PERCENTAGE), or centavos (FIXED)."""

    value: Annotated[int, Field(ge=0, le=MAX_VALUE), DIGITS]
    type: Annotated[Literal["FIXED", "PERCENTAGE"], CAPITALS] = "PERCENTAGE"


class DiscountStep(Body):
    """A discount for so many days from the charge's creation."""

    daysActive: Annotated[int, Field(ge=1, le=due_dates.MAX_DAYS), DIGITS]
    value: Annotated[int, Field(gt=0, le=MAX_VALUE), DIGITS]


class DiscountSettings(Body):
    """A discount for who pays before the due date: centavos, or basis points of the value (PERCENTAGE…)."""

    modality: Annotated[Modality, CAPITALS]
    value: Annotated[int | None, Field(gt=0, le=MAX_VALUE), DIGITS] = None
    discountFixedDate: list[DiscountStep] | None = None


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
    type: Annotated[Literal["DYNAMIC", "OVERDUE"], CAPITALS] = "DYNAMIC"
    comment: Annotated[Text140 | None, Field(description="Shown to the payer.")] = None
    expiresIn: Annotated[int | None, Field(description="Seconds, 300 at least."), DIGITS] = None
    expiresDate: Timestamp | None = None
    customer: Customer | None = None
    ensureSameTaxID: SameTaxID = None
    additionalInfo: (
        Annotated[list[AdditionalInfo], Field(max_length=50), BeforeValidator(_without_empty_lines)] | None
    ) = None
    dueDate: Annotated[DueDate | None, Field(description="Of an OVERDUE charge: ISO 8601, or days from now:")] = None
    daysForDueDate: Annotated[int | None, DIGITS] = None
    daysAfterDueDate: Annotated[int | None, Field(description="Days for which it may still be paid: 15."), DIGITS] = (
        None
    )
    interests: Annotated[Part | None, Field(description="For each day after the due date.")] = None
    fines: Annotated[Part | None, Field(description="Once, from the day after the due date.")] = None
    discountSettings: DiscountSettings | None = None
    splits: Annotated[
        list[SplitBody] | None, Field(max_length=50, description="Parts for others, once it is paid.")
    ] = None
    subaccount: Annotated[Text255 | None, Field(description="The sub-account that gets all but the fee.")] = None
    # In Woovi's contract, and not built: refused, not ignored, since shoppers would be shown another code.
    paymentLinkID: Annotated[None, BeforeValidator(_own_code)] = None
    fixedLocation: Annotated[Literal[False] | None, BeforeValidator(_own_code)] = None


class ChargeChange(Body):
    """When the charge is to end."""

    model_config = ConfigDict(json_schema_extra={"example": {"expiresDate": "2026-12-24T18:00:00.000Z"}})

    expiresDate: Annotated[Timestamp, Field(description="ISO 8601; five minutes from now at least.")]


class ChargeFilter(Page):
    """The query of the list of charges."""

    start: Annotated[Timestamp | None, Field(description="Created then or later (ISO 8601).")] = None
    end: Annotated[Timestamp | None, Field(description="Created then or before (ISO 8601).")] = None
    status: Annotated[Literal["ALL", "ACTIVE", "COMPLETED", "EXPIRED"], CAPITALS] = "ALL"
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
    charge = charges.create(company(request), order(body), return_existing=return_existing)
    return {"charge": _as_json(request, charge), "correlationID": charge.correlation_id, "brCode": charge.br_code}


def order(body: ChargeBody) -> ChargeRequest:
    """What the service is asked for by a body that was checked."""
    customer = body.customer
    return ChargeRequest(
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
        due=_due(body),
    )


@router.get("/charge", **needs("CHARGE_GET_LIST"), summary="List charges", response=answers.of(answers.Charges))
def listing(request: HttpRequest, filters: Query[ChargeFilter]) -> Json:
    """The company's charges, newest first."""
    status = None if filters.status == "ALL" else filters.status
    found = selectors.listing(company(request), status=status, start=filters.start, end=filters.end)
    if filters.subscription:
        found = found.none()
    if filters.customer:
        found = found.filter(customer__correlationID=filters.customer)
    rows, info = paginate(request, found, filters)
    return {"charges": [_as_json(request, charge) for charge in rows], "pageInfo": info}


@router.get(
    "/charge/{identifier}", **needs("CHARGE_GET"), summary="Get a charge", response=answers.of(answers.OneCharge)
)
def read(request: HttpRequest, identifier: Identifier) -> Json:
    """A charge by its id or correlationID (URI-encoded)."""
    return {"charge": _as_json(request, _find(request, identifier))}


@router.patch(
    "/charge/{identifier}",
    **needs("CHARGE_PATCH"),
    summary="Change a charge's end",
    response=answers.of(answers.ChargeChanged, answers.WITH_BODY),
)
def change(request: HttpRequest, identifier: Identifier, body: ChargeChange) -> Json:
    """Let an active charge end earlier or later, here and at the bank."""
    charge = changing.reschedule(_find(request, identifier), body.expiresDate)
    until = contract.time(charge.expires_at)
    return {"status": "OK", "id": decoded(identifier), "expiresDate": until, "charge": _as_json(request, charge)}


@router.delete(
    "/charge/{identifier}", **needs("CHARGE_DELETE"), summary="Delete a charge", response=answers.of(answers.Removed)
)
def delete(request: HttpRequest, identifier: Identifier) -> Json:
    """Delete a charge that is not paid. A Pix that still comes for it goes back to its payer."""
    wanted = decoded(identifier)
    if not selectors.is_deleted(company(request), wanted):
        changing.delete(_find(request, identifier))
    return {"status": "OK", "id": wanted}


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


def _due(body: ChargeBody) -> DueRequest | None:
    """The due date and terms of an OVERDUE charge. Raises Invalid where another has them, since that changes what is paid."""
    if body.type != "OVERDUE":
        for name in ("interests", "fines", "discountSettings"):
            if getattr(body, name) is not None:
                raise Invalid(f"{name}: only an OVERDUE charge has these", name)
        return None
    return DueRequest(
        date=body.dueDate,
        days=body.daysForDueDate,
        fines=body.fines.given() if body.fines else None,
        interests=body.interests.given() if body.interests else None,
        discount=body.discountSettings.given() if body.discountSettings else None,
        **({} if body.daysAfterDueDate is None else {"valid_for": body.daysAfterDueDate}),
    )


def _find(request: HttpRequest, identifier: str) -> Charge:
    owner = company(request)
    with limits.lookup(request, str(owner.pk)) as looked_up:
        charge = selectors.find(owner, decoded(identifier))
        if charge is None:
            raise NotFound("Charge not found")
        looked_up.settle(1)
    return charge


def _as_json(request: HttpRequest, charge: Charge) -> Json:
    return contract.charge(charge, company(request), selectors.settled_by(charge))
