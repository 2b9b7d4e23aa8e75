"""Enumerations: the models' own, by the names that they have in the schema."""

from __future__ import annotations

import enum

import strawberry

from payments.models import Charge, Payment, PayoutBatch, ReceivedPix, Refund

strawberry.enum(Charge.Status, name="ChargeStatus", description="As in the REST API; `state` is what pages show.")
strawberry.enum(Refund.Status, name="RefundStatus")
strawberry.enum(ReceivedPix.Outcome, name="PixOutcome")
strawberry.enum(Payment.Status, name="PaymentStatus")
strawberry.enum(PayoutBatch.Status, name="BatchStatus")
strawberry.enum(Payment.Type, name="PaymentType")


@strawberry.enum
class ChargeState(enum.Enum):
    """`selectors.charges.STATES`."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"
    REFUNDED = "REFUNDED"
    EXPIRED = "EXPIRED"


@strawberry.enum(name="TransactionType")
class Kind(enum.Enum):
    """Money in, and money back."""

    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
