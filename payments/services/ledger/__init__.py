"""The double-entry ledger. `post` is the only way to write; the database enforces the rules (docs/ledger.md).

ids = ledger.accounts(company.pk)
ledger.post(Posting(company.pk, "charge", charge.correlation_id, (
    Line(ids["CLEARING"], -1000), Line(ids["MERCHANT"], 950), Line(ids["FEES"], 50),
), events=(Event("OPENPIX:CHARGE_COMPLETED", body),)))
"""

from __future__ import annotations

from django.db import transaction

from payments.services.ledger.accounts import accounts
from payments.services.ledger.balance_cache import announce_change, shown_companies
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
    """Post instructions, all or nothing, in one round trip. Returns one answer per posting, in order.

    A repeated instruction gets its first answer. Balances are checked after the whole call, not between its postings.
    A refusal by the database aborts the caller's transaction, as any database error does; to continue after one, wrap
    the call in `transaction.atomic()`. Two calls in one transaction lock accounts in two steps and may deadlock with
    other transactions, so post in one call what belongs together.

    The balance cache is invalidated first, so that no page shows an old balance afterwards (docs/cache.md).

    Raises:
        InsufficientFunds, IdempotencyConflict, UnknownAccount, Unbalanced, HoldResolved: see each.
        LedgerError: a value is out of range or of the wrong type; the database is not asked.
    """
    if not postings:
        return []
    arguments = packed(postings)
    shown = shown_companies(postings)
    if not shown:
        return call(arguments)
    with transaction.atomic(savepoint=False):
        announce_change(shown)
        return call(arguments)
