"""Claims: a holder writes its fence into the row. The database refuses a fence that is lower than the row's."""

from __future__ import annotations

import functools
from typing import Any

from django.db import OperationalError, connections, models

from woovi.locks import metrics, names
from woovi.locks.errors import LockNotAvailable, StaleFence
from woovi.locks.lock import Lock
from woovi.locks.names import Row

# One round trip: each row's fence is raised unless a later holder's is there, in pk order, as everybody locks them. A
# lock_timeout bounds the wait for a holder that hangs in its transaction. It is reset at the end, because the caller's own
# waits are not limited; after an error the rollback resets it.
BEFORE = "SELECT set_config('woovi.ms', current_setting('lock_timeout'), true), set_config('lock_timeout', %s, true)"
CLAIM = """UPDATE {table} SET lock_fence = coalesce(%s, lock_fence + 1)
WHERE {pk} = %s AND (lock_fence <= %s) IS NOT FALSE RETURNING {columns}"""
AFTER = "SELECT set_config('lock_timeout', current_setting('woovi.ms'), true)"


def claim(model: type[models.Model], using: str, lock: Lock, pks: list[Any], timeout: float) -> dict[Any, Any]:
    """Claim and read a lock's rows in the open transaction. Returns them by pk, without those that do not exist.

    timeout: seconds to wait for another transaction that holds a row.

    Raises:
        StaleFence: a later holder claimed a row. The caller's transaction must roll back.
        LockNotAvailable: another open transaction held a row for all of `timeout`.
    """
    label, lock = model._meta.label_lower, lock.holder
    found = claim_with(model, using, {pk: lock.fences[Row(label, pk)] for pk in pks}, timeout)
    missed = model._base_manager.using(using).filter(pk__in=[pk for pk in pks if pk not in found])
    if len(found) < len(pks) and (ahead := dict(missed.values_list("pk", "lock_fence"))):
        # Our fence is lower than the row's, though we hold the lock? Then Redis lost the last fence, and its clock is
        # behind the clock of the server that gave it.
        if lock.claimed or not lock.extend(max(ahead.values())):
            metrics.count([label], "stale")
            raise StaleFence(f"{label} {sorted(ahead)} was claimed by a later holder")
        found |= claim_with(model, using, {pk: lock.fences[Row(label, pk)] for pk in ahead}, timeout)
    lock.claimed = True
    return found


def claim_with(model: type[models.Model], using: str, fences: dict[Any, int | None], timeout: float) -> dict[Any, Any]:
    """Claim rows with these fences, by pk. None means one above the row's last: for locks by the database alone."""
    connection, (statement, names_of_fields, converters) = connections[using], _shape(model, using)
    values: list[Any] = [_milliseconds(timeout)]
    for pk, fence in fences.items():
        values += [fence, model._meta.pk.get_db_prep_value(pk, connection), fence]
    found = {}
    with connection.cursor() as cursor:
        try:
            cursor.execute("; ".join([BEFORE, *[statement] * len(fences), AFTER]), values)
        except OperationalError as error:
            raise _in_our_words(error, error.__cause__, model._meta.label_lower) from error
        for pk in fences:
            cursor.nextset()
            for row in map(list, cursor.fetchall()):
                for place, (convert, column) in converters:
                    row[place] = convert(row[place], column, connection)
                found[pk] = model.from_db(using, names_of_fields, row)
    return found


@functools.cache
def _shape(model: type[models.Model], using: str) -> tuple[str, list[str], list[Any]]:
    """The statement that claims one row, the fields that it returns, and how Django converts some of them."""
    meta, quote = model._meta, connections[using].ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in meta.concrete_fields)
    compiler = model._base_manager.using(using).all().query.get_compiler(using)
    converters = compiler.get_converters([field.get_col(meta.db_table) for field in meta.concrete_fields])
    each = [(place, (convert, column)) for place, (converts, column) in converters.items() for convert in converts]
    statement = CLAIM.format(table=quote(meta.db_table), pk=quote(str(meta.pk.column)), columns=columns)
    return statement, [field.attname for field in meta.concrete_fields], each


def advise(using: str, lock: Lock) -> Any:
    """Lock without Redis: take an advisory lock of each row, on a new connection that the caller must close.

    The locks belong to a transaction: session locks on a pooled connection would pass to its next user. A holder that is
    silent for longer than its lease in Redis would last loses the transaction. Raises LockNotAvailable.
    """
    connection: Any = connections[using]
    with connection.wrap_database_errors:
        session = connection.Database.connect(**connection.get_connection_params())
    limits = {"lock_timeout": lock.patience, "idle_in_transaction_session_timeout": lock.longest}
    try:
        for name, seconds in limits.items():
            session.execute("SELECT set_config(%s, %s, true)", [name, _milliseconds(seconds)])
        for row in lock.rows:
            session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [names.key(row)])
    except BaseException as error:
        session.close()
        raise _in_our_words(error, error, names.key(row)) from error
    return session


def _milliseconds(seconds: float) -> str:
    return f"{max(int(seconds * 1000), 1)}ms"


def _in_our_words(error: BaseException, cause: BaseException | None, what: str) -> BaseException:
    refused = getattr(cause, "sqlstate", "") == "55P03"  # lock_not_available
    return LockNotAvailable(f"{what}: another transaction holds it") if refused else error
