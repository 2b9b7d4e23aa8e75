"""Compare whole days of the bank with our books. Late Pix are booked; each difference becomes a BankDifference row.

Each line of the bank's statement must be among the received Pix, confirmed refunds and payments here, and the other way round.
Then the bank's balance at the end of the day is compared with the CLEARING accounts', less what the differences
explain. A bank without a statement is compared by its lists of Pix and returns, and without a balance.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import connection, transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from payments import bank
from payments.bank.port import BankNotOffered, BankReceived, ReturnStatus, StatementLine
from payments.models import Account, BankDay, BankDifference, Payment, ReceivedPix, Refund
from payments.services.charges import refunds
from payments.services.errors import Invalid
from payments.services.reconciliation import bank_list, booking, set_aside

log = logging.getLogger(__name__)
Kind, Status = BankDifference.Kind, BankDifference.Status

DAYS_REPEATED = 2  # days before yesterday that are compared again, for Pix that the bank lists late
MARGIN = timedelta(hours=1)  # read before and after a day, for clocks apart and returns that end about midnight


@dataclass(frozen=True)
class Books:
    """Our books in one snapshot: the sum of the CLEARING accounts in centavos, and the lines by end-to-end id."""

    clearing: int
    lines: dict[str, StatementLine]


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
    start = timezone.make_aware(datetime.combine(day, time.min))
    end = timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))
    if end > now:
        raise Invalid("Only a day that is over can be compared", "day")
    bank_list.read_between(start, end, now)
    ours = _books(start - MARGIN)  # before the bank's: its statement then has all that is booked here
    theirs = _theirs(start - MARGIN, max(now, timezone.now()) + MARGIN)
    _note_lines(day, start, end, ours, theirs, now)
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


def _books(since: datetime) -> Books:
    with transaction.atomic():
        if len(connection.atomic_blocks) == 1:  # one snapshot, while the platform goes on
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        clearing = Account.objects.filter(kind=Account.Kind.CLEARING).aggregate(sum=Sum("posted"))["sum"] or 0
        return Books(clearing, {line.end_to_end_id: line for line in _lines(since)})


def _lines(since: datetime | None = None, ids: list[str] | None = None) -> Iterator[StatementLine]:
    """Our received Pix, confirmed refunds and payments as statement lines: those since `since`, or with `ids`."""
    pix, refunded = ReceivedPix.objects.all(), Refund.objects.filter(status=Refund.Status.CONFIRMED)
    paid = Payment.objects.filter(status=Payment.Status.CONFIRMED)
    if since:
        pix, refunded = pix.filter(paid_at__gte=since), refunded.filter(resolved_at__gte=since)
        paid = paid.filter(resolved_at__gte=since)
    if ids is not None:
        pix, refunded = pix.filter(end_to_end_id__in=ids), refunded.filter(end_to_end_id__in=ids)
        paid = paid.filter(end_to_end_id__in=ids)
    for id_, value, at in pix.values_list("end_to_end_id", "value", "paid_at").iterator():
        yield StatementLine(id_, value, at)
    refunds_ended = refunded.values_list("end_to_end_id", "return_id", "value", "resolved_at")
    for id_, return_id, value, resolved_at in refunds_ended.iterator():
        if resolved_at:
            yield StatementLine(id_ or return_id, -value, resolved_at)
    for id_, value, resolved_at in paid.values_list("end_to_end_id", "value", "resolved_at").iterator():
        if resolved_at:
            yield StatementLine(id_, -value, resolved_at)


def _theirs(start: datetime, end: datetime) -> dict[str, StatementLine]:
    """The bank's statement from `start` to `end`, by end-to-end id."""
    try:
        lines = list(bank.current().statement(start, end))
    except BankNotOffered:
        lines = list(_listed(start, end))
    return {line.end_to_end_id: line for line in lines}


def _listed(start: datetime, end: datetime) -> Iterator[StatementLine]:
    """A statement made from the lists of Pix and returns, which every bank has."""
    for received in bank.current().list_received(start, end):
        yield StatementLine(received.end_to_end_id, received.value, received.paid_at)
    for received in bank.current().list_returned(end - refunds.WINDOW, end):
        yield from (line for line in _return_lines(received) if line.at >= start)


def _return_lines(received: BankReceived) -> Iterator[StatementLine]:
    for each in received.returns:
        if each.status == ReturnStatus.DONE:
            yield StatementLine(each.end_to_end_id or each.return_id, -each.value, each.settled_at or received.paid_at)


def _note_lines(
    day: date, start: datetime, end: datetime, ours: Books, theirs: dict[str, StatementLine], now: datetime
) -> None:
    """Note each line of the day that differs, and heal differences that are gone."""
    of_day = {id_: line for id_, line in theirs.items() if start <= line.at < end}
    unseen = [id_ for id_ in of_day if id_ not in ours.lines]
    booked = ours.lines | {line.end_to_end_id: line for line in _lines(ids=unseen)}
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for id_, line in of_day.items():
        if id_ not in booked:
            found[Kind.MISSING_HERE, id_] = line.value, 0
            if line.value > 0:
                set_aside.keep(id_, "", "in the bank's statement, not in its list", now)
        elif booked[id_].value != line.value:
            found[Kind.VALUE, id_] = line.value, booked[id_].value
    for id_, line in ours.lines.items():
        if start <= line.at < end and id_ not in theirs:
            found[Kind.MISSING_AT_BANK, id_] = 0, line.value
    for (kind, id_), values in found.items():
        _note(day, kind, id_, values, now)
    gone = BankDifference.objects.filter(day=day, status=Status.OPEN).exclude(kind=Kind.BALANCE)
    for row in gone:
        if (row.kind, row.end_to_end_id) not in found:
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
        if any(line.value == row.bank_value for line in _lines(ids=[row.end_to_end_id])):
            BankDifference.objects.filter(pk=row.pk).update(status=Status.HEALED, resolved_at=now)


def resolve(row: BankDifference, resolution: str, now: datetime | None = None) -> None:
    """Close a difference that an operator has explained or corrected. Raises Invalid where it is not open."""
    if not BankDifference.objects.filter(pk=row.pk, status=Status.OPEN).update(
        status=Status.RESOLVED, resolution=resolution[:200], resolved_at=now or timezone.now()
    ):
        raise Invalid("This difference is not open any more")
