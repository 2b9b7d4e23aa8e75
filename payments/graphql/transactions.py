"""Transactions: received Pix and refunds in one list, as the statement of an account has them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from payments import models
from payments.graphql.charges import Charge, Payer, payer
from payments.graphql.connections import Node, Slice, checked, id_field, position
from payments.graphql.context import Info
from payments.graphql.enums import Kind
from payments.graphql.scalars import Centavos
from payments.selectors import transactions as select

Row = strawberry.Parent[models.ReceivedPix | models.Refund]


@strawberry.type(name="PixTransaction", description="A received Pix, or the refund of one.")
class Transaction(Node):
    """Source: models.ReceivedPix or models.Refund."""

    id: strawberry.ID = id_field("PixTransaction")
    value: Centavos
    created_at: datetime

    @classmethod
    def is_type_of(cls, row: object, info: object) -> bool:
        return isinstance(row, models.ReceivedPix | models.Refund)

    @strawberry.field(name="type")
    def kind(self, root: Row) -> Kind:
        return Kind.PAYMENT if isinstance(root, models.ReceivedPix) else Kind.REFUND

    @strawberry.field(description="When it was paid; of a refund, when it ended, or began while it is under way.")
    def time(self, root: Row) -> datetime:
        return root.paid_at if isinstance(root, models.ReceivedPix) else root.resolved_at or root.created_at

    @strawberry.field(description="A refund's is the bank's own, once it has one.")
    def end_to_end_id(self, root: Row) -> str:
        return root.end_to_end_id

    @strawberry.field(name="transactionID", description="The charge's txid, or the refund's id at the bank.")
    def transaction_id(self, root: Row) -> str:
        return root.txid if isinstance(root, models.ReceivedPix) else root.return_id

    @strawberry.field(description="CONFIRMED for a received Pix, else the refund's status.")
    def status(self, root: Row) -> str:
        return "CONFIRMED" if isinstance(root, models.ReceivedPix) else root.status

    @strawberry.field
    def payer(self, root: Row) -> Payer | None:
        return payer(root) if isinstance(root, models.ReceivedPix) else None

    @strawberry.field(graphql_type=Charge | None)
    async def charge(self, root: Row, info: Info) -> Any:
        return await info.context.load.charge.load(root.charge_id) if root.charge_id else None


def page(company: models.Company, first: int, after: str | None, **wanted: Any) -> Slice:
    """A page of the company's transactions. `wanted`: filters of `selectors.transactions.keys`."""
    checked(first)
    place = position(after)
    keys = list(select.keys(company, after=place, **wanted)[: first + 1])
    places = [(at, pk, what) for what, pk, at in keys[:first]]
    count = select.keys(company, **wanted).count
    return Slice(select.load(company, keys[:first]), places, len(keys) > first, place is not None, count)
