"""Money of payers that waits in suspense because the bank refused its return: an operator has it tried again."""

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
    """Return what is left in suspense of this refund's Pix, under a new id, as the bank has refused the old one.

    Raises Invalid where it is no refused return out of suspense, or nothing is left: another one is under way, say.
    """
    with transaction.atomic():
        received = ReceivedPix.objects.select_for_update(no_key=True).get(pk=refund.received_id)  # one at a time
        refund = Refund.objects.get(pk=refund.pk)
        if not refund.automatic or refund.status != Refund.Status.REJECTED:
            raise Invalid("Only a refused return out of suspense can be tried again")
        others = Refund.objects.filter(received=received).exclude(status=Refund.Status.REJECTED)
        left = received.value - (others.aggregate(sum=Sum("value"))["sum"] or 0)
        if left <= 0:
            raise Invalid("Nothing of this Pix is left to return: another return is under way or done")
        try:
            return refunds.give_again(received, left, now or timezone.now())
        except ledger.InsufficientFunds as error:
            raise Invalid("Suspense does not have this value any more") from error
