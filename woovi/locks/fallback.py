"""Without Redis: what the database can do alone, or a refusal, as settings.LOCKS_WITHOUT_REDIS says.

"database" (the default) locks rows by SELECT ... FOR UPDATE in pk order, and split locks by advisory locks of the
session. "refuse" raises LocksUnavailable. Where only some processes have lost Redis, the fence still decides.
"""

from __future__ import annotations

import contextlib
import random
import time
from typing import Any

from django.conf import settings
from django.db import connections, models

from woovi.locks import metrics, names
from woovi.locks.claims import claim, claim_without_redis, still_ours
from woovi.locks.errors import LockNotAvailable, LocksUnavailable
from woovi.locks.lock import Lock
from woovi.locks.names import Row

POLL = 0.05  # seconds between two tries for an advisory lock


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


def read(model: type[models.Model], using: str, pks: list[Any], lock: Lock, by_redis: bool) -> dict[Any, Any]:
    """Claim the rows and read them, in the transaction that is open; read only, where an outer lock claimed them."""
    label = model._meta.label_lower
    if lock.nested:
        return still_ours(model, using, {pk: lock.fences[Row(label, pk)] for pk in pks}, lock.timeout)
    if by_redis:
        return claim(model, using, lock)
    wait = "SKIP LOCKED" if lock.skips else "NOWAIT" if lock.nowait else ""
    rows = claim_without_redis(model, using, pks, lock.patience, wait)
    lock.assume({Row(label, pk): row.lock_fence for pk, row in rows.items()})
    return rows


def advise(model: type[models.Model], using: str, pks: list[Any], lock: Lock) -> dict[Any, int]:
    """Take an advisory lock of the session for each row: no transaction is open while the bank is asked.

    Returns their numbers by pk. Behind a pooler that changes the connection between transactions they are worth nothing; the fence stays.
    """
    numbers: dict[Any, int] = {}
    give_up = time.monotonic() + (0 if lock.nowait or lock.skips else lock.patience)
    with connections[using].cursor() as cursor:
        for pk in pks:
            name = names.key(Row(model._meta.label_lower, pk))
            while True:
                cursor.execute("SELECT n, pg_try_advisory_lock(n) FROM hashtextextended(%s, 0) n", [name])
                number, mine = cursor.fetchone()
                if mine:
                    numbers[pk] = number
                elif time.monotonic() < give_up:
                    time.sleep(POLL * random.uniform(0.5, 1))  # noqa: S311
                    continue
                elif not lock.skips:
                    unadvise(using, numbers)
                    raise LockNotAvailable(f"{name}: held by another")
                break
    return numbers


def unadvise(using: str, numbers: dict[Any, int]) -> None:
    """Give the advisory locks back. A connection that was closed meanwhile has done so."""
    with contextlib.suppress(Exception), connections[using].cursor() as cursor:
        for number in numbers.values():
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number])
