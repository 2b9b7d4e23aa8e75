"""What a batch reserves of the balance: one hold, replaced by a smaller one whenever rows have ended."""

from __future__ import annotations

from payments.models import Account, PayoutBatch
from payments.services import ledger
from payments.services.ledger import Posting


def set_to(batch: PayoutBatch, value: int) -> None:
    """Reserve `value` centavos, in place of what was reserved. The caller has locked the batch, and saves it.

    Both holds change in one call of the ledger, so that nobody else can spend the money in between.
    """
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
