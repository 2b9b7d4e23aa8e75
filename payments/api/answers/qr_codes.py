"""Static QR codes, and codes that were read."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from payments.api.answers.parts import BrCode, Cents, PageInfo, Text, Time


class QrCode(TypedDict):
    """A code that may be paid any number of times. Without `value` the payer chooses it."""

    name: Annotated[str, Field(examples=["Balcão"])]
    comment: str
    identifier: Annotated[str, Field(examples=["zr7833b4060c488a9b0f89811"])]
    correlationID: Text
    globalID: str
    pixKey: Annotated[str, Field(examples=["loja@exemplo.com"])]
    brCode: BrCode
    paymentLinkID: str
    paymentLinkUrl: str
    qrCodeImage: Annotated[str, Field(description="Address of the QR code as a PNG; `?size=` from 600 to 4096.")]
    createdAt: Time
    updatedAt: Time
    value: NotRequired[Cents]


class QrCodeCreated(TypedDict):
    pixQrCode: QrCode
    correlationID: Text
    brCode: BrCode


class OneQrCode(TypedDict):
    pixQrCode: QrCode


class QrCodes(TypedDict):
    pixQrCodes: list[QrCode]
    pageInfo: PageInfo


class Location(TypedDict):
    """What the address in a code answered. Its signature is not checked."""

    isValid: bool
    locationErrors: list[str]
    payload: dict[str, Any]
    url: str


class DecodedCode(TypedDict):
    """A code's fields by their names in EMV, and what its addresses answered."""

    emv: dict[str, Any]
    cobLocation: Location | None
    recLocation: Location | None
