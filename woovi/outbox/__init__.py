"""The outbox: the events of a change are written in its transaction, and carried to their handlers afterwards.

    outbox.write("charge.updated", tenant, payload)   # inside transaction.atomic()
    manage.py relay                                   # carries events to settings.OUTBOX_HANDLERS

A handler gets events whose topic begins with its prefix, in the order of their ids, at least once. It raises
`Unavailable` when the place that it carries them to is away: they all wait. Any other error is blamed on single events.

Carried events are a tenant's log: `seq` counts them in the order in which they committed (`claims`), and `woovi.pubsub`
reads it. Instructions to ourselves, whose topic begins with a lower-case word and a colon (`task:`, `cache:`), are no
part of it. A `task:` remembers the trace (`woovi.trace`) in which it was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import transaction

from woovi import statements, trace

if TYPE_CHECKING:
    from woovi.outbox.models import OutboxEvent

Message = tuple[str, str, dict[str, Any]]  # topic, tenant, payload
TASK = "task:"

__all__ = ["TASK", "Message", "Unavailable", "write", "write_many"]


class Unavailable(Exception):
    """Raised by a handler whose destination is away. Its events are not at fault, and are carried later."""


def write(topic: str, tenant: str, payload: dict[str, Any]) -> OutboxEvent:
    """Write one event of `tenant` into the running transaction. Raises RuntimeError outside of one."""
    return write_many([(topic, tenant, payload)])[0]


_WRITE = """
INSERT INTO outbox_outboxevent (event_id, topic, tenant, payload, created_at, attempts)
SELECT event_id, topic, tenant, payload, created_at, 0
FROM jsonb_to_recordset($1) AS given(event_id uuid, topic text, tenant text, payload jsonb, created_at timestamptz)
RETURNING id
"""


def write_many(messages: Iterable[Message]) -> list[OutboxEvent]:
    """Write events into the running transaction with one statement. Raises RuntimeError outside of one."""
    from woovi.outbox.models import OutboxEvent  # Django imports this package before it has models

    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event is written in the transaction whose change it tells of, or it may tell a lie")
    here = trace.current()

    def payload(topic: str, given: dict[str, Any]) -> dict[str, Any]:
        return given | {trace.HEADER: here} if here and topic.startswith(TASK) else given

    events = [
        OutboxEvent(topic=topic, tenant=tenant, payload=payload(topic, given)) for topic, tenant, given in messages
    ]
    rows = [
        {
            "event_id": str(event.event_id),
            "topic": event.topic,
            "tenant": event.tenant,
            "payload": event.payload,
            "created_at": event.created_at.isoformat(),
        }
        for event in events
    ]
    for event, (pk,) in zip(events, statements.fetch(_WRITE, json.dumps(rows)), strict=True):
        event.pk, event._state.adding = pk, False
    return events
