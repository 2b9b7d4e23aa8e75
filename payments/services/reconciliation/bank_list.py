"""Read the bank's list of received Pix, and book each one that no callback has told.

The cursor says how far the list was read. It moves only once every Pix up to there is booked or set aside
(`set_aside`). After a crash the next reading starts from the same place; two readings at once do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import islice

from django.utils import timezone

from payments import bank
from payments.bank.port import BankReceived
from payments.models import BankCursor, Charge, ReceivedPix
from payments.services.charges import refunds
from payments.services.charges.expiring import BANK_DELAY, CURSOR
from payments.services.errors import Invalid
from payments.services.reconciliation import booking, set_aside
from woovi import database

BATCH = 500  # Pix looked up in one query


def read_received(now: datetime | None = None) -> int:
    """Book every Pix of the bank's list that is new here. Returns how many were tried.

    Reads the list from BANK_DELAY before the cursor, because a Pix may appear late, until `now`. A Pix that cannot be
    read or booked is set aside, and the cursor moves on.

    Raises:
        BankError: the bank does not answer; the cursor stays where it was.
    """
    now = now or database.now()
    cursor = BankCursor.objects.filter(name=CURSOR).first() or _first_cursor(now)
    found = read_between(cursor.read_until - BANK_DELAY, now, now)
    # Move the cursor only if it is where this reading began: an operator may have set it back meanwhile.
    unmoved = BankCursor.objects.filter(name=CURSOR, read_until=cursor.read_until, read_until__lt=now)
    unmoved.update(read_until=now)
    return found


def read_between(start: datetime, end: datetime, now: datetime) -> int:
    """Book each Pix that the bank lists from `start` to `end` and that is new here. Returns how many were tried.

    Raises BankError where the bank does not answer.
    """
    found = 0
    unreadable = partial(set_aside.keep_unreadable, now=now)
    for batch in _batches(bank.current().list_received(start, end, unreadable)):
        ids = [received.end_to_end_id for received in batch]
        known = set(ReceivedPix.objects.filter(end_to_end_id__in=ids).values_list("end_to_end_id", flat=True))
        skipped = set_aside.among(ids) - known
        # A booked Pix with returns is tried again: the bank may have made one of them by itself.
        done = {received.end_to_end_id for received in batch if not received.returns} & known
        new = [received for received in batch if received.end_to_end_id not in skipped | done]
        for received, reason in booking.book(new, now):
            if received.end_to_end_id not in known:
                set_aside.keep(received.end_to_end_id, received.txid, reason, now)
        found += len(new)
    return found


def set_back(to: datetime, now: datetime | None = None) -> datetime:
    """Set the cursor back, so that the bank's list is read again from `to`. Returns where the cursor was.

    Until the list is read, no charge expires.

    Raises:
        Invalid: `to` is not before the cursor, or longer ago than a Pix may be returned (90 days).
    """
    now = now or timezone.now()
    cursor = BankCursor.objects.filter(name=CURSOR).first()
    if cursor is None or not now - refunds.WINDOW <= to < cursor.read_until:
        raise Invalid("The cursor can be set back only, by at most 90 days", "read_until")
    BankCursor.objects.filter(name=CURSOR, read_until__gt=to).update(read_until=to)
    return cursor.read_until


def _first_cursor(now: datetime) -> BankCursor:
    """Create the cursor at the oldest charge, or at `now` where there is no charge."""
    oldest = Charge.objects.order_by("created_at").values_list("created_at", flat=True).first()
    return BankCursor.objects.get_or_create(name=CURSOR, defaults={"read_until": min(oldest or now, now)})[0]


def _batches(items: Iterable[BankReceived]) -> Iterator[list[BankReceived]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
