"""Two rows, what Redis and PostgreSQL say of them, and being somebody else in one thread."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TypeVar

from tests.topologies.topologies import Topology
from tests.woovi.locks.models import Account
from woovi import redis
from woovi.locks import Lock, LockNotAvailable, names
from woovi.locks.names import Row

T = TypeVar("T")
A, B = Row("vault.account", 9), Row("vault.account", 10)  # in two slots of a Cluster; as text, 10 comes before 9


def balance(pk: int = 9) -> int:
    return Account.objects.get(pk=pk).balance


def holder(row: Row = A) -> str:
    """Owner and fence of whoever holds the row, "" where nobody does."""
    return (redis.client("locks").get(names.key(row)) or b"").decode()


def queue(row: Row = A) -> int:
    """How many wait for the row."""
    return int(redis.client("locks").zcard(names.key(row) + ":w"))


def in_line(topology: Topology, row: Row = A) -> int:
    """How many clients the row's server keeps in line, whatever they wait for."""
    with topology.server_of(names.key(row)).ask() as client:
        return int(client.info("clients")["blocked_clients"])


def elsewhere(act: Callable[[], T]) -> T:
    """As somebody else: a lock that is taken here is not known there, nor the other way round."""
    return contextvars.Context().run(act)


def free(*rows: tuple[str, object]) -> bool:
    """Whether Redis would give the rows to somebody else at once."""

    def look() -> bool:
        try:
            with Lock(*rows, nowait=True):
                return True
        except LockNotAvailable:
            return False

    return elsewhere(look)
