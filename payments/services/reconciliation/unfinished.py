"""Finish charges that were inserted here and not registered, because their request died in between."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.utils import timezone

from payments import bank
from payments.bank.port import BankError, BankNotFound
from payments.models import Charge
from payments.services.charges import creating, registering
from payments.services.errors import Invalid, Unavailable

log = logging.getLogger(__name__)

BATCH = 500
FINISH_SECONDS = 5.0  # of one run: where the bank hangs, the rest waits for the next run
UNTOUCHED = timedelta(minutes=1)  # since its last update: no request works on the charge any more


def finish_charges(now: datetime | None = None) -> int:
    """Finish charges whose request died before they were registered. Returns how many were finished.

    A charge that the bank has is registered here. One that it does not have is deleted: its request got an error as
    answer, and the correlationID is free again.

    `updated_at` is a lease. It is set before the bank is asked, and a charge is deleted only if it is still the same:
    not if the merchant's request was sent again meanwhile. The oldest comes first, so charges take turns.
    """
    now = now or timezone.now()
    finished = 0
    unregistered = Charge.objects.filter(registered_at=None, updated_at__lt=now - UNTOUCHED)
    deadline = time.monotonic() + FINISH_SECONDS
    for charge in unregistered.select_related("company").order_by("updated_at")[:BATCH]:
        if time.monotonic() > deadline:
            break
        if not unregistered.filter(pk=charge.pk).update(updated_at=now):
            continue  # another process has it
        try:
            bank.current().read_charge(charge.txid, overdue=charge.is_overdue)
            finished += registering.register(charge, now)
        except BankNotFound:
            creating.forget(charge, now)
        except (BankError, Unavailable, Invalid) as error:
            log.warning("Charge %s is still unfinished: %s", charge.txid, error)
    return finished
