"""Claims: the moment at which the database learns who holds a row, and decides for good."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError, connections, models

from woovi.locks import metrics
from woovi.locks.errors import LockNotAvailable, StaleFence
from woovi.locks.lock import Lock
from woovi.locks.names import Row

# One round trip: a row's fence goes up unless a later holder's is there, in pk order, as everybody locks them. A
# lock_timeout goes along, so that a holder that was stopped in its transaction stops nobody else. It is taken back at
# the end, because the transaction's own waits are not ours to cut; an error takes it back with the (sub)transaction.
BEFORE = "SELECT set_config('woovi.lock_timeout', current_setting('lock_timeout'), true), set_config('lock_timeout', %s, true)"
CLAIM = """UPDATE {table} SET lock_fence = coalesce(%s, lock_fence + 1)
WHERE {pk} = %s AND (lock_fence <= %s) IS NOT FALSE RETURNING {columns}"""
AFTER = "SELECT set_config('lock_timeout', current_setting('woovi.lock_timeout'), true)"


def claim(model: type[models.Model], using: str, lock: Lock, pks: list[Any], timeout: float) -> dict[Any, Any]:
    """Claim and read rows of a lock, by pk, in the transaction that is open. One that does not exist is left out.

    Raises:
        StaleFence: a later holder claimed a row. Nothing of ours was written: the caller's transaction rolls back.
        LockNotAvailable: an open transaction of somebody else holds a row for `timeout` seconds.
    """
    label, lock = model._meta.label_lower, lock.holder
    found = claim_with(model, using, {pk: lock.fences[Row(label, pk)] for pk in pks}, timeout)
    missed = [pk for pk in pks if pk not in found]
    if missed and (
        ahead := dict(model._base_manager.using(using).filter(pk__in=missed).values_list("pk", "lock_fence"))
    ):
        # Behind, though the rows are ours? Then Redis forgot the last fence, and its clock is behind the one that gave it.
        if lock.claimed or not lock.extend(max(ahead.values())):
            metrics.count([label], "stale")
            raise StaleFence(f"{label} {sorted(ahead)} was claimed by a later holder")
        found |= claim_with(model, using, {pk: lock.fences[Row(label, pk)] for pk in ahead}, timeout)
    lock.claimed = True
    return found


def claim_with(model: type[models.Model], using: str, fences: dict[Any, int | None], timeout: float) -> dict[Any, Any]:
    """Claim rows with these fences; None is one above the row's last, where the database alone keeps others away."""
    connection, meta = connections[using], model._meta
    quote, fields = connection.ops.quote_name, meta.concrete_fields
    columns = ", ".join(quote(str(field.column)) for field in fields)
    statement = CLAIM.format(table=quote(meta.db_table), pk=quote(str(meta.pk.column)), columns=columns)
    values: list[Any] = [f"{max(int(timeout * 1000), 1)}ms"]
    for pk, fence in fences.items():
        values += [fence, meta.pk.get_db_prep_value(pk, connection), fence]
    compiler = model._base_manager.using(using).all().query.get_compiler(using)
    converters = compiler.get_converters([field.get_col(meta.db_table) for field in fields])
    found = {}
    with connection.cursor() as cursor:
        try:
            cursor.execute("; ".join([BEFORE, *[statement] * len(fences), AFTER]), values)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != "55P03":  # lock_not_available
                raise
            raise LockNotAvailable(f"{meta.label_lower}: another transaction holds a row") from error
        for pk in fences:
            cursor.nextset()
            for row in compiler.apply_converters(cursor.fetchall(), converters):
                found[pk] = model.from_db(using, [field.attname for field in fields], row)
    return found
