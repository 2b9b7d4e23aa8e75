"""Double entry, one way in: `post`. The rules are the database's own; docs/ledger.md explains them.

ids = ledger.accounts(company.pk)
ledger.post(Posting(company.pk, "charge", charge.correlation_id, (
    Line(ids["CLEARING"], -1000), Line(ids["MERCHANT"], 950), Line(ids["FEES"], 50),
), events=(Event("OPENPIX:CHARGE_COMPLETED", body),)))
"""

from __future__ import annotations

from django.db import transaction

from payments.services.ledger.accounts import accounts
from payments.services.ledger.database_call import call
from payments.services.ledger.holds import hold, post_hold, void_hold
from payments.services.ledger.packing import packed
from payments.services.ledger.postings import (
    Event,
    HoldResolved,
    IdempotencyConflict,
    InsufficientFunds,
    LedgerError,
    Line,
    Posted,
    Posting,
    Unbalanced,
    UnknownAccount,
)
from payments.services.ledger.showing import about_to_change, shown_companies

__all__ = [
    "Event",
    "HoldResolved",
    "IdempotencyConflict",
    "InsufficientFunds",
    "LedgerError",
    "Line",
    "Posted",
    "Posting",
    "Unbalanced",
    "UnknownAccount",
    "accounts",
    "hold",
    "post",
    "post_hold",
    "void_hold",
]


def post(*postings: Posting) -> list[Posted]:
    """Post instructions, all or nothing, in one round trip. Returns one answer each, in order.

    The same instruction again gives its first answer. Balances are judged after the whole call, not between its
    postings. In a transaction of the caller's, a refusal by the database aborts it, as any database error does: to go
    on after one, wrap the call in `transaction.atomic()`. Two calls in one transaction lock accounts in two steps and
    may deadlock with others: post together what belongs together.

    Redis is told before, so that no page shows an old balance afterwards (docs/cache.md).

    Raises:
        InsufficientFunds, IdempotencyConflict, UnknownAccount, Unbalanced, HoldResolved: as they say.
        LedgerError: a value that no ledger can hold; refused before the database is asked.
    """
    if not postings:
        return []
    arguments = packed(postings)
    shown = shown_companies(postings)
    if not shown:
        return call(arguments)
    with transaction.atomic(savepoint=False):
        about_to_change(shown)
        return call(arguments)
