"""Lists by `skip` and `limit`, with the contract's `pageInfo`."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from pydantic import Field

from payments import limits
from payments.api.auth import company
from payments.api.fields import Filters

MAX_LIMIT = 100
MAX_SKIP = 100_000  # the contract has a maximum and does not publish it; further back, narrow by `start` and `end`

Row = TypeVar("Row", bound=Model)


class Page(Filters):
    skip: Annotated[int, Field(ge=0, le=MAX_SKIP, description="How many rows to pass over.")] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many rows to give at most.")] = MAX_LIMIT


def cut(request: HttpRequest, rows: QuerySet[Row], page: Page) -> tuple[list[Row], dict[str, Any]]:
    """The page's rows, and its `pageInfo`. The company is charged by row."""
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
