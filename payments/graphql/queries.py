"""What can be asked for: each field reads through the company of the context."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import strawberry

from payments import limits, models
from payments.graphql import transactions as pages
from payments.graphql.accounts import Balance, Company
from payments.graphql.batches import Batch
from payments.graphql.charges import Charge, Refund
from payments.graphql.connections import PAGE, Connection, Node, listed, newest_first
from payments.graphql.context import Info
from payments.graphql.enums import ChargeState, Kind
from payments.graphql.payments import Payment
from payments.graphql.scalars import EventNumber
from payments.graphql.transactions import Transaction
from payments.selectors import balances, batches, payments, refunds, search, transactions
from payments.selectors import charges as select
from payments.selectors.ids import bare_id

After = str | None


@strawberry.type
class Query:
    """The roots of queries."""

    @strawberry.field(graphql_type=Company)
    def company(self, info: Info) -> Any:
        return info.context.company

    @strawberry.field(
        description="The number of the last event before anything here was read: subscribe to what comes after it."
    )
    def cursor(self, info: Info) -> EventNumber:
        return EventNumber(info.context.cursor)

    @strawberry.field(graphql_type=Balance)
    async def balance(self, info: Info) -> Any:
        return await info.context.run(balances.balance, info.context.company)

    @strawberry.field(graphql_type=Node | None, description="Whatever has this global id.")
    async def node(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        return await _looked_up(info, _of_any_kind, id)

    @strawberry.field(graphql_type=Charge | None, description="By global id, id, correlationID or txid.")
    async def charge(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        return await _looked_up(info, charge_of, id)

    @strawberry.field(graphql_type=Connection[Charge])
    async def charges(
        self,
        info: Info,
        first: int = PAGE,
        after: After = None,
        state: ChargeState | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        text: str | None = None,
    ) -> Any:
        def read() -> Any:
            mine = select.listing(info.context.company, start=start, end=end)
            found = select.with_returned(mine.prefetch_related(None))
            if state:
                found = search.in_state(found, state.value)
            if text:
                found = search.matching(found, text)
            return newest_first(found, first, after)

        return await listed(info, read)

    @strawberry.field(
        graphql_type=Refund | None, description="By global id, correlationID, end-to-end id or id at the bank."
    )
    async def refund(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        return await _looked_up(info, refunds.find, id)

    @strawberry.field(graphql_type=Connection[Refund])
    async def refunds(self, info: Info, first: int = PAGE, after: After = None) -> Any:
        return await listed(info, lambda: newest_first(refunds.listing(info.context.company), first, after))

    @strawberry.field(
        graphql_type=Transaction | None, description="By global id, id, end-to-end id, txid or id at the bank."
    )
    async def transaction(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        return await _looked_up(info, transactions.find, id)

    @strawberry.field(graphql_type=Connection[Transaction], description="`charge`: of a correlationID or txid alone.")
    async def transactions(
        self,
        info: Info,
        first: int = PAGE,
        after: After = None,
        type: Kind | None = None,  # noqa: A002
        charge: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Any:
        wanted = {"kind": type.value if type else "", "charge": charge or "", "start": start, "end": end}
        return await listed(info, lambda: pages.page(info.context.company, first, after, **wanted))

    @strawberry.field(graphql_type=Payment | None, description="By global id, id, correlationID or end-to-end id.")
    async def payment(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        return await _looked_up(info, payments.find, id)

    @strawberry.field(graphql_type=Connection[Payment])
    async def payments(
        self,
        info: Info,
        first: int = PAGE,
        after: After = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Any:
        def read() -> Any:
            return newest_first(payments.listing(info.context.company, start, end), first, after, by_id=True)

        return await listed(info, read)

    @strawberry.field(graphql_type=Batch | None, description="By global id or id.")
    async def batch(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002
        return await _looked_up(info, batches.find, id)

    @strawberry.field(graphql_type=Connection[Batch])
    async def batches(self, info: Info, first: int = PAGE, after: After = None) -> Any:
        found = batches.listing(info.context.company)
        return await listed(info, lambda: newest_first(found, first, after, by_id=True))


Find = Callable[[models.Company, str], Any]


async def _looked_up(info: Info, find: Find, identifier: str) -> Any:
    """What `find` finds. A look-up of nothing costs the company more (`limits.lookup`)."""
    asking = info.context

    def read() -> Any:
        with limits.lookup(asking.request, str(asking.company.pk)) as looked_up:
            found = find(asking.company, identifier)
            if found is not None:
                looked_up.settle(1)
            return found

    return await asking.run(read)


def charge_of(company: models.Company, identifier: str) -> models.Charge | None:
    """A charge, with what its state needs."""
    found = select.find(company, identifier)
    if found is not None:
        found.returned = select.returned(found) if found.refunded else 0  # type: ignore[attr-defined]
    return found


def _of_any_kind(company: models.Company, identifier: str) -> Any:
    """By global id alone."""
    for kind, find in NODES.items():
        public_id = bare_id(kind, identifier)
        if public_id != identifier:
            found = find(company, identifier)
            return found if found is not None and found.public_id == public_id else None
    return None


NODES: dict[str, Find] = {
    "Company": lambda company, identifier: company,
    "Charge": charge_of,
    "Refund": refunds.find,
    "PixTransaction": transactions.find,
    "Payment": payments.find,
    "Batch": batches.find,
}
