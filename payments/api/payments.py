"""POST, GET /payment; POST /payment/approve; GET /payment/{id}."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from django.http import HttpRequest
from ninja import P, PathEx, Query, Router
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from payments import contract, limits
from payments.api import answers
from payments.api.auth import application, company, needs
from payments.api.fields import CAPITALS, DIGITS, Body, Id, Text, Text140, Text255, Timestamp
from payments.api.pages import Page, paginate
from payments.models import Account, Company, Payment
from payments.pix import keys
from payments.selectors import payments as selectors
from payments.services import applications, payments
from payments.services.errors import Invalid, NotFound
from payments.services.payments import PaymentOrder
from payments.services.payments.creating import MAX_VALUE
from woovi.ratelimit.middleware import client_address

router = Router(tags=["payment"])
Json = dict[str, Any]
Identifier = PathEx[str, P(description="The payment's correlationID (URI-encoded) or id.")]
MOST_METADATA = 30  # keys


class ReceiverTaxID(Body):
    """The receiver's tax id."""

    type: Text255 | None = None
    taxID: Text255

    @model_validator(mode="after")
    def _valid(self) -> ReceiverTaxID:
        try:
            self.taxID = keys.parse_tax_id(self.taxID)
        except keys.InvalidKey as error:
            raise ValueError(str(error)) from None
        self.type = "BR:CPF" if len(self.taxID) == 11 else "BR:CNPJ"
        return self


def _digits_alone(value: object) -> object:
    """A tax id as text, as everywhere else in Woovi's requests, where its description has an object."""
    return {"taxID": value} if isinstance(value, str) else value


class Receiver(Body):
    """Who holds the account."""

    name: Annotated[Text, Field(max_length=200)]
    taxID: Annotated[ReceiverTaxID, BeforeValidator(_digits_alone)]


class ReceiverAccount(Body):
    """The receiver's account."""

    account: Annotated[Text, StringConstraints(pattern=r"^[0-9A-Za-z]{1,20}$")]
    branch: Annotated[Text, StringConstraints(pattern=r"^[0-9]{4}$")]
    accountType: Annotated[Literal["CACC", "SLRY", "SVGS", "TRAN"], CAPITALS]


class ReceiverBank(Body):
    """The account's bank."""

    id: Annotated[Text, StringConstraints(pattern=r"^[0-9A-Z]{8}$")]
    name: Text255 | None = None


def _ispb_alone(value: object) -> object:
    """Woovi's description has the bank as text, its example as an object."""
    return {"id": value} if isinstance(value, str) else value


def _storable(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    if "\\u0000" in json.dumps(metadata):
        raise ValueError("must not contain NUL")
    return metadata


class PaymentBody(Body):
    """A payment to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "PIX_KEY",
                "value": 100,
                "destinationAlias": "ana@exemplo.com",
                "destinationAliasType": "EMAIL",
                "correlationID": "pagamento-1",
                "comment": "Pedido 1",
            }
        }
    )

    correlationID: Annotated[Id, Field(description="Yours, unique for each payment.")]
    type: Annotated[Literal["PIX_KEY", "QR_CODE", "MANUAL"] | None, CAPITALS] = None
    value: Annotated[int | None, Field(gt=0, le=MAX_VALUE, description="Centavos."), DIGITS] = None
    destinationAlias: Annotated[Text255 | None, Field(description="The Pix key to pay.")] = None
    destinationAliasType: Annotated[Literal["CPF", "CNPJ", "EMAIL", "PHONE", "RANDOM"] | None, CAPITALS] = None
    qrCode: Annotated[Text | None, Field(max_length=1024, description="The BR Code to pay.")] = None
    holder: Receiver | None = None
    account: ReceiverAccount | None = None
    psp: Annotated[ReceiverBank | None, BeforeValidator(_ispb_alone)] = None
    comment: Annotated[Text140 | None, Field(description="Shown to the receiver.")] = None
    pixKeyEndToEndId: Text255 | None = None
    sourceAccountId: Text255 | None = None
    metadata: Annotated[dict[str, Any] | None, Field(max_length=MOST_METADATA), AfterValidator(_storable)] = None
    autoApprove: Annotated[bool, Field(description="Approve it in the same call.")] = False

    @model_validator(mode="after")
    def _one_receiver(self) -> PaymentBody:
        """Woovi's SDK leaves the type out; then the receiver's fields tell it."""
        manual = self.account or self.holder or self.psp
        self.type = self.type or ("QR_CODE" if self.qrCode else "MANUAL" if manual else "PIX_KEY")
        needed: dict[str, tuple[str, ...]] = {
            "QR_CODE": ("qrCode",),
            "MANUAL": ("value", "holder", "account", "psp"),
            "PIX_KEY": ("value", "destinationAlias"),
        }
        for field in needed[self.type]:
            if getattr(self, field) is None:
                raise ValueError(f"{field} is needed for a payment of type {self.type}")
        return self


class PaymentFilter(Page):
    """The query of the list of payments."""

    start: Annotated[Timestamp | None, Field(description="Created then or later (ISO 8601).")] = None
    end: Annotated[Timestamp | None, Field(description="Created then or before (ISO 8601).")] = None


class ApproveBody(Body):
    """The payment to approve."""

    model_config = ConfigDict(json_schema_extra={"example": {"correlationID": "pagamento-1"}})

    correlationID: Id


@router.post(
    "/payment",
    **needs("PAYMENT_POST"),
    summary="Create a payment",
    response=answers.of(answers.OnePayment, answers.WITH_BODY),
)
def create(request: HttpRequest, body: PaymentBody) -> Json:
    """Create a payment, to be approved. A correlationID is used once, also after its payment has failed.

    `autoApprove` needs the scope PAYMENT_APPROVE_POST, too.
    """
    owner = company(request)
    _check_source(owner, body.sourceAccountId)
    if body.autoApprove:
        applications.may(application(request), "PAYMENT_APPROVE_POST", client_address(request))
    made = payments.create(owner, order(body))
    if body.autoApprove:
        made = payments.approve(owner, made.correlation_id)
    return _as_json(made)


def order(body: PaymentBody) -> PaymentOrder:
    """What the service is asked for by a body that was checked."""
    of_account = body.type == "MANUAL" and body.holder and body.account and body.psp
    account = {"holder": body.holder, "account": body.account, "psp": body.psp} if of_account else None
    return PaymentOrder(
        correlation_id=body.correlationID,
        value=body.value,
        pix_key=body.destinationAlias or "" if body.type == "PIX_KEY" else "",
        pix_key_type=body.destinationAliasType or "",
        qr_code=body.qrCode or "" if body.type == "QR_CODE" else "",
        account={name: part.given() for name, part in account.items() if part} if account else None,
        comment=body.comment or "",
        end_to_end_id=body.pixKeyEndToEndId or "",
        metadata=body.metadata,
    )


def _check_source(owner: Company, account_id: str | None) -> None:
    """Every payment leaves the company's one account."""
    default = Account.objects.filter(company=owner, kind=Account.Kind.MERCHANT, is_default=True)
    if account_id and not default.filter(public_id=account_id).exists():
        raise Invalid("sourceAccountId is no account of the company", "sourceAccountId")


@router.post(
    "/payment/approve",
    **needs("PAYMENT_APPROVE_POST"),
    summary="Approve a payment",
    response=answers.of(answers.OnePayment, answers.WITH_BODY),
)
def approve(request: HttpRequest, body: ApproveBody) -> Json:
    """Hold the payment's value and send it."""
    return _as_json(payments.approve(company(request), body.correlationID))


@router.get("/payment", **needs("PAYMENT_GET_LIST"), summary="List payments", response=answers.of(answers.Payments))
def listing(request: HttpRequest, filters: Query[PaymentFilter]) -> Json:
    """The company's payments, newest first."""
    rows, info = paginate(request, selectors.listing(company(request), filters.start, filters.end), filters)
    return {"status": "OK", "payments": [_as_json(row) for row in rows], "pageInfo": info}


@router.get(
    "/payment/{identifier}", **needs("PAYMENT_GET"), summary="Get a payment", response=answers.of(answers.OnePayment)
)
def read(request: HttpRequest, identifier: Identifier) -> Json:
    """A payment by its id or correlationID (URI-encoded)."""
    try:
        decoded = unquote(identifier, errors="strict")
    except UnicodeDecodeError:
        raise Invalid("id must be UTF-8", "id") from None
    owner = company(request)
    with limits.lookup(request, str(owner.pk)) as looked_up:
        payment = selectors.find(owner, decoded)
        if payment is None:
            raise NotFound("Payment not found")
        looked_up.settle(1)
    return _as_json(payment)


def _as_json(payment: Payment) -> Json:
    """The payment; once it is approved, with its transaction and its receiver."""
    shown: Json = {"payment": contract.payment(payment)}
    if payment.approved_at:
        shown |= {"transaction": contract.movement(payment), "destination": contract.destination(payment)}
    return shown
