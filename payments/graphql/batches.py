"""Payout batches and how far they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from payments import models
from payments.graphql.connections import Node, checked, id_field
from payments.graphql.context import Info
from payments.graphql.scalars import Centavos

Row = strawberry.Parent[models.PayoutBatch]
FEW = 10  # problems, where `first` is left out


@strawberry.type(
    name="BatchProgress", description="Rows by state. Those that wait are not booked; some may be at the bank."
)
class Progress:
    """Source: services.batches.Progress."""

    rows: int
    total: Centavos
    confirmed: int
    failed: int
    unknown: int
    quarantined: int
    waiting: int
    reserved: Centavos


@strawberry.type(name="BatchProblem", description="Why a row of the file cannot be paid.")
class Problem:
    """Source: models.PayoutProblem."""

    line: int
    column: str
    reason: str


@strawberry.type(description="A file of payouts.")
class Batch(Node):
    """Source: models.PayoutBatch."""

    id: strawberry.ID = id_field("Batch")
    name: str
    status: models.PayoutBatch.Status
    signature: str = strawberry.field(description="Of all rows, their number and their sum: what is approved.")
    round: int
    pause_reason: str
    created_at: datetime
    approved_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def is_type_of(cls, row: object, info: object) -> bool:
        return isinstance(row, models.PayoutBatch)

    @strawberry.field(graphql_type=Progress)
    async def progress(self, root: Row, info: Info) -> Any:
        return await info.context.load.progress.load(root)

    @strawberry.field(
        graphql_type=Centavos, description="Of the latest round's failed rows: what `retryBatch` would pay."
    )
    async def failed_total(self, root: Row, info: Info) -> Any:
        return await info.context.load.failed_total.load(root.pk)

    @strawberry.field(graphql_type=list[Problem])
    async def problems(self, root: Row, info: Info, first: int = FEW) -> Any:
        checked(first)
        return await info.context.load.problems.load((root.pk, first))
