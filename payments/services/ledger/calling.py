"""The one round trip: a prepared call of the database's function, and its refusals in our words."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import psycopg
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from psycopg import pq
from psycopg.pq.abc import PGresult

from payments.services.ledger.postings import (
    HoldResolved,
    IdempotencyConflict,
    InsufficientFunds,
    LedgerError,
    Posted,
    Unbalanced,
    UnknownAccount,
)

_POST = b"""SELECT ids, replayed FROM ledger_post($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[],
    $6::int[], $7::smallint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::int[], $12::text[], $13::jsonb[])"""
_prepared: WeakSet[psycopg.Connection[Any]] = WeakSet()


def call(arguments: tuple[str, ...]) -> list[Posted]:
    """Run the function as a prepared statement on Django's own connection, through psycopg's wrapper of libpq.

    A cursor costs the client twice the processor time; under load that is a quarter of all (docs/decisions).
    """
    database = connections[DEFAULT_DB_ALIAS]  # once: each look through `django.db.connection` costs microseconds
    database.ensure_connection()
    database.validate_no_broken_transaction()
    session: psycopg.Connection[Any] = database.connection
    try:
        with database.wrap_database_errors:
            if not session.autocommit and session.pgconn.transaction_status == pq.TransactionStatus.IDLE:
                session.execute("SELECT 1")  # psycopg begins the caller's transaction with its own first statement
            if session not in _prepared:
                _checked(session, session.pgconn.prepare(b"ledger_post", _POST))
                _prepared.add(session)
            arrays = [argument.encode() for argument in arguments]
            result = _checked(session, session.pgconn.exec_prepared(b"ledger_post", arrays))
    except DatabaseError as error:
        database.needs_rollback = database.in_atomic_block
        if refusal := _refusal(error.__cause__):
            raise refusal from error
        raise
    ids, replayed = result.get_value(0, 0) or b"", result.get_value(0, 1)
    transactions = [int(id_) for id_ in ids[1:-1].split(b",")]
    if replayed is None:
        return [Posted(id_, replayed=False) for id_ in transactions]
    return [Posted(id_, was == b"t") for id_, was in zip(transactions, replayed[1:-1].split(b","), strict=True)]


def _checked(session: psycopg.Connection[Any], result: PGresult) -> PGresult:
    if session.pgconn.status == pq.ConnStatus.BAD:
        raise psycopg.OperationalError("the connection to the database is lost")
    if result.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        raise psycopg.errors.error_from_result(result, session.info.encoding)
    return result


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
    """The database's refusal in our words; None where it is another error."""
    if not isinstance(cause, psycopg.Error):
        return None
    error = _REFUSED_BY_STATE.get(cause.sqlstate or "") or _REFUSED_BY_CONSTRAINT.get(cause.diag.constraint_name or "")
    return error(cause.diag.message_primary or str(cause)) if error else None
