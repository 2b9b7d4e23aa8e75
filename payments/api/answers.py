"""The API's answers, as the documentation describes them.

TypedDicts, not models: a field that may be absent on the wire is NotRequired, never null.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

Cents = Annotated[int, Field(description="Centavos.", examples=[1990])]
Time = Annotated[str, Field(description="UTC, to the millisecond.", examples=["2026-03-02T17:28:51.000Z"])]
Text = Annotated[str, Field(examples=["pedido-1"])]
TxId = Annotated[str, Field(description="The Pix txid, 32 hex digits.", examples=["867ba5173c734202ac659721306b38c9"])]
EndToEnd = Annotated[
    str, Field(description="The network's id of the return.", examples=["D54811417202603021731a1B2c3D4e5F"])
]
BrCode = Annotated[
    str,
    Field(
        description="The text behind the QR code, to be pasted at any bank.",
        examples=["00020101021226…52040000530398654…6304ABCD"],
    ),
]


class Error(TypedDict):
    """What is wrong, in words that begin with the field's name where one is at fault."""

    error: Annotated[str, Field(examples=["value: must be a whole number"])]


class TooManyRequests(Error):
    """`Retry-After` says after how many seconds to try again."""

    errorCode: NotRequired[Literal["TOO_MANY_REQUESTS"]]


class Message(TypedDict):
    message: Annotated[str, Field(examples=["appID inválido"])]


class Unauthorized(TypedDict):
    """The AppID in `Authorization` is missing or wrong."""

    data: None
    errors: list[Message]


class PageInfo(TypedDict):
    """Where this page is in the whole list."""

    skip: int
    limit: int
    totalCount: int
    hasPreviousPage: bool
    hasNextPage: bool
    errors: list[Error]


class TaxID(TypedDict):
    taxID: Annotated[str, Field(description="Digits (a CNPJ may have letters).", examples=["52998224725"])]
    type: Literal["BR:CPF", "BR:CNPJ"]


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
    type: Literal["DYNAMIC"]
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
    refunded: NotRequired[
        Annotated[
            int, Field(description="Centavos returned or on their way back. Not in Woovi's contract.", examples=[100])
        ]
    ]
    paidAt: NotRequired[Time]
    payer: NotRequired[Payer]


class ChargeCreated(TypedDict):
    charge: Charge
    correlationID: Text
    brCode: BrCode


class OneCharge(TypedDict):
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


class Transaction(TypedDict):
    """A received Pix (PAYMENT) or the refund of one (REFUND)."""

    value: Cents
    time: Time
    endToEndId: str
    transactionID: Annotated[str, Field(description="The Pix txid, or the refund's id at the bank.")]
    infoPagador: str
    status: Literal["CONFIRMED", "IN_PROCESSING", "REJECTED", "PARTIAL_REFUND", "REFUNDED"]
    type: Literal["PAYMENT", "REFUND"]
    createdAt: Time
    globalID: str
    creditParty: NotRequired[Party]
    debitParty: NotRequired[Party]
    payer: NotRequired[Payer]
    customer: NotRequired[ChargeCustomer]
    charge: NotRequired[Charge]


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


class Company(TypedDict):
    officialName: Annotated[str, Field(examples=["Loja Exemplo Ltda"])]
    tradeName: Annotated[str, Field(examples=["Loja Exemplo"])]
    taxID: Annotated[str, Field(examples=["11222333000181"])]
    correlationID: str


class OneCompany(TypedDict):
    company: Company


class Balance(TypedDict):
    """Centavos."""

    total: Cents
    blocked: Annotated[int, Field(description="Held for what is under way.", examples=[0])]
    available: Cents
    blockedBySecurity: int
    blockedByWithdrawSafety: int


class Account(TypedDict):
    accountId: Annotated[str, Field(examples=["603e749a425602bbbf4e7bed"])]
    isDefault: bool
    balance: Balance
    taxId: str
    officialName: str
    tradeName: str
    branch: str
    account: str
    accountName: str


class OneAccount(TypedDict):
    account: Account


class Accounts(TypedDict):
    accounts: list[Account]
    pageInfo: PageInfo


class Tokens(TypedDict):
    """The bucket of look-ups of the company's tax id."""

    tokens: Annotated[int, Field(examples=[480])]
    maxTokens: Annotated[int, Field(examples=[500])]
    nextRefresh: Time
    tokensAfterRefresh: int
    refreshRate: Annotated[int, Field(description="Tokens that come back in a minute.", examples=[20])]


class TokenMovement(TypedDict):
    operation: Literal["ADD", "REMOVE", "REFILL"]
    reason: Annotated[str, Field(examples=["DICT_LOOKUP"])]
    tokens: int
    tokensBefore: int
    tokensAfter: int
    createdAt: Time
    endToEndId: NotRequired[str]
    pixKey: NotRequired[str]


class TokenMovements(TypedDict):
    logs: list[TokenMovement]
    pageInfo: PageInfo


class KeyOwner(TypedDict):
    """Who has the key. A CPF and the account are masked."""

    name: Annotated[str, Field(examples=["Ana Souza"])]
    taxID: Annotated[str, Field(examples=["111.***.***-35"])]
    psp: Annotated[str, Field(description="ISPB of the account's bank.", examples=["18236120"])]
    branch: Annotated[str, Field(examples=["****"])]
    account: Annotated[str, Field(examples=["**********"])]


class KeyCheck(TypedDict):
    """Who has a Pix key."""

    pixKey: Annotated[str, Field(description="As the DICT writes it.", examples=["ana@exemplo.com"])]
    type: Literal["CPF", "CNPJ", "EMAIL", "PHONE", "EVP"]
    pixKeyEndToEndId: Annotated[
        str, Field(description="For a payment to the key.", examples=["E54811417202603021731a1B2c3D4e5F"])
    ]
    owner: KeyOwner


class KeyRefusal(Error):
    """Why there is no answer about the key."""

    errorCode: NotRequired[Annotated[str, Field(examples=["PIX_KEY_INFO_NOT_FOUND"])]]


class Psp(TypedDict):
    """A participant of Pix."""

    name: Annotated[str, Field(examples=["BCO DO BRASIL S.A."])]
    ispb: Annotated[str, Field(examples=["00000000"])]
    code: Annotated[str, Field(description="The ISPB again.", examples=["00000000"])]
    compe: Annotated[str | None, Field(description="Null where it has none.", examples=["001"])]


class Psps(TypedDict):
    success: Literal[True]
    psps: list[Psp]


class Webhook(TypedDict):
    """A URL that wants one kind of event."""

    id: Annotated[str, Field(examples=["603e749a425602bbbf4e7bed"])]
    name: Annotated[str, Field(examples=["Loja"])]
    event: Annotated[str, Field(examples=["OPENPIX:CHARGE_COMPLETED"])]
    url: Annotated[str, Field(examples=["https://loja.example/webhook"])]
    authorization: str
    isActive: bool
    createdAt: Time
    updatedAt: Time


class NewWebhook(Webhook):
    hmacSecretKey: Annotated[str, Field(description="Key of `X-OpenPix-Signature`. Told in this answer alone.")]


class WebhookCreated(TypedDict):
    webhook: NewWebhook


class OneWebhook(TypedDict):
    webhook: Webhook


class Webhooks(TypedDict):
    webhooks: list[Webhook]
    pageInfo: PageInfo


class WebhookEvent(TypedDict):
    name: Annotated[str, Field(examples=["OPENPIX:CHARGE_COMPLETED"])]


class WebhookEvents(TypedDict):
    events: list[WebhookEvent]


class WebhookIps(TypedDict):
    ips: Annotated[list[str], Field(examples=[["203.0.113.7"]])]


class PublicKey(TypedDict):
    key_identifier: Annotated[str, Field(description="SHA-256 of the key's DER, in hex.")]
    key: Annotated[str, Field(description="PEM.")]
    is_current: bool


class PublicKeys(TypedDict):
    public_keys: list[PublicKey]


class Deleted(TypedDict):
    status: Literal["OK"]


OPEN: dict[int, Any] = {HTTPStatus.TOO_MANY_REQUESTS: TooManyRequests, HTTPStatus.SERVICE_UNAVAILABLE: Error}
COMMON = {HTTPStatus.BAD_REQUEST: Error, HTTPStatus.UNAUTHORIZED: Unauthorized, **OPEN}
WITH_BODY = {**COMMON, HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Error, HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Error}
KEY = {**COMMON, HTTPStatus.BAD_REQUEST: KeyRefusal, HTTPStatus.NOT_FOUND: KeyRefusal}
KEY_WITH_BODY = {**WITH_BODY, HTTPStatus.NOT_FOUND: Error}


def of(answer: Any, errors: dict[int, Any] = COMMON) -> dict[int, Any]:
    """An operation's answers: `answer` for 200, and the errors that it may give."""
    return {HTTPStatus.OK: answer, **errors}
