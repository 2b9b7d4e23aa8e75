"""GET /company, /account, /account/{id}."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import P, PathEx, Query, Router

from payments import contract
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.pages import Page, paginate
from payments.models import Account, Company
from payments.selectors import balances
from payments.services.errors import NotFound

router = Router(tags=["account"])
Json = dict[str, Any]


@router.get("/company", **needs("COMPANY_GET"), summary="Get your company", response=answers.of(answers.OneCompany))
def read_company(request: HttpRequest) -> Json:
    """The company that the AppID belongs to."""
    return {"company": contract.company(company(request))}


@router.get("/account", **needs("ACCOUNT_GET_LIST"), summary="List accounts", response=answers.of(answers.Accounts))
def listing(request: HttpRequest, page: Query[Page]) -> Json:
    """The company's accounts with their balances in centavos."""
    owner = company(request)
    rows, info = paginate(request, _merchants(owner).order_by("id"), page)
    return {
        "accounts": [contract.account(row, owner, balances.of_account(row, owner)) for row in rows],
        "pageInfo": info,
    }


@router.get(
    "/account/{account_id}", **needs("ACCOUNT_GET"), summary="Get an account", response=answers.of(answers.OneAccount)
)
def read(request: HttpRequest, account_id: PathEx[str, P(description="The account's id.")]) -> Json:
    """One account with its balance in centavos."""
    owner = company(request)
    found = _merchants(owner).filter(public_id=account_id).first()
    if found is None:
        raise NotFound("Account not found")
    return {"account": contract.account(found, owner, balances.of_account(found, owner))}


def _merchants(owner: Company) -> Any:
    """The merchant's own accounts: clearing, fees and suspense are the platform's books."""
    return Account.objects.filter(company=owner, kind=Account.Kind.MERCHANT)
