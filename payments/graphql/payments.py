"""Payments: Pix that the company sends."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON

from payments import contract, models
from payments.graphql.batches import Batch
from payments.graphql.connections import Node, id_field
from payments.graphql.context import Info
from payments.graphql.scalars import Centavos

Row = strawberry.Parent[models.Payment]


@strawberry.type(description="A Pix that the company sends.")
class Payment(Node):
    """Source: models.Payment."""

    id: strawberry.ID = id_field("Payment")
    correlation_id: str = strawberry.field(name="correlationID")
    type: models.Payment.Type
    value: Centavos
    status: models.Payment.Status
    comment: str
    pix_key: str = strawberry.field(name="destinationAlias")
    qr_code: str
    end_to_end_id: str
    error_code: str
    reason: str = strawberry.field(description="Why it failed, in the bank's words.")
    line: int | None = strawberry.field(description="Of the batch's file.")
    created_at: datetime
    approved_at: datetime | None
    resolved_at: datetime | None

    @classmethod
    def is_type_of(cls, row: object, info: object) -> bool:
        return isinstance(row, models.Payment)

    @strawberry.field(description="Who is paid, as far as it is known, as the REST API has it.")
    def destination(self, root: Row) -> JSON:
        return JSON(contract.destination(root))

    @strawberry.field(graphql_type=Batch | None)
    async def batch(self, root: Row, info: Info) -> Any:
        return await info.context.load.batch.load(root.batch_id) if root.batch_id else None
