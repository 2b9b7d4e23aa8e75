"""Lists in pages of `skip` and `limit`, with the contract's `pageInfo`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Protocol, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from pydantic import Field

from payments import limits
from payments.api.auth import company
from payments.api.fields import Filters, Text255
from payments.models import Account
from payments.services.errors import Invalid

MAX_LIMIT = 100
MAX_SKIP = 100_000  # rows. Woovi has a maximum and does not publish it; to go further back, use `start` and `end`

Row = TypeVar("Row", bound=Model)
Row_co = TypeVar("Row_co", covariant=True)


class OfAccount(Filters):
    """A query about one account, which is the company's default one: it has no other."""

    companyBankAccount: Annotated[Text255 | None, Field(description="The account's id: your default one's.")] = None


def check_account(request: HttpRequest, given: OfAccount) -> None:
    """Raise Invalid where another account than the company's default one is asked for."""
    default = Account.objects.filter(company=company(request), kind=Account.Kind.MERCHANT, is_default=True)
    wanted = given.companyBankAccount
    if wanted and not default.filter(public_id=wanted).exists():
        raise Invalid("companyBankAccount is no account of the company", "companyBankAccount")


class Page(Filters):
    """The query of a list."""

    skip: Annotated[int, Field(ge=0, le=MAX_SKIP, description="How many rows to pass over.")] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many rows to give at most.")] = MAX_LIMIT


class Listed(Protocol[Row_co]):
    """What can be counted and cut, as a QuerySet."""

    def count(self) -> int: ...

    def __getitem__(self, part: slice) -> Iterable[Row_co]: ...


def paginate(request: HttpRequest, rows: QuerySet[Row] | Listed[Row], page: Page) -> tuple[list[Row], dict[str, Any]]:
    """The page's rows, and its `pageInfo`. Each row counts against the company's limit `api.rows`.

    Raises:
        RateLimited: the company has read too many rows.
    """
    with limits.rows(request, str(company(request).pk), page.limit) as charged:
        total = rows.count()
        found = list(rows[page.skip : page.skip + page.limit])
        charged.settle(len(found))
    return found, {
        "skip": page.skip,
        "limit": page.limit,
        "totalCount": total,
        "hasPreviousPage": page.skip > 0,
        "hasNextPage": page.skip + page.limit < total,
        "errors": [],
    }
