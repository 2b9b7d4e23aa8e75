"""Match the bank's statement with our books, line by line: received Pix, confirmed refunds and confirmed payments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from payments import bank
from payments.bank.port import BankNotOffered, BankReceived, ReturnStatus, StatementLine
from payments.models import Account, BankDifference, Payment, ReceivedPix, Refund
from payments.services.charges import refunds
from payments.services.errors import Invalid

Kind = BankDifference.Kind
MARGIN = timedelta(hours=1)  # read before and after a day, for clocks apart and returns that end about midnight


@dataclass(frozen=True)
class Books:
    """Our books in one snapshot: the sum of the CLEARING accounts in centavos, and the lines by end-to-end id."""

    clearing: int
    lines: dict[str, StatementLine]


@dataclass
class Match:
    """What came of the lines of some time: how many are the same, and the values there and here of the others."""

    same: int = 0
    different: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # by kind and end-to-end id


def match(start: datetime, end: datetime, ours: Books, bank_lines: dict[str, StatementLine]) -> Match:
    """Match the lines from `start` until `end`. A line may be booked here at another time, or there."""
    made = Match()
    of_time = {id_: line for id_, line in bank_lines.items() if start <= line.at < end}
    unseen = [id_ for id_ in of_time if id_ not in ours.lines]
    booked = ours.lines | {line.end_to_end_id: line for line in lines(ids=unseen)}
    for id_, line in of_time.items():
        if id_ not in booked:
            made.different[Kind.MISSING_HERE, id_] = line.value, 0
        elif booked[id_].value != line.value:
            made.different[Kind.VALUE, id_] = line.value, booked[id_].value
        else:
            made.same += 1
    for id_, line in ours.lines.items():
        if start <= line.at < end and id_ not in bank_lines:
            made.different[Kind.MISSING_AT_BANK, id_] = 0, line.value
    return made


def bounds(day: date, now: datetime) -> tuple[datetime, datetime]:
    """When a day (São Paulo time) begins and ends. Raises Invalid where it is not over."""
    start, end = (timezone.make_aware(datetime.combine(day + timedelta(days=n), time.min)) for n in (0, 1))
    if end > now:
        raise Invalid("Only a day that is over can be compared", "day")
    return start, end


def of_day(day: date, now: datetime) -> Match:
    """Match one day's lines; nothing is written. Raises BankError, and Invalid where the day is not over."""
    start, end = bounds(day, now)
    return match(start, end, *read(start, max(now, timezone.now())))


def read(start: datetime, end: datetime) -> tuple[Books, dict[str, StatementLine]]:
    """Our books and the bank's lines until `end`. Ours first: the bank's statement then has all that is booked here."""
    return _books(start - MARGIN), _theirs(start - MARGIN, end + MARGIN)


def _books(since: datetime) -> Books:
    with transaction.atomic():
        if len(connection.atomic_blocks) == 1:  # one snapshot, while the platform goes on
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        clearing = Account.objects.filter(kind=Account.Kind.CLEARING).aggregate(sum=Sum("posted"))["sum"] or 0
        return Books(clearing, {line.end_to_end_id: line for line in lines(since)})


def lines(since: datetime | None = None, ids: list[str] | None = None) -> Iterator[StatementLine]:
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
        found = list(bank.current().statement(start, end))
    except BankNotOffered:
        found = list(_listed(start, end))
    return {line.end_to_end_id: line for line in found}


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
