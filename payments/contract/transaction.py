"""A transaction: a received Pix, or the refund of one. And a line of the statement."""

from __future__ import annotations

from payments.contract.charge import charge
from payments.contract.parts import Json, global_id, time
from payments.contract.pix import pix
from payments.models import Company, ReceivedPix, Refund
from payments.selectors.transactions import StatementLine

# Woovi names the ends of a refund differently here than under a charge.
REFUND_STATUS = {"IN_PROCESSING": "IN_PROCESSING", "CONFIRMED": "REFUNDED", "REJECTED": "NOT_ACCOMPLISHED"}


def pix_transaction(received: ReceivedPix, company: Company) -> Json:
    """A received Pix of `selectors.transactions`; its status tells whether some or all of it went back."""
    paid = received.charge if received.outcome == ReceivedPix.Outcome.SETTLED else None
    shown = pix(received, company, paid)
    if back := getattr(received, "given_back", 0):
        shown["status"] = "REFUNDED" if back >= received.value else "PARTIAL_REFUND"
    return shown


def refund_transaction(refund: Refund, company: Company) -> Json:
    """The refund of a Pix as a transaction of its own."""
    return {
        "value": refund.value,
        "time": time(refund.resolved_at or refund.created_at),
        "endToEndId": refund.end_to_end_id or refund.received.end_to_end_id,
        "transactionID": refund.return_id,
        "infoPagador": refund.comment,
        "status": refund.status,
        "type": "REFUND",
        "createdAt": time(refund.created_at),
        "globalID": global_id("PixTransaction", refund.public_id),
        **({"charge": charge(refund.charge, company)} if refund.charge else {}),
    }


def pix_refund(refund: Refund) -> Json:
    """A refund as the resource `/refund` shows it, found by the Pix it returns."""
    return {
        "value": refund.value,
        "status": REFUND_STATUS[refund.status],
        "correlationID": refund.correlation_id,
        "refundId": refund.return_id,
        "time": time(refund.resolved_at or refund.created_at),
        "comment": refund.comment,
        **({"returnIdentification": refund.end_to_end_id} if refund.end_to_end_id else {}),
    }


def statement_line(line: StatementLine) -> Json:
    """A movement of the account and the balance after it, in centavos."""
    return {
        "id": line.id,
        "time": time(line.at),
        "description": line.description,
        "balance": line.balance,
        "value": abs(line.value),
        "type": "CREDIT" if line.value > 0 else "DEBIT",
        "transactionId": line.reference,
    }
