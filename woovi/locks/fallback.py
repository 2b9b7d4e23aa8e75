"""Without Redis: what the database can do alone, or a refusal, as settings.LOCKS_WITHOUT_REDIS says.

"database" (the default) locks rows by their claims, and split locks by advisory locks. "refuse" raises LocksUnavailable.
Where only some processes have lost Redis, the fence still decides.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connections

from woovi.locks import metrics, names
from woovi.locks.errors import LockNotAvailable, LocksUnavailable
from woovi.locks.lock import Lock


def acquired(lock: Lock) -> bool:
    """Acquire the lock. False: Redis does not answer, and the database shall do it alone."""
    try:
        lock.acquire()
    except LocksUnavailable as error:
        _without(lock, error)
        return False
    return True


async def aacquired(lock: Lock) -> bool:
    """`acquired` for a task."""
    try:
        await lock.aacquire()
    except LocksUnavailable as error:
        _without(lock, error)
        return False
    return True


def _without(lock: Lock, error: LocksUnavailable) -> None:
    if getattr(settings, "LOCKS_WITHOUT_REDIS", "database") == "refuse":
        raise error
    metrics.count(lock.labels, "fallbacks")


def advise(using: str, lock: Lock) -> Any:
    """An advisory lock of each row, in a transaction on a connection of its own, which the caller closes.

    A session's lock on a pooled connection passes to whoever gets that connection next. The database ends the
    transaction of a holder that was silent for as long as Redis would have kept its lease.
    """
    connection: Any = connections[using]
    with connection.wrap_database_errors:
        session = connection.Database.connect(**connection.get_connection_params())
    try:
        limits = {"lock_timeout": lock.patience, "idle_in_transaction_session_timeout": lock.longest}
        for name, seconds in limits.items():
            session.execute("SELECT set_config(%s, %s, true)", [name, f"{max(int(seconds * 1000), 1)}ms"])
        for row in lock.rows:
            session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [names.key(row)])
    except BaseException as error:
        session.close()
        if getattr(error, "sqlstate", "") != "55P03":
            raise
        raise LockNotAvailable(f"{names.key(row)}: held by another") from error
    return session
