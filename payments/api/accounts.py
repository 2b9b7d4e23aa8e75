"""GET /company, /account, /account/{id}, /limits/{id}; POST /account, /account/{id}/withdraw; DELETE /account/{id}."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import P, PathEx, Query, Router
from pydantic import ConfigDict, Field

from payments import contract
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import Body, Cents, Once, Text255
from payments.api.middleware import error
from payments.api.pages import Page, paginate
from payments.models import Account
from payments.selectors import balances
from payments.services import accounts, withdrawals
from payments.services.errors import Invalid, NotFound

router = Router(tags=["account"])
Json = dict[str, Any]
PUBLIC_ID = r"[0-9a-f]{24}"
AccountId = PathEx[str, P(description="The account's id.")]


class AccountFilter(Page):
    """The query of the list of accounts."""

    email: Annotated[Text255 | None, Field(description="Of a person of the company.")] = None


class AccountWithdrawBody(Body):
    """A withdrawal to the company's CNPJ or CPF."""

    model_config = ConfigDict(json_schema_extra={"example": {"value": 7000}})

    value: Cents
    correlationID: Once = None


@router.get("/company", **needs("COMPANY_GET"), summary="Get your company", response=answers.of(answers.OneCompany))
def read_company(request: HttpRequest) -> Json:
    """The company that the AppID belongs to."""
    return {"company": contract.company(company(request))}


@router.get("/account", **needs("ACCOUNT_GET_LIST"), summary="List accounts", response=answers.of(answers.Accounts))
def listing(request: HttpRequest, filters: Query[AccountFilter]) -> Json:
    """The company's accounts with their balances in centavos."""
    owner = company(request)
    found = accounts.of(owner).order_by("id")
    if filters.email and not owner.users.filter(email__iexact=filters.email, is_active=True).exists():
        found = found.none()
    rows, info = paginate(request, found, filters)
    return {
        "accounts": [contract.account(row, owner, balances.of_account(row, owner)) for row in rows],
        "pageInfo": info,
    }


@router.post(
    "/account",
    **needs("ACCOUNT_POST", master=True),
    summary="Create another account",
    response=answers.of(answers.OneAccount),
)
def open_another(request: HttpRequest) -> Json:
    """Open an empty account beside the default one, to which all is paid. Needs an AppID of type MASTER. A body is not read."""
    owner = company(request)
    made = accounts.open_another(owner)
    return {"account": contract.account(made, owner, balances.of_account(made, owner))}


@router.delete(
    "/account/{account_id}",
    **needs("ACCOUNT_DELETE"),
    summary="Delete an account",
    response=answers.of(answers.AccountClosed, answers.LIMITS),
)
def close(request: HttpRequest, account_id: AccountId) -> Json | HttpResponse:
    """Close an account that is empty, and not the default one."""
    if not re.fullmatch(PUBLIC_ID, account_id):
        return error(HTTPStatus.BAD_REQUEST, "Account ID is invalid")
    try:
        accounts.close(company(request), account_id)
    except NotFound as refusal:
        return error(HTTPStatus.NOT_FOUND, refusal.message)
    return {"status": "OK", "accountId": account_id}


@router.get(
    "/account/{account_id}", **needs("ACCOUNT_GET"), summary="Get an account", response=answers.of(answers.OneAccount)
)
def read(request: HttpRequest, account_id: AccountId) -> Json:
    """One account with its balance in centavos."""
    owner, found = company(request), _find(request, account_id)
    return {"account": contract.account(found, owner, balances.of_account(found, owner))}


@router.post(
    "/account/{account_id}/withdraw",
    **needs("ACCOUNT_WITHDRAW_POST"),
    summary="Withdraw from an account",
    response=answers.of(answers.AccountWithdrawn, answers.WITH_BODY),
)
def withdraw(request: HttpRequest, account_id: AccountId, body: AccountWithdrawBody) -> Json:
    """Send money to the company's CNPJ or CPF as a Pix key."""
    owner, account = company(request), _find(request, account_id)
    if not account.is_default:
        raise Invalid("accountId: only the default account can be withdrawn from", "accountId")
    made = withdrawals.withdraw(owner, body.value, body.correlationID or "")
    shown = contract.account(account, owner, balances.of_account(account, owner))
    return {"withdraw": {"account": shown, "transaction": {"endToEndId": made.end_to_end_id, "value": made.value}}}


@router.post(
    "/account/{account_id}",
    **needs("ACCOUNT_WITHDRAW_POST"),
    summary="Withdraw from an account, where Woovi's SDK for Node calls it",
    response=answers.of(answers.AccountWithdrawn, answers.WITH_BODY),
)
def withdraw_as_sdk(request: HttpRequest, account_id: AccountId, body: AccountWithdrawBody) -> Json:
    """The same."""
    return withdraw(request, account_id, body)


def _find(request: HttpRequest, account_id: str) -> Account:
    """The company's account with this id. Raises NotFound."""
    found = accounts.of(company(request)).filter(public_id=account_id).first()
    if found is None:
        raise NotFound("Account not found")
    return found


@router.get(
    "/limits/{account_id}",
    **needs("ACCOUNT_LIMITS_GET"),
    summary="Get an account's limits",
    response=answers.of(answers.Limits, answers.LIMITS),
)
def limits(request: HttpRequest, account_id: PathEx[str, P(description="The account's id.")]) -> Json | HttpResponse:
    """How much the company may send by day and by night, in centavos. A limit that it does not have is left out."""
    owner = company(request)
    if not re.fullmatch(PUBLIC_ID, account_id):
        return error(HTTPStatus.BAD_REQUEST, "Account ID is invalid")
    if not accounts.of(owner).filter(public_id=account_id).exists():
        return error(HTTPStatus.NOT_FOUND, "Account not found")
    found = contract.limits(owner)
    if not found:
        return error(HTTPStatus.NOT_FOUND, "No limits configured for this account")
    return {"limits": found}
