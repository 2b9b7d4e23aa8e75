"""The operators' view: who holds and who waits for which row, and a forced release.

Rows are found by SCAN. An index was rejected: every lock would have to write to another slot of a Cluster.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import models, router, transaction

from woovi import redis
from woovi.locks import metrics, names
from woovi.locks.claims import claim_with
from woovi.locks.errors import LockNotAvailable
from woovi.locks.lock import GRANT, RELEASE
from woovi.locks.names import Row

LOOK = redis.Script(Path(__file__).parent / "lua" / "look.lua")
LIMIT = 1000  # rows that a page can show
WAITERS = 100  # of a row


@dataclass(frozen=True)
class Waiter:
    """A waiter of a row. `owner` is host/process/random.number, `seconds` how long it has waited."""

    owner: str
    seconds: float


@dataclass(frozen=True)
class Held:
    """A locked row, with its waiters in order. Times in seconds."""

    label: str
    pk: str
    owner: str
    fence: int
    seconds_held: float
    seconds_left: float
    waiting: tuple[Waiter, ...]


def current(label: str = "*") -> list[Held]:
    """The locked rows of a model ("app.model") or of all models, at most LIMIT of them. Raises RedisError."""
    client: Any = redis.client("locks")
    keys = itertools.islice(client.scan_iter(match=f"lk:{{{label}:*}}", count=1000), LIMIT)
    found = [look(*key.decode().removeprefix("lk:{").removesuffix("}").split(":", 1)) for key in keys]
    return sorted(filter(None, found), key=lambda each: (each.label, each.pk))


def look(label: str, pk: Any) -> Held | None:
    """The lock of one row, or None where it is free. Raises RedisError."""
    text, left, age, *queue = LOOK(redis.client("locks"), names.keys([Row(label, pk)]), [WAITERS])
    if not text:
        return None
    owner, _, fence = text.decode().rpartition(":")
    waiting = []
    for name, still in zip(queue[::2], queue[1::2], strict=True):
        waiter, _, patience = name.decode().rpartition(":")
        waiting.append(Waiter(waiter, int(patience) / 1000 - still / 1e6))
    waiting = sorted((each for each in waiting if each.owner != owner), key=lambda each: -each.seconds)
    if not owner:  # handed over just now: the new holder is the first waiter, and listed as one until it asks
        owner = waiting.pop(0).owner if waiting else "nobody/0/0"
    return Held(label, str(pk), owner, int(fence), age / 1e6, max(left, 0) / 1000, tuple(waiting))


def force_release(model: type[models.Model], pk: Any) -> bool:
    """Release a row that another process holds, give it to the next waiter, and raise its fence against late writes.

    Returns whether the fence was raised in the database too. If not, the holder has claimed the row in an open
    transaction, and the database keeps others out until that ends. Raises RedisError; nothing was changed then.
    """
    row = Row(model._meta.label_lower, model._meta.pk.to_python(pk))
    fence = RELEASE(redis.client("locks"), names.keys([row]), ["*", 0, int(GRANT * 1000), 0])[0]
    metrics.count([row.label], "lost")
    using = router.db_for_write(model)
    try:
        with transaction.atomic(using):
            claim_with(model, using, {row.pk: fence}, 0.5)
    except LockNotAvailable:
        return False
    return True
