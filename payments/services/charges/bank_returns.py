"""A return that the bank made by itself, after fraud (MED) or in its own app: the money is gone, so it is booked.

It becomes a refund like others, in the same lists and with the same events. Nothing is held for it while the bank is at
it, which is seconds; once done, its value is taken from where the Pix went, and what is not there any more is owed
(`debts`). A return is known by its Pix and its id, so it is booked once, however often it is told.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet, Sum

from payments.bank.port import BankReturn
from payments.models import Account, Charge, ReceivedPix, Refund
from payments.services import ledger
from payments.services.charges import debts
from payments.services.ledger import Event, Line, Posting
from woovi import outbox

log = logging.getLogger(__name__)


def record(received: ReceivedPix, told: BankReturn, now: datetime) -> Refund:
    """The refund of a return that we did not ask for. It counts in its charge from the first time it is told."""
    label = "Returned by the bank" + (f": {told.nature}" if told.nature else "")
    charge_id = received.charge_id if received.outcome == ReceivedPix.Outcome.SETTLED else None
    fresh = {
        "company_id": received.company_id,
        "charge_id": charge_id,
        "correlation_id": str(uuid.uuid4()),  # nobody can have taken it
        "request_hash": b"",
        "value": told.value,
        "comment": label[:140],
        "by_bank": True,
        "end_to_end_id": told.end_to_end_id,
        "created_at": now,
    }
    with transaction.atomic():
        refund, is_new = Refund.objects.get_or_create(received=received, return_id=told.return_id, defaults=fresh)
        if is_new:
            log.warning("The bank returns %s of Pix %s by itself", told.return_id, received.end_to_end_id)
            count(refund, told.value, now)
            outbox.write("refund.requested", str(received.company_id), {"refund_id": refund.pk})
    return refund


def count(refund: Refund, value: int, now: datetime) -> None:
    """Add `value` (negative: take it off) to what its charge counts as given back."""
    if refund.charge_id is None:
        return
    of_bank = value if refund.by_bank else 0
    Charge.objects.filter(pk=refund.charge_id).update(
        refunded=F("refunded") + value, returned_by_bank=F("returned_by_bank") + of_bank, updated_at=now
    )


def restate(refund: Refund, value: int, now: datetime) -> None:
    """The bank tells another value of its own return while that is under way. The refund's row is locked."""
    log.warning("The bank returns %s centavos by %s, not %s", value, refund.return_id, refund.value)
    count(refund, value - refund.value, now)
    refund.value = value
    refund.save(update_fields=["value"])


def must_wait(refund: Refund) -> bool:
    """Whether money in suspense is still held for a return of ours. The bank refuses that one, then this is booked."""
    ours = _others(refund).filter(status=Refund.Status.IN_PROCESSING, by_bank=False)
    return not refund.received.credited and ours.exists()


def debit(refund: Refund, kind: str, told: Event) -> int:
    """Post that the refund's value has left the bank. Returns the transaction. The refund's row is locked."""
    received = ReceivedPix.objects.select_for_update(no_key=True).get(pk=refund.received_id)
    accounts = ledger.accounts(refund.company_id)
    clearing = accounts[Account.Kind.CLEARING]
    source = accounts[Account.Kind.MERCHANT if received.credited else Account.Kind.SUSPENSE]
    there = debts.locked([clearing, source])[source].available
    if not received.credited:  # the rest of suspense is other payers'
        gone = _others(refund).filter(status=Refund.Status.CONFIRMED).aggregate(sum=Sum("value"))["sum"] or 0
        there = min(there, received.value - gone)
    taken = max(min(refund.value, there), 0)
    lines = [Line(clearing, refund.value)]
    if taken:
        lines.append(Line(source, -taken))
    if taken < refund.value:
        lines.append(Line(debts.receivable(refund.company_id), taken - refund.value))
    key = f"{received.end_to_end_id}/{refund.return_id}"
    return ledger.post(Posting(refund.company_id, kind, key, tuple(lines), events=(told,)))[0].transaction_id


def _others(refund: Refund) -> QuerySet[Refund]:
    return Refund.objects.filter(received_id=refund.received_id).exclude(pk=refund.pk)
