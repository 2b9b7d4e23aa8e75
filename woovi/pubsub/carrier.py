"""Outbox handler: append new log entries to Redis, and wake the readers with one message per batch.

It never delays the outbox. An entry that could not be appended is still in PostgreSQL: readers look there every few
seconds, and the tenant's next event fills the gap in the stream.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence

from redis.exceptions import RedisError, ResponseError

from woovi.outbox.models import OutboxEvent
from woovi.pubsub import log, stream
from woovi.pubsub.metrics import count
from woovi.pubsub.stream import KEEP, Entry
from woovi.redis import client

CHANNEL = "ps:wake"  # "tenant=number tenant=number ...", or "!subject" (revoke)

logger = logging.getLogger(__name__)


def carry(events: Iterable[OutboxEvent]) -> None:
    """Append the numbered ones among the events to their tenants' streams."""
    news: defaultdict[str, list[Entry]] = defaultdict(list)
    for event in events:
        if event.seq is not None:
            news[event.tenant].append(log.entry(event))
    try:
        for tenant, entries in news.items():
            try:
                _append(tenant, sorted(entries))
            except ResponseError as error:  # it is full: readers are woken all the same, and find it in PostgreSQL
                count("not carried", len(entries))
                logger.warning("the stream of %s is behind its log until its next event: %s", tenant, error)
        if news:
            client("channels").publish(CHANNEL, " ".join(f"{t}={max(new).seq}" for t, new in news.items()))
    except RedisError as error:
        count("not carried", sum(map(len, news.values())))
        logger.warning("the log is ahead of its streams until the next events: %s", error)


def _append(tenant: str, entries: Sequence[Entry]) -> None:
    newest = entries[-1].seq
    last = stream.append(tenant, entries)
    if last < newest:  # another relay is not there yet, or Redis lost its last moments
        count("gaps")
        since = max(last, newest - KEEP)
        missing = log.from_postgresql(tenant, since, KEEP)
        if missing:
            stream.append(tenant, missing, anew=since > last)
    elif last > newest and last > log.head(tenant):  # PostgreSQL was restored from a backup, and counts again
        count("begun anew")
        stream.append(tenant, entries, anew=True)
    count("appended", len(entries))


def revoke(subject: str) -> None:
    """Make all connections of `subject` check their access now. Without Redis they check at their next heartbeat."""
    try:
        client("channels").publish(CHANNEL, f"!{subject}")
    except RedisError as error:
        logger.warning("connections of %s look with their next heartbeat whether they may stay: %s", subject, error)
