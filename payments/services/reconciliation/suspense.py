"""What becomes of a payer's money in suspense whose return the bank has refused: it is returned again, or the merchant's."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from payments.models import Account, LedgerTransaction, ReceivedPix, Refund
from payments.services import ledger
from payments.services.charges import bank_returns, refunds
from payments.services.errors import Invalid
from payments.services.ledger import Event, Line, Posting


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


def credit(refund: Refund) -> LedgerTransaction:
    """Give the merchant what is left in suspense of the refund's Pix: its payer cannot have it back. No fee is taken.

    From then on it is the merchant's, also where the bank takes it back later. Raises Invalid as `retry`.
    """
    with transaction.atomic():
        received = ReceivedPix.objects.select_for_update(no_key=True).get(pk=refund.received_id)  # no retry beside it
        value, ids = left(Refund.objects.get(pk=refund.pk)), ledger.accounts(received.company_id)
        lines = (Line(ids[Account.Kind.SUSPENSE], -value), Line(ids[Account.Kind.MERCHANT], value))
        event = Event("suspense.credited", {"value": value})  # refreshes the company's pages
        posting = Posting(
            received.company_id, bank_returns.CREDITED_LATER, received.end_to_end_id, lines, events=(event,)
        )
        try:
            (posted,) = ledger.post(posting)
        except ledger.InsufficientFunds as error:
            raise Invalid("Suspense does not have this value any more") from error
    return LedgerTransaction.objects.get(pk=posted.transaction_id)


def left(refund: Refund) -> int:
    """Centavos of the refund's Pix that may be returned again. Raises Invalid as `retry`."""
    if not refund.automatic or refund.status != Refund.Status.REJECTED:
        raise Invalid("Only a refused return out of suspense can be tried again")
    if bank_returns.source(refund.received) != Account.Kind.SUSPENSE:
        raise Invalid("Nothing of this Pix is left to return: it is the merchant's")
    others = Refund.objects.filter(received=refund.received_id).exclude(status=Refund.Status.REJECTED)
    value: int = refund.received.value - (others.aggregate(sum=Sum("value"))["sum"] or 0)
    if value <= 0:
        raise Invalid("Nothing of this Pix is left to return: another return is under way or done")
    return value
