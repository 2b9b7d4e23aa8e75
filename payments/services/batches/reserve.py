"""What a batch reserves of the balance: one hold, replaced by a smaller one whenever rows have ended."""

from __future__ import annotations

from payments.models import Account, PayoutBatch
from payments.services import ledger, transfer_limits
from payments.services.ledger import Posting


def set_to(batch: PayoutBatch, value: int, paid: int = 0) -> None:
    """Reserve `value` centavos, in place of what was reserved. The caller has locked the batch, and saves it.

    Both holds change in one call of the ledger, so that nobody else can spend the money in between. What is neither
    reserved any more nor `paid` (centavos) no longer counts in the company's limit.

    Raises LimitReached, or InsufficientFunds, where more is reserved than the company may or can send.
    """
    began = batch.round_began_at or batch.approved_at
    assert began
    if (more := value + paid - batch.reserved) > 0:
        transfer_limits.take(batch.company_id, more, began)
    elif more < 0 or batch.status == PayoutBatch.Status.CANCELLED:
        # A cancelled batch releases later, in the transaction that books its last rows, what was not sent: by then the
        # account is locked, and an approval that has the period wants it. For all others that would be a lock for nothing.
        transfer_limits.count(batch.company_id, more, began)
    postings: list[Posting] = []
    if batch.hold_id:
        postings.append(ledger.void_hold(batch.hold_id, f"{batch.public_id}/{batch.holds}", "payout_void"))
    if value:
        batch.holds += 1
        merchant = ledger.accounts(batch.company_id)[Account.Kind.MERCHANT]
        name = f"{batch.public_id}/{batch.holds}"
        postings.append(ledger.hold(batch.company_id, name, "payout_hold", merchant, value))
    posted = ledger.post(*postings)
    batch.hold_id = posted[-1].transaction_id if value else None
    batch.reserved = value
