"""A transaction: a Pix received, returned or sent, or a transfer here. And a line of the statement."""

from __future__ import annotations

from payments.contract.charge import charge
from payments.contract.parts import Json, global_id, tax_id, time
from payments.contract.payment import movement
from payments.contract.pix import pix
from payments.models import Company, LedgerTransaction, Payment, ReceivedPix, Refund
from payments.models.ledger import HOLDS, RELEASES
from payments.selectors.transactions import Fee, StatementLine, Transaction

# Woovi names the ends of a refund differently here than under a charge.
REFUND_STATUS = {"IN_PROCESSING": "IN_PROCESSING", "CONFIRMED": "REFUNDED", "REJECTED": "NOT_ACCOMPLISHED"}


SENT_STATUS = {Payment.Status.CONFIRMED: "CONFIRMED", Payment.Status.FAILED: "REJECTED"}  # the others are under way


def transaction(row: Transaction, company: Company) -> Json:
    """A transaction of `selectors.transactions`, of any type."""
    if isinstance(row, ReceivedPix):
        return pix_transaction(row, company)
    if isinstance(row, Refund):
        return refund_transaction(row, company)
    if isinstance(row, Fee):
        return fee_transaction(row.received, company)
    return sent_transaction(row) if isinstance(row, Payment) else transfer_transaction(row, company)


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


def sent_transaction(payment: Payment) -> Json:
    """A Pix that the company sent, which the contract calls a withdrawal."""
    shown = movement(payment) | {
        "transactionID": payment.correlation_id,
        "infoPagador": payment.comment,
        "type": "WITHDRAW",
    }
    withdrawal = {name: shown[name] for name in ("value", "time", "endToEndId", "transactionID", "infoPagador", "type")}
    return shown | {
        "status": SENT_STATUS.get(Payment.Status(payment.status), "IN_PROCESSING"),
        "createdAt": time(payment.created_at),
        "globalID": global_id("PixTransaction", payment.public_id),
        "withdraw": withdrawal,
    }


def fee_transaction(received: ReceivedPix, company: Company) -> Json:
    """What the platform kept of a received Pix, at the same moment."""
    paid = received.charge if received.outcome == ReceivedPix.Outcome.SETTLED else None
    return {
        "value": received.fee,
        "time": time(received.paid_at),
        "endToEndId": received.end_to_end_id,
        "transactionID": received.txid,
        "infoPagador": "",
        "status": "CONFIRMED",
        "type": "FEE",
        "createdAt": time(received.created_at),
        "globalID": global_id("PixTransactionFee", received.public_id),
        **({"charge": charge(paid, company, received)} if paid else {}),
    }


BLOCKED = {**dict.fromkeys(HOLDS, "BALANCE_BLOCK"), **dict.fromkeys(RELEASES, "BALANCE_UNBLOCK")}


def transfer_transaction(row: LedgerTransaction, company: Company) -> Json:
    """Money given to another company here, or got of one; or held, or free again, for a Pix to be sent or returned.

    No Pix was made, so its correlationID stands for one's id.
    """
    moved: int = row.moved  # type: ignore[attr-defined]  # of selectors.transactions
    return {
        "value": abs(moved),
        "time": time(row.created_at),
        "endToEndId": row.correlation_id,
        "transactionID": row.correlation_id,
        "infoPagador": "",
        "status": "CONFIRMED",
        "type": BLOCKED.get(row.kind, "INTERNAL_TRANSFER"),
        "createdAt": time(row.created_at),
        "globalID": global_id("PixTransaction", f"{row.pk:024x}"),
        "creditParty" if moved > 0 else "debitParty": {
            "holder": {"name": company.official_name, "taxID": tax_id(company.tax_id)}
        },
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
