"""Sub-accounts, their movements and statement."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from payments.api.answers.parts import Cents, PageInfo, Time


class SubAccount(TypedDict):
    """Money set aside inside the company's account, named by a Pix key."""

    name: Annotated[str, Field(examples=["Ana"])]
    pixKey: Annotated[str, Field(examples=["ana@exemplo.com"])]
    balance: Annotated[int, Field(description="Centavos that may be moved or withdrawn.", examples=[1990])]
    withdrawBlocked: Annotated[bool, Field(description="Nobody has the key, or its account is suspected of fraud.")]


class OneSubAccount(TypedDict):
    SubAccount: SubAccount


class SubAccounts(TypedDict):
    """The same list under both of the names that Woovi's description has."""

    subAccounts: list[SubAccount]
    subaccounts: list[SubAccount]
    pageInfo: PageInfo


class SubAccountDeleted(TypedDict):
    status: Literal["OK"]
    pixKey: Annotated[str, Field(examples=["ana@exemplo.com"])]


class SubAccountMoved(TypedDict):
    pixKey: Annotated[str, Field(examples=["ana@exemplo.com"])]
    value: Cents
    description: str
    success: Annotated[str, Field(examples=["Sub-account withdrawal has been successfully credited, 1990"])]


class SubAccountTransfer(TypedDict):
    value: Cents
    originSubaccount: SubAccount
    destinationSubaccount: SubAccount


class SubAccountWithdrawal(TypedDict):
    """A withdrawal as it was asked for."""

    status: Literal["CREATED"]
    value: Cents
    endToEndId: Annotated[str, Field(examples=["E54811417202603021731a1B2c3D4e5F"])]
    correlationID: str
    destinationAlias: Annotated[str, Field(examples=["ana@exemplo.com"])]
    comment: str


class WithdrawalInside(TypedDict):
    account: SubAccountWithdrawal


class SubAccountWithdrawn(TypedDict):
    """The same withdrawal in both of the places that Woovi's description has."""

    transaction: SubAccountWithdrawal
    withdraw: WithdrawalInside


class SubAccountLine(TypedDict):
    """A movement of the sub-account."""

    id: str
    time: Time
    description: Annotated[str, Field(examples=["Monthly deposit"])]
    balance: Annotated[int, Field(description="Centavos, after this movement.", examples=[1990])]
    value: Cents
    type: Literal["CREDIT", "DEBIT"]
    operationType: Literal["CREDIT", "DEBIT", "TRANSFER_CREDIT", "TRANSFER_DEBIT", "WITHDRAWAL"]
