"""Compare whole days of the bank with our books. Late Pix are booked; each difference becomes a BankDifference row.

Each line of the bank's statement must be among the received Pix, confirmed refunds and payments here, and the other way round.
Then the bank's balance at the end of the day is compared with the CLEARING accounts', less what the differences
explain. A bank without a statement is compared by its lists of Pix and returns, and without a balance.
"""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta

from django.db.models import F, Q, Sum
from django.utils import timezone

from payments import bank
from payments.bank.port import BankNotOffered
from payments.models import BankDay, BankDifference
from payments.services.charges import refunds
from payments.services.errors import Invalid
from payments.services.reconciliation import bank_list, booking, matching, set_aside

log = logging.getLogger(__name__)
Kind, Status = BankDifference.Kind, BankDifference.Status

DAYS_REPEATED = 2  # days before yesterday that are compared again, for Pix that the bank lists late


def run(days: list[date] | None = None, now: datetime | None = None) -> list[BankDay]:
    """Compare `days`: by default yesterday, the two days before, and every day that was missed.

    Raises BankError where the bank does not answer, Invalid for a day that is not over.
    """
    now = now or timezone.now()
    for received in bank.current().list_returned(now - refunds.WINDOW, now):
        booking.book([received], now)
    _heal_booked(now)
    return [compare(day, now) for day in days or _due(now)]


def _due(now: datetime) -> list[date]:
    """Days to compare by default; none older than a Pix may be returned."""
    yesterday = timezone.localdate(now) - timedelta(days=1)
    last = BankDay.objects.order_by("-day").values_list("day", flat=True).first()
    first = min(last or yesterday, yesterday) - timedelta(days=DAYS_REPEATED)
    first = max(first, yesterday - refunds.WINDOW)
    return [first + timedelta(days=number) for number in range((yesterday - first).days + 1)]


def compare(day: date, now: datetime) -> BankDay:
    """Compare one day (São Paulo time), after booking what the bank lists for it. Returns its row.

    A difference that is gone is marked HEALED. Raises BankError, and Invalid where the day is not over.
    """
    start, end = matching.bounds(day, now)
    bank_list.read_between(start, end, now)
    ours, theirs = matching.read(start, max(now, timezone.now()))
    _note_lines(day, matching.match(start, end, ours, theirs), now)
    at = {id_: theirs.get(id_, line).at for id_, line in ours.lines.items()}  # the bank's time where it has the line
    our_balance = -ours.clearing - sum(line.value for id_, line in ours.lines.items() if at[id_] >= end)
    bank_balance = _note_balance(day, end, our_balance, now)
    bank_values = [line.value for line in theirs.values() if start <= line.at < end]
    our_values = [line.value for id_, line in ours.lines.items() if start <= at[id_] < end]
    sums = {
        "bank_in": sum(value for value in bank_values if value > 0),
        "bank_out": sum(value for value in bank_values if value < 0),
        "our_in": sum(value for value in our_values if value > 0),
        "our_out": sum(value for value in our_values if value < 0),
    }
    balances = {"bank_balance": bank_balance, "our_balance": our_balance, "compared_at": now}
    return BankDay.objects.update_or_create(day=day, defaults={**sums, **balances})[0]


def _note_lines(day: date, found: matching.Match, now: datetime) -> None:
    """Note each line of the day that differs, and heal differences that are gone."""
    for (kind, id_), values in found.different.items():
        if kind == Kind.MISSING_HERE and values[0] > 0:
            set_aside.keep(id_, "", "in the bank's statement, not in its list", now)
        _note(day, kind, id_, values, now)
    gone = BankDifference.objects.filter(day=day, status=Status.OPEN).exclude(kind=Kind.BALANCE)
    for row in gone:
        if (row.kind, row.end_to_end_id) not in found.different:
            _heal(row, now)


def _note_balance(day: date, end: datetime, ours: int, now: datetime) -> int | None:
    """Compare the balance at `end`, in centavos. Returns the bank's, or None where the bank offers none."""
    try:
        theirs = bank.current().balance(end)
    except BankNotOffered:
        return None
    known = BankDifference.objects.filter(~Q(status=Status.HEALED), day__lte=day).exclude(day=day, kind=Kind.BALANCE)
    explained = known.aggregate(sum=Sum(F("bank_value") - F("our_value")))["sum"] or 0
    if theirs != ours + explained:
        _note(day, Kind.BALANCE, "", (theirs, ours + explained), now)
    else:
        for row in BankDifference.objects.filter(day=day, kind=Kind.BALANCE, status=Status.OPEN):
            _heal(row, now)
    return theirs


def _note(day: date, kind: str, id_: str, values: tuple[int, int], now: datetime) -> None:
    """Write or reopen a difference. `values`: the bank's and ours, in centavos. A resolved one stays resolved."""
    fields = {"bank_value": values[0], "our_value": values[1]}
    row, is_new = BankDifference.objects.get_or_create(
        day=day, kind=kind, end_to_end_id=id_, defaults={**fields, "created_at": now}
    )
    if is_new:
        log.error("%s differs from the bank: %s %s, %s there, %s here", day, kind, id_, *values)
    elif row.status != Status.RESOLVED:
        BankDifference.objects.filter(pk=row.pk).exclude(status=Status.RESOLVED).update(
            **fields, status=Status.OPEN, resolved_at=None
        )


def _heal(row: BankDifference, now: datetime) -> None:
    BankDifference.objects.filter(pk=row.pk, status=Status.OPEN).update(status=Status.HEALED, resolved_at=now)


def _heal_booked(now: datetime) -> None:
    """Heal differences of any day whose lines are now booked as at the bank: they no longer explain a balance."""
    for row in BankDifference.objects.filter(kind__in=[Kind.MISSING_HERE, Kind.VALUE]).exclude(status=Status.HEALED):
        if any(line.value == row.bank_value for line in matching.lines(ids=[row.end_to_end_id])):
            BankDifference.objects.filter(pk=row.pk).update(status=Status.HEALED, resolved_at=now)


def resolve(row: BankDifference, resolution: str, now: datetime | None = None) -> None:
    """Close a difference that an operator has explained or corrected. Raises Invalid where it is not open."""
    if not BankDifference.objects.filter(pk=row.pk, status=Status.OPEN).update(
        status=Status.RESOLVED, resolution=resolution[:200], resolved_at=now or timezone.now()
    ):
        raise Invalid("This difference is not open any more")
