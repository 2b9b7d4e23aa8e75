"""A company's transactions (received Pix and their refunds), and the statement of its account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, Q, QuerySet, Value

from payments.models import Account, Company, Entry, ReceivedPix, Refund
from payments.selectors.periods import between
from payments.selectors.statement import balances_after

PAYMENT, REFUND = "PAYMENT", "REFUND"
CREDITED = (ReceivedPix.Outcome.SETTLED, ReceivedPix.Outcome.LOOSE)
DESCRIPTIONS = {"pix_in": "Pix received", "refund": "Refund", "bank_return": "Return by the bank"}


@dataclass(frozen=True)
class StatementLine:
    """A movement of the merchant's account. `value` and `balance` (after it) are centavos; a debit is negative."""

    id: str
    at: datetime
    description: str
    value: int
    balance: int
    reference: str  # the end-to-end id, or the refund's id at the bank


def keys(
    company: Company,
    *,
    kind: str = "",
    charge: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
) -> QuerySet[Any]:
    """(type, primary key, time of creation) of the company's transactions, newest first.

    Args:
        kind: PAYMENT or REFUND; "" is both.
        charge: the correlationID or txid of a charge, whose transactions alone are wanted.
        start, end: creation, both included.
    """
    payments = ReceivedPix.objects.filter(company=company, outcome__in=CREDITED)
    refunds = Refund.objects.filter(company=company, automatic=False)
    wanted = between("created_at", start, end)
    if charge:
        wanted &= Q(charge__correlation_id=charge) | Q(charge__txid=charge)
    found = [
        rows.filter(wanted)
        .annotate(what=Value(what, output_field=CharField()))
        .order_by()
        .values_list("what", "pk", "created_at")
        for what, rows in ((PAYMENT, payments), (REFUND, refunds))
        if kind in {"", what}
    ]
    rows = found[0].union(*found[1:], all=True) if found else payments.none().values_list("pk", "pk", "created_at")
    return rows.order_by("-created_at", "-pk") if found else rows


def load(rows: list[tuple[str, int, datetime]]) -> list[ReceivedPix | Refund]:
    """The transactions of these keys, in their order, with what their JSON shows; two queries at most."""
    pixes = ReceivedPix.objects.select_related("charge").in_bulk([pk for what, pk, _ in rows if what == PAYMENT])
    refunds = Refund.objects.select_related("charge", "received").in_bulk(
        [pk for what, pk, _ in rows if what == REFUND]
    )
    return [pixes[pk] if what == PAYMENT else refunds[pk] for what, pk, _ in rows]


def find(company: Company, identifier: str) -> ReceivedPix | Refund | None:
    """The company's transaction by end-to-end id, txid or public id; a refund also by its id at the bank."""
    if "\0" in identifier:
        return None
    payments = ReceivedPix.objects.filter(company=company, outcome__in=CREDITED).select_related("charge")
    refunds = Refund.objects.filter(company=company, automatic=False).select_related("charge", "received")
    by_any = Q(end_to_end_id=identifier) | Q(public_id=identifier)
    return (
        payments.filter(by_any).first()
        or refunds.filter(by_any | Q(return_id=identifier)).first()
        or payments.filter(txid=identifier).first()
    )


def statement(
    company: Company, start: datetime | None, end: datetime | None, skip: int, limit: int
) -> list[StatementLine]:
    """Movements of the company's account, newest first, each with the balance after it."""
    account = Account.objects.filter(company=company, kind=Account.Kind.MERCHANT, is_default=True)
    entries = Entry.objects.filter(account__in=account).exclude(amount=0).order_by("-id")
    wanted = entries.filter(between("transaction__created_at", start, end)).select_related("transaction")
    rows = list(wanted[skip : skip + limit])
    balances = balances_after([row.pk for row in rows])
    return [
        StatementLine(
            id=f"{row.pk:024x}",
            at=row.transaction.created_at,
            description=DESCRIPTIONS.get(row.transaction.kind, row.transaction.kind.replace("_", " ").capitalize()),
            value=row.amount,
            balance=balances[row.pk],
            reference=row.transaction.correlation_id,
        )
        for row in rows
    ]
