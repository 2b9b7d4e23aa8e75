"""A company's transactions (received Pix and their refunds), and the statement of its account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, CharField, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from payments.models import Account, Company, Entry, LedgerTransaction, MovementNote, ReceivedPix, Refund
from payments.selectors.ids import bare_id
from payments.selectors.periods import between
from payments.selectors.qr_codes import by_any_id
from payments.selectors.statement import balances_after

PAYMENT, REFUND = "PAYMENT", "REFUND"
CREDITED = (ReceivedPix.Outcome.SETTLED, ReceivedPix.Outcome.LOOSE)
DESCRIPTIONS = {
    "pix_in": "Pix received",
    "refund": "Refund",
    "bank_return": "Return by the bank",
    "transfer": "Transfer to another account",
    "transfer_in": "Transfer of another account",
    "split_subaccount": "Split to a sub-account",
    "split_transfer": "Split to another account",
    "split_transfer_in": "Split of another account",
    "split_partner": "Split to a partner",
    "split_partner_in": "Split of a partner",
    "subaccount_credit": "To a sub-account",
    "subaccount_debit": "From a sub-account",
    "subaccount_transfer": "Between sub-accounts",
}


@dataclass(frozen=True)
class StatementLine:
    """A movement of the merchant's account. `value` and `balance` (after it) are centavos; a debit is negative."""

    id: str
    at: datetime
    description: str
    value: int
    balance: int
    reference: str  # the end-to-end id, or the refund's id at the bank
    kind: str  # of the ledger's transaction
    note: str = ""  # what the company wrote about it


def keys(
    company: Company,
    *,
    kind: str = "",
    charge: str = "",
    qr_code: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
    after: tuple[datetime, int, str] | None = None,
) -> QuerySet[Any]:
    """(type, primary key, time of creation) of the company's transactions, newest first.

    Args:
        kind: PAYMENT or REFUND; "" is both.
        charge: the correlationID or txid of a charge, whose transactions alone are wanted.
        qr_code: the correlationID, identifier or id of a static QR code, likewise.
        start, end: creation, both included.
        after: creation, primary key and type of the one before the first.
    """
    payments = ReceivedPix.objects.filter(company=company, outcome__in=CREDITED)
    refunds = Refund.objects.filter(company=company, automatic=False)
    wanted = between("created_at", start, end)
    if charge:
        wanted &= Q(charge__correlation_id=charge) | Q(charge__txid=charge)
    if qr_code:
        payments = payments.filter(by_any_id(qr_code, "qr_code__"))
        refunds = refunds.filter(by_any_id(qr_code, "received__qr_code__"))
    found = [
        rows.filter(wanted, _after(what, after))
        .annotate(what=Value(what, output_field=CharField()))
        .order_by()
        .values_list("what", "pk", "created_at")
        for what, rows in ((PAYMENT, payments), (REFUND, refunds))
        if kind in {"", what}
    ]
    rows: QuerySet[Any] = (
        found[0].union(*found[1:], all=True) if found else payments.none().values_list("pk", "pk", "created_at")
    )
    return rows.order_by("-created_at", "-pk", "what") if found else rows


def _after(what: str, place: tuple[datetime, int, str] | None) -> Q:
    """The condition that a row of the type `what` comes after the place in the list."""
    if place is None:
        return Q()
    at, pk, kind = place
    same_moment = Q(pk__lte=pk) if what > kind else Q(pk__lt=pk)
    return Q(created_at__lte=at) & (Q(created_at__lt=at) | same_moment)


def load(rows: list[tuple[str, int, datetime]]) -> list[ReceivedPix | Refund]:
    """The transactions of these keys, in their order, with what their JSON shows; two queries at most."""
    pixes = _with_given_back().in_bulk([pk for what, pk, _ in rows if what == PAYMENT])
    refunds = Refund.objects.select_related("charge", "received").in_bulk(
        [pk for what, pk, _ in rows if what == REFUND]
    )
    return [pixes[pk] if what == PAYMENT else refunds[pk] for what, pk, _ in rows]


def _with_given_back() -> QuerySet[ReceivedPix]:
    """Received Pix, each with `given_back`: centavos of its refunds that are confirmed or under way."""
    refunds = Refund.objects.filter(received=OuterRef("pk")).exclude(status=Refund.Status.REJECTED).order_by()
    total = refunds.values("received").annotate(total=Sum("value")).values("total")
    rows = ReceivedPix.objects.select_related("charge", "qr_code")
    return rows.annotate(given_back=Coalesce(Subquery(total), 0, output_field=BigIntegerField()))


def find(company: Company, identifier: str) -> ReceivedPix | Refund | None:
    """The company's transaction by end-to-end id, txid or id (plain or global); a refund also by its id at the bank."""
    if "\0" in identifier:
        return None
    payments = _with_given_back().filter(company=company, outcome__in=CREDITED)
    refunds = Refund.objects.filter(company=company, automatic=False).select_related("charge", "received")
    by_any = Q(end_to_end_id=identifier) | Q(public_id=bare_id("PixTransaction", identifier))
    return (
        payments.filter(by_any).first()
        or refunds.filter(by_any | Q(return_id=identifier)).first()
        or payments.filter(txid=identifier).first()
    )


def statement(
    company: Company, start: datetime | None, end: datetime | None, skip: int, limit: int
) -> list[StatementLine]:
    """Movements of the company's default account, newest first, each with the balance after it."""
    default = Account.objects.filter(company=company, kind=Account.Kind.MERCHANT, is_default=True)
    return statement_of(default, start, end, skip, limit)


def statement_of(
    account: QuerySet[Account], start: datetime | None, end: datetime | None, skip: int, limit: int
) -> list[StatementLine]:
    """The same of the one account in `account`."""
    entries = Entry.objects.filter(account__in=account).exclude(amount=0).order_by("-id")
    wanted = entries.filter(between("transaction__created_at", start, end)).select_related("transaction__note")
    rows = list(wanted[skip : skip + limit])
    balances = balances_after([row.pk for row in rows])
    return [
        StatementLine(
            id=f"{row.pk:024x}",
            at=row.transaction.created_at,
            description=_description(row.transaction),
            value=row.amount,
            balance=balances[row.pk],
            reference=row.transaction.correlation_id,
            kind=row.transaction.kind,
            note=_note(row.transaction),
        )
        for row in rows
    ]


def _description(transaction: LedgerTransaction) -> str:
    return _note(transaction) or DESCRIPTIONS.get(transaction.kind, transaction.kind.replace("_", " ").capitalize())


def _note(transaction: LedgerTransaction) -> str:
    note: MovementNote | None = getattr(transaction, "note", None)
    return note.text if note else ""
