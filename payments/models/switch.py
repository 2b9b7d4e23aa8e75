"""What operators switch off at once, for everybody."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Switch(models.Model):
    """A switch that was used once. Where there is no row, it is on. `payments.services.switches` says who obeys which."""

    class Name(models.TextChoices):
        PAYMENTS = "payments", "payments: no Pix leaves, of batches neither"
        REFUNDS = "refunds", "refunds: nobody asks for one"
        CHARGES = "charges", "charges: none is made, nor a QR code"
        WEBHOOKS = "webhooks", "webhooks: none is sent; what is due waits, and no try is used up"
        GRAPHQL = "graphql", "GraphQL: no operation begins, by HTTP or WebSocket"

    name = models.CharField(max_length=20, primary_key=True, choices=Name)
    is_off = models.BooleanField(default=False)
    reason = models.CharField(max_length=200)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "switches"
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return self.name
