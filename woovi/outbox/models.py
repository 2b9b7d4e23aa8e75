"""The event row. It is written in the transaction whose change it tells of, and relayed afterwards."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class OutboxEvent(models.Model):
    """Something that happened, or a task that must run, for one tenant.

    `event_id` is stable: receivers may see an event twice, never under two ids. `leased_until` is set while a relay
    works on it, or while it waits for its next try; a relay that dies leaves it to the next when the lease ends.
    Relayed rows stay: they are the tenant's event log.
    """

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    topic = models.CharField(max_length=100)
    tenant = models.CharField(max_length=64)
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
            models.Index(fields=["tenant", "id"], name="outbox_by_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.event_id}"
