"""A company and its accounts."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from payments.api.answers.parts import COMMON, Cents, Error, PageInfo, Time


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


class AccountClosed(TypedDict):
    status: Literal["OK"]
    accountId: Annotated[str, Field(examples=["603e749a425602bbbf4e7bed"])]


class AccountLimits(TypedDict):
    """Centavos. A limit that the company does not have is left out."""

    pixPaymentLimit: NotRequired[Annotated[int, Field(description="Of one payment. Not in Woovi's contract.")]]
    pixDayLimit: NotRequired[Annotated[int, Field(examples=[4_000_000])]]
    pixNightLimit: NotRequired[Annotated[int, Field(examples=[100_000])]]
    pixOutSameHolderDayLimit: NotRequired[int]
    pixOutDifferentHolderDayLimit: NotRequired[int]
    pixOutSameHolderNightLimit: NotRequired[int]
    pixOutDifferentHolderNightLimit: NotRequired[int]
    dayStartAt: Annotated[str, Field(description="In Brazil's time.", examples=["06:00"])]
    nightStartAt: Annotated[str, Field(examples=["20:00"])]


class Limits(TypedDict):
    limits: AccountLimits


LIMITS = {**COMMON, HTTPStatus.NOT_FOUND: Error}


class TransferTransaction(TypedDict):
    value: Cents
    time: Time
    correlationID: Annotated[str, Field(examples=["repasse-1"])]


class Transferred(TypedDict):
    transaction: TransferTransaction


class WithdrawTransaction(TypedDict):
    endToEndId: Annotated[str, Field(examples=["E54811417202603021731a1B2c3D4e5F"])]
    value: Cents


class Withdrawal(TypedDict):
    account: Account
    transaction: WithdrawTransaction


class AccountWithdrawn(TypedDict):
    withdraw: Withdrawal
