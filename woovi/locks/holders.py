"""Who holds and who waits now, and taking a row away from a holder that hangs.

Found by SCAN: an index would cost every lock a write, in another slot of a Cluster, for a page that is seldom read.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from django.db import models, router, transaction

from woovi import redis
from woovi.locks import metrics, names
from woovi.locks.claims import raise_in_database
from woovi.locks.errors import LockNotAvailable
from woovi.locks.names import Row
from woovi.locks.scripts import RELEASE

LIMIT = 1000  # rows that a page can show


@dataclass(frozen=True)
class Held:
    """A row that is held. `owner` is host/process/random.number; `waiting` the same of those in its queue, in order."""

    label: str
    pk: str
    owner: str
    fence: int
    seconds_left: float
    waiting: tuple[str, ...]


def current(label: str = "*") -> list[Held]:
    """Rows of a model ("app.model") or of all that are held now; at most LIMIT of them."""
    client: Any = redis.client("locks")
    found = []
    keys = client.scan_iter(match=f"lk:{{{label}:*}}", count=1000)
    for key in itertools.islice(keys, LIMIT):
        held, left = client.get(key), client.pttl(key)
        if held is not None:
            owner, _, fence = held.decode().rpartition(":")
            queue = client.zrange(key + b":q", 0, 99)
            name, _, pk = key.decode().removeprefix("lk:{").removesuffix("}").partition(":")
            waiting = tuple(each.decode().rsplit(":", 2)[0] for each in queue)
            found.append(Held(name, pk, owner, int(fence), max(left, 0) / 1000, waiting))
    return sorted(found, key=lambda each: (each.label, each.pk))


def force_release(model: type[models.Model], pk: Any) -> bool:
    """Take the row from whoever holds it, raise its fence so that the holder cannot write, and let the next one in.

    Returns whether the fence was raised in the database too. Where not, the holder's transaction is open and has
    claimed the row: the database gives it to nobody before that ends.
    """
    row = Row(model._meta.label_lower, model._meta.pk.to_python(pk))
    fence = RELEASE(redis.client("locks"), names.keys([row]), ["*", 0, 0, 1000, 0])[0]
    metrics.count([row.label], "lost")
    using = router.db_for_write(model)
    try:
        with transaction.atomic(using):
            raise_in_database(model, using, row.pk, fence)
    except LockNotAvailable:
        return False
    return True
