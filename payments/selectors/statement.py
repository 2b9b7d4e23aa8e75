"""The statement of a company: every movement of its balance, with the balance after it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet, Sum
from django.utils import timezone

from payments.models import Account, Charge, Company, Entry, MovementNote, Payment, ReceivedPix, Refund
from payments.money import parse_reais
from payments.selectors.search import LARGEST

# What pages call a movement, by the kind of its ledger transaction; "" is all others.
RECEIVED, SENT, RETURNED, OTHER = "RECEIVED", "SENT", "RETURNED", "OTHER"
KINDS = {
    "pix_in": RECEIVED,
    "payment": SENT,
    "refund": RETURNED,
    "bank_return": RETURNED,
    "refund_correction": RETURNED,
}


class Line(NamedTuple):
    """A movement in centavos, a debit negative, and the balance after it."""

    at: datetime
    id: int
    kind: str  # of the ledger transaction
    reference: str
    value: int
    balance: int
    note: str = ""  # what was written about it

    @property
    def group(self) -> str:
        """RECEIVED, SENT, RETURNED or OTHER."""
        return KINDS.get(self.kind, OTHER)


@dataclass(frozen=True)
class Period:
    """What to read: days of São Paulo, both included; a group of KINDS or ""; and text to look for, or ""."""

    first: date
    last: date
    kind: str = ""
    text: str = ""


@dataclass(frozen=True)
class Behind:
    """What is behind a movement, as far as it is known."""

    pix: ReceivedPix | None = None
    refund: Refund | None = None
    payment: Payment | None = None


def page(company: Company, period: Period, before: int, limit: int) -> list[Line]:
    """Up to `limit` movements, newest first; those older than the one with the id `before`, where that is not 0."""
    found = _entries(company).filter(_within(period), _wanted(company, period)).order_by("-id")
    rows = list((found.filter(pk__lt=before) if before else found).select_related("transaction__note")[:limit])
    balances = balances_after([row.pk for row in rows])
    return [_line(row, balances[row.pk]) for row in rows]


def lines(company: Company, period: Period) -> Iterator[Line]:
    """The movements in the order of the ledger, read as they are asked for."""
    balance = balance_before(company, period.first)
    wanted = ExpressionWrapper(_wanted(company, period), BooleanField())
    moved = _entries(company).filter(_within(period)).select_related("transaction__note")
    for entry in moved.annotate(wanted=wanted).order_by("id").iterator():
        balance += entry.amount
        if entry.wanted:
            yield _line(entry, balance)


def balance_before(company: Company, day: date) -> int:
    """The balance as the day began, in centavos."""
    before = _entries(company).filter(transaction__created_at__lt=_midnight(day))
    return before.aggregate(sum=Sum("amount"))["sum"] or 0


_BALANCES = """
SELECT e.id, a.posted - e.since FROM (
    SELECT id, account_id, sum(amount) OVER (ORDER BY id DESC) - amount AS since
    FROM payments_entry WHERE account_id = (SELECT account_id FROM payments_entry WHERE id = %(oldest)s) AND id >= %(oldest)s
) e JOIN payments_account a ON a.id = e.account_id WHERE e.id = ANY(%(ids)s)
"""


def balances_after(entries: Collection[int]) -> dict[int, int]:
    """The balance after each of these entries of one account, by the entry's id.

    One statement reads the balance and what came since, so a movement at this moment is in both or in neither. Entries
    are counted by id, whatever their time: a transaction that began earlier may post later.
    """
    if not entries:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, {"oldest": min(entries), "ids": list(entries)})
        return {pk: int(balance) for pk, balance in cursor.fetchall()}


def behind(company: Company, found: Collection[Line]) -> dict[int, Behind]:
    """What is behind each of the movements, by its id; three queries."""
    names = {line.reference for line in found}
    pixes = ReceivedPix.objects.filter(company=company, end_to_end_id__in=names).select_related("charge")
    payments = Payment.objects.filter(company=company, public_id__in=names)
    # A return by the bank itself is booked under its Pix and its own id.
    returns = Refund.objects.filter(company=company, return_id__in={name.rpartition("/")[2] for name in names})
    by_pix = {pix.end_to_end_id: pix for pix in pixes}
    by_payment = {payment.public_id: payment for payment in payments}
    by_return = {refund.return_id: refund for refund in returns.select_related("charge", "received")}
    return {
        line.id: Behind(
            pix=by_pix.get(line.reference),
            refund=by_return.get(line.reference.rpartition("/")[2]),
            payment=by_payment.get(line.reference),
        )
        for line in found
    }


def _line(entry: Entry, balance: int) -> Line:
    made = entry.transaction
    note: MovementNote | None = getattr(made, "note", None)
    return Line(
        made.created_at, entry.pk, made.kind, made.correlation_id, entry.amount, balance, note.text if note else ""
    )


def _entries(company: Company) -> QuerySet[Entry]:
    account = Account.objects.get(company=company, kind=Account.Kind.MERCHANT, is_default=True)
    return Entry.objects.filter(account=account).exclude(amount=0)  # without holds, which move nothing


def _within(period: Period) -> Q:
    end = _midnight(period.last + timedelta(days=1))
    return Q(transaction__created_at__gte=_midnight(period.first), transaction__created_at__lt=end)


def _wanted(company: Company, period: Period) -> Q:
    """The condition of the period's kind and text. Every sub-query is of the company's own rows."""
    wanted = Q(pk__isnull=False)
    if period.kind == OTHER:
        wanted &= ~Q(transaction__kind__in=list(KINDS))
    elif period.kind:
        wanted &= Q(transaction__kind__in=[kind for kind, group in KINDS.items() if group == period.kind])
    return wanted & _matching(company, period.text) if period.text else wanted


def _matching(company: Company, text: str) -> Q:
    """A beginning of the movement's id, a name, a key, a correlationID, or a value in reais."""
    pix = Q(payer_name__icontains=text) | Q(payer_tax_id=text)
    sent = Q(pix_key__iexact=text) | Q(correlation_id=text) | Q(end_to_end_id=text)
    found = Q(transaction__correlation_id__istartswith=text)
    try:
        value = min(parse_reais(text), LARGEST)
    except ValueError:
        pass
    else:
        pix |= Q(value=value)  # before the fee
        found |= Q(amount__in=(value, -value))
    charges = Charge.objects.filter(company=company).filter(Q(correlation_id=text) | Q(customer__name__icontains=text))
    pixes = ReceivedPix.objects.filter(pix | Q(charge__in=charges), company=company)
    refunds = Refund.objects.filter(Q(correlation_id=text) | Q(end_to_end_id=text), company=company)
    found |= Q(transaction__correlation_id__in=pixes.values("end_to_end_id"))
    found |= Q(transaction__correlation_id__in=Payment.objects.filter(sent, company=company).values("public_id"))
    return found | Q(transaction__correlation_id__in=refunds.values("return_id"))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
