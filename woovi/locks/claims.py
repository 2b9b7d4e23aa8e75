"""Claims: the moment at which the database learns who holds a row, and decides for good."""

from __future__ import annotations

import functools
from typing import Any

from django.db import OperationalError, connections, models

from woovi.locks import metrics, names
from woovi.locks.errors import LockNotAvailable, StaleFence
from woovi.locks.lock import Lock
from woovi.locks.names import Row

# One round trip: a row's fence goes up unless a later holder's is there, in pk order, as everybody locks them. A
# lock_timeout goes along, so that a holder that was stopped in its transaction stops nobody else. It is taken back at
# the end, because the transaction's own waits are not ours to cut; an error takes it back with the (sub)transaction.
BEFORE = "SELECT set_config('woovi.ms', current_setting('lock_timeout'), true), set_config('lock_timeout', %s, true)"
CLAIM = """UPDATE {table} SET lock_fence = coalesce(%s, lock_fence + 1)
WHERE {pk} = %s AND (lock_fence <= %s) IS NOT FALSE RETURNING {columns}"""
AFTER = "SELECT set_config('lock_timeout', current_setting('woovi.ms'), true)"


def claim(model: type[models.Model], using: str, lock: Lock, pks: list[Any], timeout: float) -> dict[Any, Any]:
    """Claim and read rows of a lock, by pk, in the transaction that is open. One that does not exist is left out.

    Raises:
        StaleFence: a later holder claimed a row. Nothing of ours was written: the caller's transaction rolls back.
        LockNotAvailable: an open transaction of somebody else holds a row for `timeout` seconds.
    """
    label, lock = model._meta.label_lower, lock.holder
    found = claim_with(model, using, {pk: lock.fences[Row(label, pk)] for pk in pks}, timeout)
    missed = model._base_manager.using(using).filter(pk__in=[pk for pk in pks if pk not in found])
    if len(found) < len(pks) and (ahead := dict(missed.values_list("pk", "lock_fence"))):
        # Behind, though the rows are ours? Then Redis forgot the last fence, and its clock is behind the one that gave it.
        if lock.claimed or not lock.extend(max(ahead.values())):
            metrics.count([label], "stale")
            raise StaleFence(f"{label} {sorted(ahead)} was claimed by a later holder")
        found |= claim_with(model, using, {pk: lock.fences[Row(label, pk)] for pk in ahead}, timeout)
    lock.claimed = True
    return found


def claim_with(model: type[models.Model], using: str, fences: dict[Any, int | None], timeout: float) -> dict[Any, Any]:
    """Claim rows with these fences; None is one above the row's last, where the database alone keeps others away."""
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
    """Without Redis: an advisory lock of each row, in a transaction on a connection of its own, which the caller closes.

    A session's lock on a pooled connection would pass to whoever gets that connection next. A holder that is silent for
    longer than Redis would have kept its lease loses its transaction.
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
