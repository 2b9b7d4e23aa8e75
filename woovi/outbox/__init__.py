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

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import transaction

from woovi import trace

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


def write_many(messages: Iterable[Message]) -> list[OutboxEvent]:
    """Write events into the running transaction with one statement. Raises RuntimeError outside of one."""
    from woovi.outbox.models import OutboxEvent  # Django imports this package before it has models

    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event is written in the transaction whose change it tells of, or it may tell a lie")
    here = trace.current()

    def payload(topic: str, given: dict[str, Any]) -> dict[str, Any]:
        return given | {trace.HEADER: here} if here and topic.startswith(TASK) else given

    return OutboxEvent.objects.bulk_create(
        OutboxEvent(topic=topic, tenant=tenant, payload=payload(topic, given)) for topic, tenant, given in messages
    )
