"""Look-ups of Pix keys and their tokens, and the participants of Pix."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from payments.api.answers.accounts import Account
from payments.api.answers.parts import COMMON, WITH_BODY, Error, PageInfo, Time


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


class OwnKey(TypedDict):
    key: Annotated[str, Field(examples=["loja@exemplo.com"])]
    type: Literal["CPF", "CNPJ", "EMAIL", "PHONE", "EVP"]
    isDefault: bool


class OwnKeys(TypedDict):
    pixKeys: list[OwnKey]
    account: Account


KEY = {**COMMON, HTTPStatus.BAD_REQUEST: KeyRefusal, HTTPStatus.NOT_FOUND: KeyRefusal}
KEY_WITH_BODY = {**WITH_BODY, HTTPStatus.NOT_FOUND: Error}
KEY_DELETED: dict[int, Any] = {HTTPStatus.NO_CONTENT: None, **COMMON, HTTPStatus.NOT_FOUND: Error}
