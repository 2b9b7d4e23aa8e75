"""The log: a tenant's numbered events, all of them in PostgreSQL, the last of them in Redis as well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import connection
from redis.exceptions import RedisError

from woovi.outbox.models import OutboxEvent
from woovi.pubsub import stream
from woovi.pubsub.metrics import count
from woovi.pubsub.stream import Entry
from woovi.threads import gives_back

PAGE = 250  # entries of one reading
HEADS = """
SELECT tenant, coalesce((
    SELECT seq FROM outbox_outboxevent log WHERE log.tenant = t.tenant AND seq IS NOT NULL ORDER BY seq DESC LIMIT 1
), 0) FROM unnest(%s::text[]) t (tenant)
"""
AT_ONCE = 4  # readings of PostgreSQL by one event loop: a storm of old cursors leaves the database to the payments
T = TypeVar("T")


def entry(event: OutboxEvent) -> Entry:
    """A numbered event as its subscribers get it. Raises ValueError where it has no number."""
    if event.seq is None:
        raise ValueError(f"{event} is no part of the log")
    body = {
        "type": "event",
        "seq": event.seq,
        "id": str(event.event_id),
        "topic": event.topic,
        "at": event.created_at.isoformat(),
        "payload": event.payload,
    }
    return Entry(event.seq, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


def heads(tenants: Iterable[str]) -> dict[str, int]:
    """The number of each tenant's last event, 0 where there is none. With the data in one transaction of
    REPEATABLE READ it is their cursor: whatever has a number up to it is in the data."""
    with connection.cursor() as cursor:
        cursor.execute(HEADS, [list(tenants)])
        return dict(cursor.fetchall())


def head(tenant: str) -> int:
    """The number of the tenant's newest event, 0 where it has none."""
    return heads([tenant])[tenant]


def from_postgresql(tenant: str, after: int, limit: int = PAGE) -> list[Entry]:
    """Up to `limit` entries after the number `after`, however old."""
    events = OutboxEvent.objects.filter(tenant=tenant, seq__gt=after).order_by("seq")
    return [entry(event) for event in events[:limit]]


class Reader:
    """The log as one event loop reads it."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.live = True  # whether Redis is asked: one that is not heard would answer late, if at all

    async def read(self, tenant: str, after: int, limit: int = PAGE) -> tuple[int, list[Entry]]:
        """The stream's epoch (0: not known) and what comes right after the number `after`, without a gap.

        From Redis where it reaches back so far and answers. Empty where the log has no such entry. Raises
        django.db.Error where PostgreSQL is away too.
        """
        epoch = 0
        try:
            if self.live:
                epoch, found = await stream.read(tenant, after, limit)
                if found and found[0].seq == after + 1:
                    count("read from redis", len(found))
                    return epoch, found
        except RedisError:
            count("redis errors")
        found = await self.database(from_postgresql, tenant, after, limit)
        count("read from postgresql", len(found))
        return epoch, found if found and found[0].seq == after + 1 else []

    async def heads(self, tenants: Iterable[str]) -> dict[str, int]:
        return await self.database(heads, tenants)

    async def database(self, query: Callable[..., T], *args: Any) -> T:
        """Run a query in a thread that gives its connection back at once."""
        async with self._turns:
            return await sync_to_async(gives_back(query), thread_sensitive=False)(*args)
