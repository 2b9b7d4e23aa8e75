"""Call the database function `ledger_post`, in one round trip, and turn its refusals into LedgerError."""

from __future__ import annotations

import psycopg
from django.db import DatabaseError, connection

from payments.services.ledger.postings import (
    HoldResolved,
    IdempotencyConflict,
    InsufficientFunds,
    LedgerError,
    Posted,
    Unbalanced,
    UnknownAccount,
)
from woovi import statements

_POST = """SELECT ids, replayed FROM ledger_post($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[],
    $6::int[], $7::smallint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::int[], $12::text[], $13::jsonb[])"""


def call(arguments: tuple[str, ...]) -> list[Posted]:
    """Call `ledger_post` with `packed` arguments. The answer is parsed here, in a third of the time psycopg takes."""
    try:
        result = statements.execute(_POST, *arguments)
    except DatabaseError as error:
        connection.needs_rollback = connection.in_atomic_block
        if refusal := _refusal(error.__cause__):
            raise refusal from error
        raise
    ids, replayed = result.get_value(0, 0) or b"", result.get_value(0, 1)
    transactions = [int(id_) for id_ in ids[1:-1].split(b",")]
    if replayed is None:
        return [Posted(id_, replayed=False) for id_ in transactions]
    return [Posted(id_, was == b"t") for id_, was in zip(transactions, replayed[1:-1].split(b","), strict=True)]


_REFUSED_BY_STATE: dict[str, type[LedgerError]] = {
    "LG002": Unbalanced,
    "LG003": UnknownAccount,
    "LG004": HoldResolved,
    "LG005": IdempotencyConflict,
    "22003": LedgerError,  # a balance beyond 64 bits
}
_REFUSED_BY_CONSTRAINT: dict[str, type[LedgerError]] = {
    "account_not_overdrawn": InsufficientFunds,
    "account_pending_out_positive": HoldResolved,
    "payments_ledgertransaction_resolves_id_key": HoldResolved,
}


def _refusal(cause: BaseException | None) -> LedgerError | None:
    """The LedgerError for a refusal by the database; None for any other error."""
    if not isinstance(cause, psycopg.Error):
        return None
    error = _REFUSED_BY_STATE.get(cause.sqlstate or "") or _REFUSED_BY_CONSTRAINT.get(cause.diag.constraint_name or "")
    return error(cause.diag.message_primary or str(cause)) if error else None
