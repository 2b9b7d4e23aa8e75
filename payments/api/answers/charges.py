"""Charges, customers, and refunds of charges."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from payments.api.answers.parts import BrCode, Cents, EndToEnd, PageInfo, TaxID, Text, Time, TxId


class CustomerAddress(TypedDict, total=False):
    zipcode: str
    street: str
    number: str
    neighborhood: str
    city: str
    state: str
    complement: str
    country: str


class ChargeCustomer(TypedDict, total=False):
    """As it was sent, the tax id as an object."""

    name: Annotated[str, Field(examples=["Ana Souza"])]
    taxID: TaxID
    email: Annotated[str, Field(examples=["ana@exemplo.com"])]
    phone: Annotated[str, Field(examples=["+5511999991234"])]
    correlationID: str
    address: CustomerAddress


class Payer(TypedDict, total=False):
    """Who paid, as far as the bank tells."""

    name: Annotated[str, Field(examples=["Bia Lima"])]
    taxID: TaxID


class Info(TypedDict):
    key: Annotated[str, Field(examples=["Pedido"])]
    value: Annotated[str, Field(examples=["12"])]


class PixMethod(TypedDict):
    method: Literal["PIX_COB"]
    txId: TxId
    value: Cents
    fee: Cents
    status: Literal["ACTIVE", "COMPLETED", "EXPIRED"]
    brCode: BrCode
    transactionID: TxId
    identifier: TxId
    qrCodeImage: str
    additionalInfo: list[Info]


class PaymentMethods(TypedDict):
    pix: PixMethod


class ChargePart(TypedDict):
    """Basis points of the value (PERCENTAGE), or centavos."""

    value: Annotated[int, Field(examples=[100])]
    type: Literal["FIXED", "PERCENTAGE"]


class DatedDiscount(TypedDict):
    daysActive: Annotated[int, Field(description="Days from the charge's creation.", examples=[5])]
    value: Annotated[int, Field(examples=[100])]
    data: Annotated[str, Field(description="The last day, as the bank has it.", examples=["2026-03-02"])]


class ChargeDiscount(TypedDict):
    modality: str
    value: NotRequired[int]
    discountFixedDate: NotRequired[list[DatedDiscount]]


class SplitPart(TypedDict):
    """A part of the charge that goes to somebody else when it is paid."""

    value: Cents
    pixKey: Annotated[str, Field(examples=["parceiro@exemplo.com"])]
    splitType: Literal["SPLIT_SUB_ACCOUNT", "SPLIT_INTERNAL_TRANSFER", "SPLIT_PARTNER"]


class ChargeSubaccount(TypedDict):
    """The sub-account that gets all of the charge but the fee."""

    name: str
    pixKey: str


class Charge(TypedDict):
    """A request for one payment."""

    value: Cents
    fee: Annotated[int, Field(description="Centavos that the platform keeps of the value.", examples=[50])]
    status: Literal["ACTIVE", "COMPLETED", "EXPIRED"]
    brCode: BrCode
    transactionID: TxId
    identifier: TxId
    qrCodeImage: Annotated[str, Field(description="Address of the QR code as a PNG; `?size=` from 600 to 4096.")]
    additionalInfo: list[Info]
    type: Literal["DYNAMIC", "OVERDUE"]
    comment: str
    correlationID: Text
    paymentLinkID: str
    paymentLinkUrl: Annotated[str, Field(description="The shopper's page of the charge.")]
    globalID: str
    pixKey: Annotated[str, Field(examples=["loja@exemplo.com"])]
    createdAt: Time
    updatedAt: Time
    expiresIn: Annotated[int, Field(description="Seconds.", examples=[3600])]
    expiresDate: Time
    discount: int
    valueWithDiscount: Cents
    ensureSameTaxID: bool
    paymentMethods: PaymentMethods
    customer: NotRequired[ChargeCustomer]
    dueDate: NotRequired[
        Annotated[str, Field(description="The day, at noon in UTC.", examples=["2026-03-02T12:00:00.000Z"])]
    ]
    daysAfterDueDate: NotRequired[Annotated[int, Field(description="Days for which it may still be paid.")]]
    interestsValue: NotRequired[Annotated[int, Field(description="Centavos today, or when it was paid.", examples=[0])]]
    finesValue: NotRequired[Annotated[int, Field(description="Centavos today, or when it was paid.", examples=[0])]]
    valueToPay: NotRequired[Annotated[int, Field(description="Centavos today, or that were paid.", examples=[1990])]]
    interestsSettings: NotRequired[ChargePart]
    finesSettings: NotRequired[ChargePart]
    discountSettings: NotRequired[ChargeDiscount]
    refunded: NotRequired[
        Annotated[
            int, Field(description="Centavos returned or on their way back. Not in Woovi's contract.", examples=[100])
        ]
    ]
    splits: NotRequired[list[SplitPart]]
    subaccount: NotRequired[ChargeSubaccount]
    paidAt: NotRequired[Time]
    payer: NotRequired[Payer]


class ChargeCreated(TypedDict):
    charge: Charge
    correlationID: Text
    brCode: BrCode


class OneCharge(TypedDict):
    charge: Charge


class ChargeChanged(TypedDict):
    """`id` is as it was sent."""

    status: Literal["OK"]
    id: Text
    expiresDate: Time
    charge: Charge


class Charges(TypedDict):
    charges: list[Charge]
    pageInfo: PageInfo


class KnownCustomer(ChargeCustomer):
    """Whom a merchant charges."""


class OneCustomer(TypedDict):
    customer: KnownCustomer


class Customers(TypedDict):
    customers: list[KnownCustomer]
    pageInfo: PageInfo


class Refund(TypedDict):
    """Money back to the payer of a charge."""

    value: Cents
    status: Literal["IN_PROCESSING", "CONFIRMED", "REJECTED"]
    correlationID: Text
    time: Time
    comment: str
    endToEndId: NotRequired[EndToEnd]


class OneRefund(TypedDict):
    refund: Refund


class Refunds(TypedDict):
    refunds: list[Refund]
    pageInfo: PageInfo
