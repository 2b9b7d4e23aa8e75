"""What is found without being told: lost callbacks, charges half made, charges whose time is over.

The cursor says how far the bank's list of received Pix has been read. It moves only after everything up to there is
booked or set aside (`set_aside`), so a reader that dies leaves the work to the next; two readers at once do the same
harmless work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from django.utils import timezone

from payments import bank
from payments.bank.port import BankError, BankNotFound, BankReceived
from payments.models import BankCursor, Charge, ReceivedPix
from payments.services import charges
from payments.services.charges import debts, receiving, refunds
from payments.services.errors import Invalid, ServiceError, Unavailable
from payments.services.reconciliation import set_aside
from woovi.locks import LockNotAvailable

log = logging.getLogger(__name__)

BATCH = 500
FINISH_SECONDS = 5.0  # of one look at half-made charges, so that a bank that hangs is given up until the next
HALF_MADE = timedelta(minutes=1)  # since its last touch: nobody is working on an unregistered charge any more


def read_received(now: datetime | None = None) -> int:
    """Book every Pix of the bank's list that is new here. Returns how many were tried.

    Reads from the cursor less BANK_DELAY, because a Pix may show late in the list, until `now`. What cannot be read or
    booked is set aside, and the cursor goes on.
    Raises BankError where the bank does not answer: the cursor stays.
    """
    now = now or timezone.now()
    cursor = BankCursor.objects.filter(name=charges.CURSOR).first() or _first_cursor(now)
    found = read_between(cursor.read_until - charges.BANK_DELAY, now, now)
    # Only from where this reading began: an operator may have set it back meanwhile.
    mine = BankCursor.objects.filter(name=charges.CURSOR, read_until=cursor.read_until, read_until__lt=now)
    mine.update(read_until=now)
    return found


def read_between(start: datetime, end: datetime, now: datetime) -> int:
    """Book what the bank lists from `start` to `end` and we have not. Returns how many were tried."""
    found = 0
    unreadable = partial(set_aside.keep_unreadable, now=now)
    for batch in _batches(bank.current().list_received(start, end, unreadable)):
        ids = [received.end_to_end_id for received in batch]
        known = set(ReceivedPix.objects.filter(end_to_end_id__in=ids).values_list("end_to_end_id", flat=True))
        skipped = set_aside.among(ids) - known
        # A known one again where the bank gave some of it back: that may have been its own doing.
        done = {received.end_to_end_id for received in batch if not received.returns} & known
        new = [received for received in batch if received.end_to_end_id not in skipped | done]
        for received, reason in failures(new, now):
            if received.end_to_end_id not in known:
                set_aside.keep(received.end_to_end_id, received.txid, reason, now)
        found += len(new)
    return found


def set_back(to: datetime, now: datetime | None = None) -> datetime:
    """Have the bank's list read again from `to` on; nothing expires until it is. Returns where the cursor was.

    Raises Invalid where `to` is not before the cursor, or longer ago than a Pix may be returned.
    """
    now = now or timezone.now()
    cursor = BankCursor.objects.filter(name=charges.CURSOR).first()
    if cursor is None or not now - refunds.WINDOW <= to < cursor.read_until:
        raise Invalid("The cursor can be set back only, by at most 90 days", "read_until")
    BankCursor.objects.filter(name=charges.CURSOR, read_until__gt=to).update(read_until=to)
    return cursor.read_until


def _first_cursor(now: datetime) -> BankCursor:
    """A cursor where the first reading starts: at the oldest charge, or now where there is none."""
    oldest = Charge.objects.order_by("created_at").values_list("created_at", flat=True).first()
    return BankCursor.objects.get_or_create(name=charges.CURSOR, defaults={"read_until": min(oldest or now, now)})[0]


def _batches(items: Iterable[BankReceived]) -> Iterator[list[BankReceived]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def finish_charges(now: datetime | None = None) -> int:
    """Take up charges that were left half made. Returns how many were finished.

    One that the bank has is finished. One that it does not have is forgotten: its request was answered with an
    error, and the correlationID is free again. `updated_at` is a lease: who asks the bank sets it, and a row is forgotten
    only if nobody else, a request that was sent again say, has set it since. It makes them take turns, too.
    """
    now = now or timezone.now()
    finished = 0
    half_made = Charge.objects.filter(registered_at=None, updated_at__lt=now - HALF_MADE)
    deadline = time.monotonic() + FINISH_SECONDS
    for charge in half_made.select_related("company").order_by("updated_at")[:BATCH]:
        if time.monotonic() > deadline:
            break
        if not half_made.filter(pk=charge.pk).update(updated_at=now):
            continue  # somebody else is at it
        try:
            bank.current().read_charge(charge.txid)
            finished += charges.register(charge, now)
        except BankNotFound:
            charges.forget(charge, now)
        except (BankError, Unavailable, Invalid) as error:
            log.warning("Charge %s stays half made: %s", charge.txid, error)
    return finished


def run(now: datetime | None = None) -> None:
    """Everything that is due, in the order that makes expiry exact."""
    debts.collect()
    finish_charges(now)
    read_received(now)
    set_aside.retry(failures, now)
    while charges.expire_due(now) == charges.EXPIRE_BATCH:
        pass


def take(told: Iterable[BankReceived], now: datetime | None = None) -> bool:
    """Book what the bank tells: each Pix and its returns. Returns whether all of it is booked.

    One that fails does not keep the others from being booked; the bank will tell of it again.
    """
    return not failures(told, now)


def failures(told: Iterable[BankReceived], now: datetime | None = None) -> list[tuple[BankReceived, str]]:
    """`take`, returning what is not booked, with the reason."""
    failed = []
    for received in told:
        try:
            if receiving.receive(received, now):
                refunds.note_returns(received.end_to_end_id, received.returns, now)
        except LockNotAvailable:  # its refund is being asked for at this moment
            failed.append((received, "its return is in hand"))
            log.warning("Pix %s is to be told again: its return is in hand", received.end_to_end_id)
        except Exception as error:
            # The database's own words may hold the row, and that a person's data.
            failed.append((received, error.message if isinstance(error, ServiceError) else type(error).__name__))
            log.exception("Pix %s is not booked", received.end_to_end_id)
    return failed
