"""An event, written in the same transaction as the change it reports, and relayed afterwards."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class OutboxEvent(models.Model):
    """Something that happened, or a task that must run, for one tenant.

    `event_id` is stable: receivers may see an event twice, never under two ids. `leased_until` is set while a relay
    works on it, or while it waits for its next try; a relay that dies leaves it to the next when the lease ends.
    Relayed rows stay: they are the tenant's event log, in the order of `seq` (1, 2, 3 ... without a gap). The relay
    numbers an event when it first claims it; an instruction to ourselves (`task:…`) never gets a number.
    """

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    topic = models.CharField(max_length=100)
    tenant = models.CharField(max_length=64)
    seq = models.BigIntegerField(null=True, editable=False)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    relayed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # Two small indexes, so that a poll never walks over rows that others hold or that wait.
            models.Index(fields=["id"], name="outbox_fresh", condition=Q(relayed_at=None, leased_until=None)),
            models.Index(
                fields=["leased_until"], name="outbox_due", condition=Q(relayed_at=None, leased_until__isnull=False)
            ),
        ]
        constraints = [
            # The log, and the proof that no number is given twice. A row enters it when it is claimed, not when it is
            # written, so that it costs the change itself nothing.
            models.UniqueConstraint(fields=["tenant", "seq"], name="outbox_log", condition=Q(seq__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.event_id}"
