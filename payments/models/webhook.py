"""A company's webhook endpoints, the deliveries of events to them, and each try of a delivery."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models.base import PublicIdField
from payments.models.company import Company
from woovi.outbox.models import OutboxEvent


class WebhookEndpoint(models.Model):
    """A URL of the company that receives one kind of event while it is active.

    A deleted endpoint stays inactive and is hidden from its company. Its row is kept for the log of its deliveries.
    After some `failures` in a row nothing is sent until `paused_until` (payments/services/webhooks/breaker.py).
    """

    public_id = PublicIdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="webhooks")
    name = models.CharField(max_length=100)
    event = models.CharField(max_length=100)
    url = models.URLField(max_length=2000)
    authorization = models.CharField(max_length=500, blank=True)
    secret = models.CharField(max_length=100)  # key of the HMAC-SHA1 signature
    is_active = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    paused_until = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)  # when the first of these pauses began
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["company", "event"], name="webhook_by_event", condition=Q(is_active=True))]

    def __str__(self) -> str:
        return f"{self.event} to {self.url}"


class WebhookDelivery(models.Model):
    """One event for one endpoint. The row is the truth; a queued message only hints that it may be due."""

    class Status(models.TextChoices):
        PENDING = "PENDING"
        DELIVERED = "DELIVERED"
        FAILED = "FAILED"

    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )  # `webhook_deliveries` begins with it
    event = models.ForeignKey(OutboxEvent, on_delete=models.PROTECT, related_name="deliveries")
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [models.UniqueConstraint(fields=["endpoint", "event"], name="webhook_delivery_once")]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="webhook_due", condition=Q(status="PENDING")),
            models.Index(fields=["endpoint", "id"], name="webhook_deliveries"),
            models.Index(fields=["endpoint", "status"], name="webhook_unfinished", condition=~Q(status="DELIVERED")),
            BrinIndex(fields=["created_at"], name="webhook_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.status}"


class WebhookAttempt(models.Model):
    """One try of a delivery: the request and the answer."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.PROTECT, related_name="tries")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    milliseconds = models.PositiveIntegerField(null=True)
    status_code = models.PositiveIntegerField(null=True)
    request_body = models.TextField(blank=True, help_text=_("the same at every try, and kept at the first"))
    response_body = models.TextField(blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="webhook_attempt_once")]

    def __str__(self) -> str:
        return f"{self.number}: {self.status_code or self.error or '-'}"
