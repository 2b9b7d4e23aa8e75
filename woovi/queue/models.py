"""Periodic jobs as PostgreSQL keeps them: when each is due, and when it was last queued."""

from __future__ import annotations

from django.db import models


class PeriodicJob(models.Model):
    """A job of `settings.QUEUE_PERIODIC`. `leased_until` is set while a process queues it.

    `requeued` counts what a sweep had to put again because a message was lost or late, in all (`woovi.queue.requeued`).
    """

    name = models.CharField(max_length=40, primary_key=True)
    due_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    requeued = models.PositiveBigIntegerField(db_default=0)
    requeued_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "periodic job"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
