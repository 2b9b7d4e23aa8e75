"""Expire charges that nobody paid in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from payments.models import BankCursor, Charge, SetAsidePix
from payments.services.charges.events import write_event

# How late a Pix may appear in the bank's list: SPI gives up on a Pix after 40 seconds, the rest is for clocks apart.
BANK_DELAY = timedelta(seconds=60)
CURSOR = "received"  # name of the BankCursor: how far the bank's list of received Pix was read
EXPIRE_BATCH = 500  # charges per transaction


def due() -> QuerySet[Charge]:
    """The charges that `expire_due` would expire now."""
    cursor = BankCursor.objects.filter(name=CURSOR).first()
    if cursor is None:
        return Charge.objects.none()
    return Charge.objects.filter(
        status=Charge.Status.ACTIVE, registered_at__isnull=False, expires_at__lt=cursor.read_until - BANK_DELAY
    ).exclude(txid__in=SetAsidePix.objects.filter(resolved_at=None).exclude(txid="").values("txid"))


def expire_due(now: datetime | None = None) -> int:
    """Expire charges that are past their end. Returns how many; call again while that is EXPIRE_BATCH.

    A charge expires only once the bank's list was read BANK_DELAY past its end. Every Pix paid in time is found by
    then, so EXPIRED is final. A charge whose Pix is set aside waits until that is booked or resolved.
    """
    now = now or timezone.now()
    with transaction.atomic():
        charges = list(
            due()
            .select_for_update(of=("self",), skip_locked=True)
            .select_related("company")
            .order_by("expires_at")[:EXPIRE_BATCH]
        )
        Charge.objects.filter(pk__in=[charge.pk for charge in charges]).update(
            status=Charge.Status.EXPIRED, updated_at=now
        )
        for charge in charges:
            charge.status, charge.updated_at = Charge.Status.EXPIRED, now
            write_event("OPENPIX:CHARGE_EXPIRED", charge)
    return len(charges)
