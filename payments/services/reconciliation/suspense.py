"""Retry a return out of suspense that the bank has refused. The payer's money waits there for an operator."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from payments.models import ReceivedPix, Refund
from payments.services import ledger
from payments.services.charges import refunds
from payments.services.errors import Invalid


def retry(refund: Refund, now: datetime | None = None) -> Refund:
    """Return what is left in suspense of the refund's Pix. It gets a new id, because the bank refused the old one.

    Raises:
        Invalid: `refund` is not a refused return out of suspense, or nothing of the Pix is left, since another return
            is under way or done.
    """
    with transaction.atomic():
        received = ReceivedPix.objects.select_for_update(no_key=True).get(pk=refund.received_id)  # one retry at a time
        value = left(Refund.objects.get(pk=refund.pk))
        try:
            return refunds.return_again(received, value, now or timezone.now())
        except ledger.InsufficientFunds as error:
            raise Invalid("Suspense does not have this value any more") from error


def left(refund: Refund) -> int:
    """Centavos of the refund's Pix that may be returned again. Raises Invalid as `retry`."""
    if not refund.automatic or refund.status != Refund.Status.REJECTED:
        raise Invalid("Only a refused return out of suspense can be tried again")
    others = Refund.objects.filter(received=refund.received_id).exclude(status=Refund.Status.REJECTED)
    value: int = refund.received.value - (others.aggregate(sum=Sum("value"))["sum"] or 0)
    if value <= 0:
        raise Invalid("Nothing of this Pix is left to return: another return is under way or done")
    return value
