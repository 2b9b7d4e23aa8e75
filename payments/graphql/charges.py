"""Charges, their refunds, and the Pix received for them. Sources are rows; a charge's is annotated with `returned`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON

from payments import contract, models
from payments.contract.charge import customer
from payments.graphql.connections import Node, checked, id_field
from payments.graphql.context import Info
from payments.graphql.enums import ChargeState
from payments.graphql.scalars import Centavos
from payments.selectors import charges as select

Row = strawberry.Parent[models.Charge]
FEW = 10  # refunds or Pix of a charge, where `first` is left out


@strawberry.type
class AdditionalInfo:
    """A line that the payer's bank shows."""

    key: str
    value: str


@strawberry.type
class Payer:
    """Who paid a Pix, as far as the bank told."""

    name: str | None
    tax_id: str | None = strawberry.field(name="taxID")


@strawberry.type(description="A request for a payment.")
class Charge(Node):
    """Source: models.Charge."""

    id: strawberry.ID = id_field("Charge")
    correlation_id: str = strawberry.field(name="correlationID")
    value: Centavos
    fee: Centavos
    status: models.Charge.Status
    comment: str
    br_code: str
    ensure_same_tax_id: bool = strawberry.field(name="ensureSameTaxID")
    expires_in: int = strawberry.field(description="Seconds.")
    expires_at: datetime = strawberry.field(name="expiresDate")
    created_at: datetime
    updated_at: datetime
    paid_at: datetime | None
    txid: str = strawberry.field(name="transactionID")
    refunded: Centavos = strawberry.field(description="Returned or being returned.")
    left: Centavos = strawberry.field(description="What may still be refunded.")

    @classmethod
    def is_type_of(cls, row: object, info: object) -> bool:
        return isinstance(row, models.Charge)

    @strawberry.field(description="The state that pages show: also PARTLY_REFUNDED and REFUNDED.")
    def state(self, root: Row) -> ChargeState:
        return ChargeState(select.state(root))

    @strawberry.field(description="As the REST API has it.")
    def customer(self, root: Row) -> JSON | None:
        return JSON(customer(root.customer)) if root.customer else None

    @strawberry.field
    def additional_info(self, root: Row) -> list[AdditionalInfo]:
        return [AdditionalInfo(**line) for line in root.additional_info]

    @strawberry.field(description="The page where the shopper pays.")
    def payment_link_url(self, root: Row) -> str:
        return contract.payment_link_url(root)

    @strawberry.field(description="Who paid it.")
    async def payer(self, root: Row, info: Info) -> Payer | None:
        settled = await info.context.load.settled.load(root.pk)
        return payer(settled) if settled else None

    @strawberry.field(graphql_type=list["Refund"], description="The oldest first.")
    async def refunds(self, root: Row, info: Info, first: int = FEW) -> Any:
        checked(first)
        return await info.context.load.refunds.load((root.pk, first))

    @strawberry.field(graphql_type=list["ReceivedPix"], description="Every Pix with its txid, the oldest first.")
    async def received(self, root: Row, info: Info, first: int = FEW) -> Any:
        checked(first)
        return await info.context.load.received.load((root.pk, first))


@strawberry.type(description="A refund of a charge.")
class Refund(Node):
    """Source: models.Refund."""

    id: strawberry.ID = id_field("Refund")
    correlation_id: str = strawberry.field(name="correlationID")
    value: Centavos
    comment: str
    status: models.Refund.Status
    return_id: str = strawberry.field(name="refundId", description="Its id at the bank.")
    end_to_end_id: str = strawberry.field(description="The bank's; empty until it has one.")
    reason: str = strawberry.field(description="Why the bank refused.")
    by_bank: bool = strawberry.field(description="Whether the bank made it by itself.")
    created_at: datetime
    resolved_at: datetime | None

    @classmethod
    def is_type_of(cls, row: object, info: object) -> bool:
        return isinstance(row, models.Refund)

    @strawberry.field(graphql_type=Charge | None)
    async def charge(self, root: strawberry.Parent[models.Refund], info: Info) -> Any:
        return await info.context.load.charge.load(root.charge_id) if root.charge_id else None

    @strawberry.field(graphql_type="ReceivedPix", description="The Pix that it returns.")
    async def pix(self, root: strawberry.Parent[models.Refund], info: Info) -> Any:
        return await info.context.load.pix.load(root.received_id)


@strawberry.type(description="A Pix that the bank received.")
class ReceivedPix:
    """Source: models.ReceivedPix."""

    end_to_end_id: str
    value: Centavos
    fee: Centavos
    outcome: models.ReceivedPix.Outcome
    paid_at: datetime
    payer_message: str = strawberry.field(name="infoPagador")

    @strawberry.field
    def payer(self, root: strawberry.Parent[models.ReceivedPix]) -> Payer:
        return payer(root)


def payer(pix: models.ReceivedPix) -> Payer:
    """Who paid."""
    return Payer(name=pix.payer_name or None, tax_id=pix.payer_tax_id or None)
