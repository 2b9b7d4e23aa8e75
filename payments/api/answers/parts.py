"""What many answers have: values, times, errors, pages."""

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
    """The AppID in `Authorization` is missing or wrong, or may not be used from this address."""

    data: None
    errors: list[Message]


class PageOf(TypedDict):
    skip: int
    limit: int


class PageError(TypedDict):
    """Never sent: a wrong page is refused."""

    message: str
    data: PageOf


class PageInfo(TypedDict):
    """Where this page is in the whole list."""

    skip: int
    limit: int
    totalCount: int
    hasPreviousPage: bool
    hasNextPage: bool
    errors: list[PageError]


class TaxID(TypedDict):
    taxID: Annotated[str, Field(description="Digits (a CNPJ may have letters).", examples=["52998224725"])]
    type: Literal["BR:CPF", "BR:CNPJ"]


class Removed(TypedDict):
    """`id` is as it was sent."""

    status: Literal["OK"]
    id: Text


OPEN: dict[int, Any] = {HTTPStatus.TOO_MANY_REQUESTS: TooManyRequests, HTTPStatus.SERVICE_UNAVAILABLE: Error}
COMMON = {
    HTTPStatus.BAD_REQUEST: Error,
    HTTPStatus.UNAUTHORIZED: Unauthorized,
    HTTPStatus.FORBIDDEN: Error,
    **OPEN,
}
WITH_BODY = {**COMMON, HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Error, HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Error}


def of(answer: Any, errors: dict[int, Any] = COMMON) -> dict[int, Any]:
    """An operation's answers: `answer` for 200, and the errors that it may give."""
    return {HTTPStatus.OK: answer, **errors}
