"""A company's transactions (Pix in and out, refunds, transfers to others here), and the statement of its account."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, CharField, F, Model, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from payments.models import Account, Company, Entry, LedgerTransaction, MovementNote, Payment, ReceivedPix, Refund
from payments.models.ledger import GIVEN, HOLDS, RELEASES, TAKEN
from payments.selectors import payments as payment_selectors
from payments.selectors.ids import bare_id
from payments.selectors.periods import between
from payments.selectors.qr_codes import by_any_id
from payments.selectors.statement import balances_after

PAYMENT, REFUND, WITHDRAW, TRANSFER = "PAYMENT", "REFUND", "WITHDRAW", "INTERNAL_TRANSFER"
FEE, BLOCK, UNBLOCK = "FEE", "BALANCE_BLOCK", "BALANCE_UNBLOCK"
RECEIVED = (PAYMENT, REFUND)
NOT_APPROVED = (Payment.Status.CREATED, Payment.Status.DENIED, Payment.Status.REMOVED)
CREDITED = (ReceivedPix.Outcome.SETTLED, ReceivedPix.Outcome.LOOSE)
DESCRIPTIONS = {
    "pix_in": "Pix received",
    "refund": "Refund",
    "bank_return": "Return by the bank",
    "adjustment": "Adjustment by the platform",
    "suspense_credit": "Pix received earlier, which could not be returned",
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


class Keys:
    """Rows of several tables as one list, newest first.

    Each table gives no more than a page can need, by its index. PostgreSQL alone would sort all rows of all of them.
    """

    def __init__(self, sources: list[QuerySet[Any]]) -> None:
        self.sources = sources

    def count(self) -> int:
        return _together(self.sources).count() if self.sources else 0

    def __getitem__(self, part: slice) -> list[Any]:
        """Of a slice with an end, as `[skip : skip + limit]`."""
        newest = [rows.order_by("-created_at", "-pk")[: part.stop] for rows in self.sources]
        if len(newest) < 2:
            return [row for rows in newest for row in rows[part]]
        return list(_together(newest).order_by("-created_at", "-pk", "what")[part])


def _together(sources: list[QuerySet[Any]]) -> QuerySet[Any]:
    return sources[0].union(*sources[1:], all=True)


def keys(
    company: Company,
    *,
    kinds: Collection[str] = RECEIVED,
    kind: str = "",
    charge: str = "",
    qr_code: str = "",
    withdrawal: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
    after: tuple[datetime, int, str] | None = None,
) -> Keys:
    """(type, primary key, time of creation) of the company's transactions, newest first.

    Args:
        kinds: which types there are for the caller: RECEIVED, or these with WITHDRAW (Pix sent) and TRANSFER.
        kind: the only one wanted, one of `kinds` or FEE, BLOCK and UNBLOCK; "" is all of `kinds`.
        charge: the correlationID or txid of a charge, whose transactions alone are wanted.
        qr_code: the correlationID, identifier or id of a static QR code, likewise.
        withdrawal: the correlationID, end-to-end id or id of a Pix sent, likewise.
        start, end: creation, both included.
        after: creation, primary key and type of the one before the first.
    """
    sources: dict[str, QuerySet[Any]] = {
        PAYMENT: ReceivedPix.objects.filter(company=company, outcome__in=CREDITED),
        REFUND: Refund.objects.filter(company=company, automatic=False),
        WITHDRAW: Payment.objects.filter(company=company).exclude(status__in=NOT_APPROVED),
        TRANSFER: _transfers(company),
        FEE: ReceivedPix.objects.filter(company=company, outcome__in=CREDITED, fee__gt=0),
        BLOCK: _blocks(company, HOLDS),
        UNBLOCK: _blocks(company, RELEASES),
    }
    wanted = {kind} if kind else set(kinds)
    if charge:
        of_charge = Q(charge__correlation_id=charge) | Q(charge__txid=charge)
        sources = {what: sources[what].filter(of_charge) for what in (*RECEIVED, FEE)}
    if qr_code:
        at = {PAYMENT: "qr_code__", REFUND: "received__qr_code__", FEE: "qr_code__"}
        sources = {what: rows.filter(by_any_id(qr_code, at[what])) for what, rows in sources.items() if what in at}
    if withdrawal:
        named = _sent_by_id(company, withdrawal)
        sources = {what: rows.filter(pk=named.pk if named else 0) for what, rows in sources.items() if what == WITHDRAW}
    found = [
        rows.filter(between("created_at", start, end), _after(what, after))
        .annotate(what=Value(what, output_field=CharField()))
        .order_by()
        .values_list("what", "pk", "created_at")
        for what, rows in sources.items()
        if what in wanted
    ]
    return Keys(found)


def _sent_by_id(company: Company, identifier: str) -> Payment | None:
    """The company's payment with this id, if it was approved."""
    found = payment_selectors.find(company, bare_id("PixTransaction", identifier))
    return found if found and found.status not in NOT_APPROVED else None


def _transfers(company: Company) -> QuerySet[LedgerTransaction]:
    """What the company gave to others of the platform, or got of them, each with `moved`: centavos, negative if given."""
    return _posted(company, (*GIVEN, *TAKEN), F("amount"))


def _blocks(company: Company, kinds: Collection[str]) -> QuerySet[LedgerTransaction]:
    """What was held for payments and refunds, or is free again, each with `moved`: centavos, negative where held.

    Not what is held of a Pix that goes back by itself: it was never in the company's balance.
    """
    held: QuerySet[Any] = _posted(company, kinds, -F("pending"))
    return held.filter(moved__isnull=False)


def _posted(company: Company, kinds: Collection[str], moved: Combinable) -> QuerySet[LedgerTransaction]:
    ours = (Account.Kind.MERCHANT, Account.Kind.SUBACCOUNT)
    own = Entry.objects.filter(transaction=OuterRef("pk"), account__kind__in=ours)
    found = LedgerTransaction.objects.filter(company=company, kind__in=kinds)
    return found.annotate(moved=Subquery(own.annotate(moved=moved).values("moved")[:1]))


def _after(what: str, place: tuple[datetime, int, str] | None) -> Q:
    """The condition that a row of the type `what` comes after the place in the list."""
    if place is None:
        return Q()
    at, pk, kind = place
    same_moment = Q(pk__lte=pk) if what > kind else Q(pk__lt=pk)
    return Q(created_at__lte=at) & (Q(created_at__lt=at) | same_moment)


@dataclass(frozen=True)
class Fee:
    """What the platform kept of a received Pix."""

    received: ReceivedPix


Transaction = ReceivedPix | Refund | Payment | LedgerTransaction | Fee


def load(company: Company, rows: list[tuple[str, int, datetime]]) -> list[Any]:
    """The company's transactions of these keys, in their order, with what their JSON shows; a query a type."""
    sources: dict[str, QuerySet[Any]] = {
        PAYMENT: _with_given_back(),
        REFUND: Refund.objects.select_related("charge", "received"),
        WITHDRAW: Payment.objects.select_related("company"),
        TRANSFER: _transfers(company),
        FEE: ReceivedPix.objects.select_related("charge"),
        BLOCK: _blocks(company, HOLDS),
        UNBLOCK: _blocks(company, RELEASES),
    }
    found: dict[str, dict[int, Model]] = {
        what: sources[what].in_bulk([pk for each, pk, _ in rows if each == what]) for what in {row[0] for row in rows}
    }
    return [Fee(found[what][pk]) if what == FEE else found[what][pk] for what, pk, _ in rows]  # type: ignore[arg-type]


def _with_given_back() -> QuerySet[ReceivedPix]:
    """Received Pix, each with `given_back`: centavos of its refunds that are confirmed or under way."""
    refunds = Refund.objects.filter(received=OuterRef("pk")).exclude(status=Refund.Status.REJECTED).order_by()
    total = refunds.values("received").annotate(total=Sum("value")).values("total")
    rows = ReceivedPix.objects.select_related("charge", "qr_code")
    return rows.annotate(given_back=Coalesce(Subquery(total), 0, output_field=BigIntegerField()))


def find(company: Company, identifier: str, kinds: Collection[str] = RECEIVED) -> Transaction | None:
    """The company's transaction, of one of these types, by end-to-end id, txid or id (plain or global).

    A refund also by its id at the bank, what was sent or transferred also by its correlationID.
    """
    if "\0" in identifier:
        return None
    payments = _with_given_back().filter(company=company, outcome__in=CREDITED)
    if (fee := bare_id("PixTransactionFee", identifier)) != identifier:
        charged = payments.filter(public_id=fee, fee__gt=0).first() if FEE in kinds else None
        return Fee(charged) if charged else None
    refunds = Refund.objects.filter(company=company, automatic=False).select_related("charge", "received")
    public_id = bare_id("PixTransaction", identifier)
    by_any = Q(end_to_end_id=identifier) | Q(public_id=public_id)
    transfers, blocks = Q(correlation_id=identifier), LedgerTransaction.objects.none()
    if re.fullmatch(r"0{8}[0-9a-f]{16}", public_id):
        transfers |= Q(pk=int(public_id, 16))
        blocks = _blocks(company, (*HOLDS, *RELEASES)).filter(pk=int(public_id, 16))
    return (
        payments.filter(by_any).first()
        or refunds.filter(by_any | Q(return_id=identifier)).first()
        or payments.filter(txid=identifier).first()
        or (_sent_by_id(company, identifier) if WITHDRAW in kinds else None)
        or (_transfers(company).filter(transfers).first() if TRANSFER in kinds else None)
        or (blocks.first() if BLOCK in kinds else None)
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
