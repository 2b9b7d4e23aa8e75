"""The company and its balance."""

from __future__ import annotations

import strawberry

from payments import models
from payments.graphql.connections import Node, id_field
from payments.graphql.scalars import Centavos
from payments.selectors.balances import Balance as Shown


@strawberry.type(description="The company that asks.")
class Company(Node):
    """Source: models.Company."""

    id: strawberry.ID = id_field("Company")
    official_name: str
    trade_name: str
    tax_id: str = strawberry.field(name="taxID")
    correlation_id: str = strawberry.field(name="correlationID")
    pix_key: str

    @classmethod
    def is_type_of(cls, row: object, info: object) -> bool:
        return isinstance(row, models.Company)


@strawberry.type(description="The balance of the company's account.")
class Balance:
    """Source: selectors.balances.Balance."""

    total: Centavos
    available: Centavos = strawberry.field(description="What may be spent.")

    @strawberry.field(description="Held for what is under way.")
    def blocked(self, root: strawberry.Parent[Shown]) -> Centavos:
        return Centavos(root.pending)
