"""What is found without being told: lost callbacks, charges half made, charges whose time is over.

The cursor says how far the bank's list of received Pix has been read. It moves only after everything up to there is
booked, so a reader that dies leaves the work to the next; two readers at once do the same harmless work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.utils import timezone

from payments import bank
from payments.bank.port import BankError, BankNotFound, BankReceived
from payments.models import BankCursor, Charge, ReceivedPix
from payments.services import charges, debts, receiving, refunds
from payments.services.errors import Invalid, Unavailable
from woovi.locks import LockNotAvailable

log = logging.getLogger(__name__)

BATCH = 500
FINISH_SECONDS = 5.0  # of one look at half-made charges, so that a bank that hangs is given up until the next
HALF_MADE = timedelta(minutes=1)  # since its last touch: nobody is working on an unregistered charge any more


def read_received(now: datetime | None = None) -> int:
    """Book every Pix of the bank's list that is new here. Returns how many were tried.

    Reads from the cursor less BANK_DELAY, because a Pix may show late in the list, until `now`.
    Raises BankError where the bank does not answer: the cursor stays.
    """
    now = now or timezone.now()
    cursor = BankCursor.objects.filter(name=charges.CURSOR).first() or _first_cursor(now)
    found, all_booked = 0, True
    for batch in _batches(bank.current().list_received(cursor.read_until - charges.BANK_DELAY, now)):
        ids = [received.end_to_end_id for received in batch]
        known = set(ReceivedPix.objects.filter(end_to_end_id__in=ids).values_list("end_to_end_id", flat=True))
        # A known one again where the bank gave some of it back: that may have been its own doing.
        new = [received for received in batch if received.end_to_end_id not in known or received.returns]
        all_booked &= take(new, now)
        found += len(new)
    if all_booked:
        BankCursor.objects.filter(name=charges.CURSOR, read_until__lt=now).update(read_until=now)
    return found


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
    while charges.expire_due(now) == charges.EXPIRE_BATCH:
        pass


def take(told: Iterable[BankReceived], now: datetime | None = None) -> bool:
    """Book what the bank tells: each Pix and its returns. Returns whether all of it is booked.

    One that fails does not keep the others from being booked; the bank will tell of it again.
    """
    all_booked = True
    for received in told:
        try:
            if receiving.receive(received, now):
                refunds.note_returns(received.end_to_end_id, received.returns, now)
        except LockNotAvailable:  # its refund is being asked for at this moment
            all_booked = False
            log.warning("Pix %s is to be told again: its return is in hand", received.end_to_end_id)
        except Exception:
            all_booked = False
            log.exception("Pix %s is not booked", received.end_to_end_id)
    return all_booked
