"""Payments that a company sends."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from payments.api.answers.parts import BrCode, Cents, PageInfo, TaxID, Text, Time

AliasType = Literal["CPF", "CNPJ", "EMAIL", "PHONE", "RANDOM"]


class Holder(TypedDict):
    name: Annotated[str, Field(examples=["Ana Souza"])]
    taxID: TaxID


class BankAccount(TypedDict):
    account: Annotated[str, Field(examples=["00000000000000000981"])]
    branch: Annotated[str, Field(examples=["0001"])]
    accountType: Literal["CACC", "SLRY", "SVGS", "TRAN"]


class ReceiverPsp(TypedDict):
    id: Annotated[str, Field(description="The bank's ISPB.", examples=["54811417"])]
    name: NotRequired[str]


class Payment(TypedDict):
    """A Pix that the company sends. Money is held from APPROVED until CONFIRMED or FAILED."""

    type: Literal["PIX_KEY", "QR_CODE", "MANUAL"]
    value: Cents
    status: Literal["CREATED", "APPROVED", "PROCESSING", "CONFIRMED", "FAILED", "DENIED"]
    correlationID: Text
    comment: str
    destinationAlias: NotRequired[Annotated[str, Field(examples=["ana@exemplo.com"])]]
    destinationAliasType: NotRequired[AliasType]
    qrCode: NotRequired[BrCode]
    holder: NotRequired[Holder]
    account: NotRequired[BankAccount]
    psp: NotRequired[ReceiverPsp]


class DebitParty(TypedDict):
    holder: Holder


class PaymentTransaction(TypedDict):
    """The movement of an approved payment."""

    value: Cents
    endToEndId: Annotated[
        str, Field(description="The network's id of the Pix.", examples=["E54811417202603021731a1B2c3D4e5F"])
    ]
    time: Time
    debitParty: DebitParty
    providerErrorCode: NotRequired[Annotated[str, Field(examples=["AC06"])]]
    providerRejectedReason: NotRequired[str]


class PaymentDestination(TypedDict, total=False):
    """Who is paid, as far as it is known."""

    name: str
    taxID: str
    pixKey: str
    bank: str
    branch: str
    account: str


class OnePayment(TypedDict):
    payment: Payment
    transaction: NotRequired[PaymentTransaction]
    destination: NotRequired[PaymentDestination]


class Payments(TypedDict):
    status: Literal["OK"]
    payments: list[OnePayment]
    pageInfo: PageInfo
