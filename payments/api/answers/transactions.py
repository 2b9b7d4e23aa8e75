"""Transactions, refunds by their Pix, and the statement."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from payments.api.answers.charges import Charge, ChargeCustomer, Payer
from payments.api.answers.parts import Cents, EndToEnd, PageInfo, Text, Time
from payments.api.answers.qr_codes import QrCode


class PixRefund(TypedDict):
    """Money back to the payer of a Pix."""

    value: Cents
    status: Literal["IN_PROCESSING", "REFUNDED", "NOT_ACCOMPLISHED"]
    correlationID: Text
    refundId: Annotated[str, Field(description="Its id at the bank.")]
    time: Time
    comment: str
    returnIdentification: NotRequired[EndToEnd]


class OnePixRefund(TypedDict):
    refund: PixRefund


class FoundPixRefund(TypedDict):
    pixTransactionRefund: PixRefund


class PixRefunds(TypedDict):
    refunds: list[PixRefund]
    pageInfo: PageInfo


class Party(TypedDict, total=False):
    """One end of a transaction."""

    pixKey: dict[str, str]
    holder: Payer


class SentPix(TypedDict):
    """The Pix that was sent."""

    value: Cents
    time: Time
    endToEndId: str
    transactionID: str
    infoPagador: str
    type: Literal["WITHDRAW"]


class Transaction(TypedDict):
    """A Pix received (PAYMENT), returned (REFUND) or sent (WITHDRAW), an INTERNAL_TRANSFER, a FEE, or a block of balance."""

    value: Cents
    time: Time
    endToEndId: str
    transactionID: Annotated[str, Field(description="The Pix txid, the refund's id at the bank, or a correlationID.")]
    infoPagador: str
    status: Literal["CONFIRMED", "IN_PROCESSING", "REJECTED", "PARTIAL_REFUND", "REFUNDED"]
    type: Literal["PAYMENT", "REFUND", "WITHDRAW", "INTERNAL_TRANSFER", "FEE", "BALANCE_BLOCK", "BALANCE_UNBLOCK"]
    createdAt: Time
    globalID: str
    creditParty: NotRequired[Party]
    debitParty: NotRequired[Party]
    payer: NotRequired[Payer]
    customer: NotRequired[ChargeCustomer]
    charge: NotRequired[Charge]
    pixQrCode: NotRequired[QrCode]
    withdraw: NotRequired[SentPix]
    providerErrorCode: NotRequired[Annotated[str, Field(description="The network's code, where a Pix sent failed.")]]
    providerRejectedReason: NotRequired[str]


class OneTransaction(TypedDict):
    transaction: Transaction


class Transactions(TypedDict):
    status: Literal["OK"]
    transactions: list[Transaction]
    pageInfo: PageInfo


class StatementLine(TypedDict):
    """A movement of the account."""

    id: str
    time: Time
    description: Annotated[str, Field(examples=["Pix received"])]
    balance: Annotated[int, Field(description="Centavos, after this movement.", examples=[1940])]
    value: Cents
    type: Literal["CREDIT", "DEBIT"]
    transactionId: Annotated[str, Field(description="An end-to-end id, or a refund's id at the bank.")]
