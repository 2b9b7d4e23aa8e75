"""POST, GET /subaccount; GET, DELETE /subaccount/{id}; its credit, debit, withdraw and statement; POST /subaccount/transfer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import P, PathEx, Query, Router
from pydantic import ConfigDict, Field

from payments import contract, limits
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import CAPITALS, Body, Cents, Once, Text, Text140, Text255, decoded
from payments.api.pages import Page, paginate
from payments.api.transactions import Period
from payments.models import Account, Subaccount
from payments.selectors import subaccounts as listed
from payments.selectors import transactions as selectors
from payments.services import subaccounts
from payments.services.payments.creating import read_key

router = Router(tags=["subaccount"])
Json = dict[str, Any]
Key = PathEx[str, P(description="The sub-account's Pix key (URI-encoded).")]
KeyType = Annotated[Literal["CPF", "CNPJ", "EMAIL", "PHONE", "RANDOM"], CAPITALS]


class SubAccountBody(Body):
    """A sub-account to get or create."""

    model_config = ConfigDict(json_schema_extra={"example": {"pixKey": "ana@exemplo.com", "name": "Ana"}})

    pixKey: Text255
    name: Annotated[Text, Field(max_length=100)]


class MoveBody(Body):
    """A movement between the company's account and a sub-account."""

    model_config = ConfigDict(json_schema_extra={"example": {"value": 100, "description": "Monthly deposit"}})

    value: Cents
    description: Text140 | None = None
    correlationID: Once = None


class TransferBody(Body):
    """A movement between two sub-accounts."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "value": 65,
                "fromPixKey": "ana@exemplo.com",
                "fromPixKeyType": "EMAIL",
                "toPixKey": "c4249323-b4ca-43f2-8139-874baab09b93",
                "toPixKeyType": "RANDOM",
                "correlationID": "repasse-1",
            }
        }
    )

    value: Cents
    # Woovi's description demands the types. Its node for n8n and an SDK for Go leave them out: the key tells its own.
    fromPixKey: Text255
    fromPixKeyType: KeyType | None = None
    toPixKey: Text255
    toPixKeyType: KeyType | None = None
    correlationID: Once = None


class WithdrawBody(Body):
    """A withdrawal to the sub-account's key."""

    model_config = ConfigDict(json_schema_extra={"example": {"value": 1000}})

    value: Annotated[Cents | None, Field(description="Centavos; all there is, if absent.")] = None
    correlationID: Once = None


ALL = WithdrawBody()


@router.post(
    "/subaccount",
    **needs("SUBACCOUNT_POST"),
    summary="Create a sub-account",
    response=answers.of(answers.OneSubAccount, answers.WITH_BODY),
)
def create(request: HttpRequest, body: SubAccountBody) -> Json:
    """Get or create the sub-account of a Pix key. The DICT must know a new one, which costs tokens as any look-up."""
    return {"SubAccount": contract.subaccount(subaccounts.open_(company(request), body.pixKey, body.name))}


@router.get(
    "/subaccount",
    **needs("SUBACCOUNT_GET_LIST"),
    summary="List sub-accounts",
    response=answers.of(answers.SubAccounts),
)
def listing(request: HttpRequest, page: Query[Page]) -> Json:
    """The company's sub-accounts, newest first."""
    rows, info = paginate(request, listed.listing(company(request)), page)
    shown = [contract.subaccount(row) for row in rows]
    return {"subAccounts": shown, "subaccounts": shown, "pageInfo": info}


@router.post(
    "/subaccount/transfer",
    **needs("SUBACCOUNT_TRANSFER_POST"),
    summary="Move money between sub-accounts",
    response=answers.of(answers.SubAccountTransfer, answers.WITH_BODY),
)
def transfer(request: HttpRequest, body: TransferBody) -> Json:
    """Move money from one sub-account to another. The same correlationID and body have no further effect."""
    source = read_key(body.fromPixKey, body.fromPixKeyType or "", "fromPixKey").value
    target = read_key(body.toPixKey, body.toPixKeyType or "", "toPixKey").value
    moved = subaccounts.transfer(company(request), source, target, body.value, body.correlationID or "")
    origin, destination = map(contract.subaccount, moved)
    return {"value": body.value, "originSubaccount": origin, "destinationSubaccount": destination}


@router.get(
    "/subaccount/{pix_key}",
    **needs("SUBACCOUNT_GET"),
    summary="Get a sub-account",
    response=answers.of(answers.OneSubAccount),
)
def read(request: HttpRequest, pix_key: Key) -> Json:
    """A sub-account and its balance."""
    return {"SubAccount": contract.subaccount(_find(request, pix_key))}


@router.delete(
    "/subaccount/{pix_key}",
    **needs("SUBACCOUNT_DELETE"),
    summary="Delete a sub-account",
    response=answers.of(answers.SubAccountDeleted),
)
def delete(request: HttpRequest, pix_key: Key) -> Json:
    """Close a sub-account that has no money. Creating it again opens it with its statement."""
    return {"status": "OK", "pixKey": subaccounts.close(company(request), decoded(pix_key)).pix_key}


@router.post(
    "/subaccount/{pix_key}/credit",
    **needs("SUBACCOUNT_CREDIT_POST"),
    summary="Credit a sub-account",
    response=answers.of(answers.SubAccountMoved, answers.WITH_BODY),
)
def credit(request: HttpRequest, pix_key: Key, body: MoveBody) -> Json:
    """Set money of the company's account aside. Without a correlationID every request is a movement of its own."""
    return _moved(request, pix_key, body, subaccounts.credit, "credited")


@router.post(
    "/subaccount/{pix_key}/debit",
    **needs("SUBACCOUNT_DEBIT_POST"),
    summary="Debit a sub-account",
    response=answers.of(answers.SubAccountMoved, answers.WITH_BODY),
)
def debit(request: HttpRequest, pix_key: Key, body: MoveBody) -> Json:
    """Give money back to the company's account. Without a correlationID every request is a movement of its own."""
    return _moved(request, pix_key, body, subaccounts.debit, "debited")


@router.post(
    "/subaccount/{pix_key}/withdraw",
    **needs("SUBACCOUNT_WITHDRAW_POST"),
    summary="Withdraw from a sub-account",
    response=answers.of(answers.SubAccountWithdrawn, answers.WITH_BODY),
)
def withdraw(request: HttpRequest, pix_key: Key, body: WithdrawBody = ALL) -> Json:
    """Pay all or part of the sub-account's money to its Pix key. Without a body it is all."""
    made = subaccounts.withdraw(company(request), decoded(pix_key), body.value, body.correlationID or "")
    shown = contract.withdrawal(made)
    return {"transaction": shown, "withdraw": {"account": shown}}


@router.get(
    "/subaccount/{pix_key}/statement",
    **needs("SUBACCOUNT_STATEMENT_GET"),
    summary="List movements of a sub-account",
    response=answers.of(list[answers.SubAccountLine]),
)
def statement(request: HttpRequest, pix_key: Key, period: Query[Period]) -> list[Json]:
    """Movements with the balance after each, newest first, as a bare array."""
    account = Account.objects.filter(pk=_find(request, pix_key).account_id)
    with limits.rows(request, str(company(request).pk), period.limit) as charged:
        lines = selectors.statement_of(account, period.start, period.end, period.skip, period.limit)
        charged.settle(len(lines))
    return [contract.subaccount_line(line) for line in lines]


def _find(request: HttpRequest, pix_key: str) -> Subaccount:
    owner = company(request)
    with limits.lookup(request, str(owner.pk)) as looked_up:
        found = subaccounts.find(owner, decoded(pix_key))
        looked_up.settle(1)
    return found


def _moved(request: HttpRequest, pix_key: str, body: MoveBody, move: Any, done: str) -> Json:
    note = body.description or ""
    subaccount = move(company(request), decoded(pix_key), body.value, note, body.correlationID or "")
    return {
        "pixKey": subaccount.pix_key,
        "value": body.value,
        "description": note,
        "success": f"Sub-account withdrawal has been successfully {done}, {body.value}",
    }
