"""Claims: the moment at which the database learns who holds a row, and decides for good."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connections, models

from woovi.locks import metrics
from woovi.locks.errors import LockNotAvailable, StaleFence
from woovi.locks.names import Row

if TYPE_CHECKING:
    from woovi.locks.lock import Lock

# Rows are locked in pk order, as everybody locks them; then the fence goes up, unless a later holder's is there. A
# lock_timeout goes with the statement, so that a holder that was stopped in its transaction stops nobody else; once all
# rows are locked it is what it was, because the transaction's own waits are not ours to cut.
CLAIM = """
WITH before AS MATERIALIZED (SELECT current_setting('lock_timeout') AS ms),
patience AS MATERIALIZED (SELECT set_config('lock_timeout', %s, true) AS ms FROM before),
wanted AS MATERIALIZED (SELECT key::{type} AS pk, value::bigint AS fence FROM patience, json_each_text(%s) WHERE ms <> ''),
locked AS MATERIALIZED (
    SELECT t.{pk} AS pk FROM {table} t WHERE t.{pk} IN (SELECT pk FROM wanted) ORDER BY t.{pk} FOR UPDATE {wait}
),
done AS MATERIALIZED (
    SELECT set_config('lock_timeout', before.ms, true) AS ms FROM (SELECT count(*) AS rows FROM locked) l, before
    WHERE rows >= 0
)
UPDATE {table} t SET lock_fence = {fence} FROM done, wanted JOIN locked USING (pk)
WHERE done.ms <> '' AND t.{pk} = wanted.pk {unless} RETURNING t.*
"""


def claim(model: type[models.Model], using: str, lock: Lock) -> dict[Any, Any]:
    """Claim and read the lock's rows of `model`, by pk; a row that does not exist is left out.

    Raises:
        StaleFence: a later holder claimed a row. Nothing of ours was written: the caller's transaction rolls back.
        LockNotAvailable: an open transaction of somebody else holds a row, for all of the lock's timeout.
    """
    label = model._meta.label_lower
    fences = {row.pk: fence for row, fence in lock.fences.items() if row.label == label}
    found = _claim(model, using, fences, lock.patience)
    missed = _fences(model, using, fences.keys() - found.keys())
    if not missed:
        return found
    # Behind, though the rows are ours? Then Redis forgot the last fence, and its clock is behind the one that gave it.
    if not lock.raise_fences({Row(label, pk): fence for pk, fence in missed.items()}):
        metrics.count([label], "stale")
        raise StaleFence(f"{label} {sorted(missed)} was claimed by a later holder")
    return found | _claim(model, using, {pk: lock.fences[Row(label, pk)] for pk in missed}, lock.patience)


def claim_without_redis(
    model: type[models.Model], using: str, pks: list[Any], timeout: float, wait: str = ""
) -> dict[Any, Any]:
    """Claim with a fence one above the last: the row locks of the database alone keep others away.

    wait: "", "NOWAIT" or "SKIP LOCKED".
    """
    return _claim(model, using, dict.fromkeys(pks, 0), timeout, fence="t.lock_fence + 1", unless="", wait=wait)


def raise_in_database(model: type[models.Model], using: str, pk: Any, fence: int) -> None:
    """Make the row's fence at least `fence`. Raises LockNotAvailable where an open transaction holds the row."""
    _claim(model, using, {pk: fence}, 0.5)


def _claim(
    model: type[models.Model], using: str, fences: dict[Any, int], timeout: float,
    fence: str = "wanted.fence", unless: str = "AND t.lock_fence < wanted.fence", wait: str = "",
) -> dict[Any, Any]:  # fmt: skip
    if not fences:
        return {}
    connection, meta = connections[using], model._meta
    sql = CLAIM.format(
        pk=connection.ops.quote_name(str(meta.pk.column)), type=meta.pk.rel_db_type(connection),
        table=connection.ops.quote_name(meta.db_table), fence=fence, unless=unless,
        wait=wait,
    )  # fmt: skip
    patience = f"{max(int(timeout * 1000), 1)}ms"
    wanted = json.dumps({str(pk): n for pk, n in fences.items()})
    try:
        return {row.pk: row for row in model._base_manager.using(using).raw(sql, [patience, wanted])}
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "55P03":  # lock_not_available
            raise
        raise LockNotAvailable(f"{meta.label_lower}: another transaction holds a row") from error


def _fences(model: type[models.Model], using: str, pks: Any) -> dict[Any, int]:
    rows = model._base_manager.using(using).filter(pk__in=list(pks)) if pks else model._base_manager.none()
    return dict(rows.values_list("pk", "lock_fence"))


def still_ours(model: type[models.Model], using: str, fences: dict[Any, int], timeout: float) -> dict[Any, Any]:
    """Read rows that were claimed in an earlier transaction, locked for this one. Raises StaleFence, LockNotAvailable."""
    found = _claim(model, using, fences, timeout, unless="AND t.lock_fence = wanted.fence")
    late = _fences(model, using, fences.keys() - found.keys())
    if late:
        metrics.count([model._meta.label_lower], "stale")
        raise StaleFence(f"{model._meta.label_lower} {sorted(late)} was claimed by a later holder")
    return found
