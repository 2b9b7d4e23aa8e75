"""A sub-account, a line of its statement, and a withdrawal from it."""

from __future__ import annotations

from payments.contract.parts import Json
from payments.contract.transaction import statement_line
from payments.models import Payment, Subaccount
from payments.selectors.transactions import StatementLine


def subaccount(subaccount: Subaccount) -> Json:
    """The sub-account; its balance is what may be moved or withdrawn, in centavos."""
    return {
        "name": subaccount.name,
        "pixKey": subaccount.pix_key,
        "balance": subaccount.account.available,
        "withdrawBlocked": subaccount.withdraw_blocked,
    }


def subaccount_line(line: StatementLine) -> Json:
    """A movement of the sub-account, by the contract's types of operations."""
    kind = "CREDIT" if line.value > 0 else "DEBIT"
    operations = {"subaccount_transfer": f"TRANSFER_{kind}", "payment": "WITHDRAWAL"}
    shown = statement_line(line)
    del shown["transactionId"]
    return {**shown, "operationType": operations.get(line.kind, kind)}


def withdrawal(payment: Payment) -> Json:
    """A withdrawal as it was asked for; how it ends, `GET /payment` and the webhooks tell."""
    return {
        "status": "CREATED",
        "value": payment.value,
        "endToEndId": payment.end_to_end_id,
        "correlationID": payment.correlation_id,
        "destinationAlias": payment.pix_key,
        "comment": payment.comment,
    }
