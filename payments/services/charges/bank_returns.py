"""Book a return that the bank made by itself, after fraud (MED) or in its own app. The money is gone already.

It becomes a refund like any other, in the same lists and with the same events. Nothing is held for it while the bank
works on it, which takes seconds. Once it is done, its value is debited from the account that was credited with the Pix;
what that account lacks, the company owes (`debts`). The Pix and the return's id identify it, so it is booked once.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet, Sum

from payments.bank.port import BankReturn
from payments.models import Account, Charge, LedgerTransaction, ReceivedPix, Refund
from payments.services import debts, ledger
from payments.services.ledger import Event, Line, Posting
from woovi import outbox

log = logging.getLogger(__name__)

CREDITED_LATER = "suspense_credit"  # the ledger's kind: an operator gave the merchant what could not be returned


def record(received: ReceivedPix, reported: BankReturn, now: datetime) -> Refund:
    """Get or create the refund of a return that we did not ask for. A new one is counted in its charge at once."""
    label = "Returned by the bank" + (f": {reported.nature}" if reported.nature else "")
    charge_id = received.charge_id if received.outcome == ReceivedPix.Outcome.SETTLED else None
    fresh = {
        "company_id": received.company_id,
        "charge_id": charge_id,
        "correlation_id": str(uuid.uuid4()),  # a random id that no merchant has used
        "request_hash": b"",
        "value": reported.value,
        "comment": label[:140],
        "by_bank": True,
        "end_to_end_id": reported.end_to_end_id,
        "created_at": now,
    }
    with transaction.atomic():
        refund, is_new = Refund.objects.get_or_create(received=received, return_id=reported.return_id, defaults=fresh)
        if is_new:
            log.warning("The bank returns %s of Pix %s by itself", reported.return_id, received.end_to_end_id)
            add_to_charge(refund, reported.value, now)
            outbox.write("refund.requested", str(received.company_id), {"refund_id": refund.pk})
    return refund


def add_to_charge(refund: Refund, value: int, now: datetime) -> None:
    """Add `value` centavos (negative: subtract) to the refunded total of the refund's charge."""
    if refund.charge_id is None:
        return
    of_bank = value if refund.by_bank else 0
    Charge.objects.filter(pk=refund.charge_id).update(
        refunded=F("refunded") + value, returned_by_bank=F("returned_by_bank") + of_bank, updated_at=now
    )


def restate(refund: Refund, value: int, now: datetime) -> None:
    """Correct the value, in centavos, of an unfinished return by the bank. The caller has locked the refund's row."""
    log.warning("The bank returns %s centavos by %s, not %s", value, refund.return_id, refund.value)
    add_to_charge(refund, value - refund.value, now)
    refund.value = value
    refund.save(update_fields=["value"])


def must_wait(refund: Refund) -> bool:
    """Whether a return of ours still holds the Pix in suspense. This one is booked after the bank has refused ours."""
    ours = _others(refund).filter(status=Refund.Status.IN_PROCESSING, by_bank=False)
    return not refund.received.credited and ours.exists()


def debit(refund: Refund, kind: str, event: Event) -> int:
    """Post that the refund's value has left the bank, with `event`. Returns the transaction's id.

    The caller has locked the refund's row.
    """
    received = ReceivedPix.objects.select_for_update(no_key=True).get(pk=refund.received_id)
    accounts = ledger.accounts(refund.company_id)
    clearing = accounts[Account.Kind.CLEARING]
    kind_of_source = source(received)
    taken_from = accounts[kind_of_source]
    available = debts.locked([clearing, taken_from])[taken_from].available
    if kind_of_source == Account.Kind.SUSPENSE:  # the rest of suspense belongs to other payers
        gone = _others(refund).filter(status=Refund.Status.CONFIRMED).aggregate(sum=Sum("value"))["sum"] or 0
        available = min(available, received.value - gone)
    taken = max(min(refund.value, available), 0)
    lines = [Line(clearing, refund.value)]
    if taken:
        lines.append(Line(taken_from, -taken))
    if taken < refund.value:
        lines.append(Line(debts.receivable(refund.company_id), taken - refund.value))
    key = f"{received.end_to_end_id}/{refund.return_id}"
    return ledger.post(Posting(refund.company_id, kind, key, tuple(lines), events=(event,)))[0].transaction_id


def source(received: ReceivedPix) -> Account.Kind:
    """The account that was credited with the Pix: the merchant's, at once or later by an operator, or suspense."""
    later = LedgerTransaction.objects.filter(
        company_id=received.company_id, kind=CREDITED_LATER, correlation_id=received.end_to_end_id
    )
    return Account.Kind.MERCHANT if received.credited or later.exists() else Account.Kind.SUSPENSE


def _others(refund: Refund) -> QuerySet[Refund]:
    return Refund.objects.filter(received_id=refund.received_id).exclude(pk=refund.pk)
